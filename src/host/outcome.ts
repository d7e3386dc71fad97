/** What a read's outcomes mean; the same for every host. */
import type { ReadOutcome } from './host.js';

/**
 * Errnos by which a machine says that it does not offer a file, as against one it will not show us.
 *
 * - ENOENT: not there.
 * - ENOTDIR: a part of the way is a file here; another kernel has a directory there.
 * - ENODEV: the attribute was there when the path was resolved and its device went away (kernfs says so to
 *   every read of a removed node), or its subsystem is not set up.
 * - EOPNOTSUPP: the attribute is there and this build or device has nothing behind it (memory.pressure with
 *   psi=0).
 *
 * EACCES and EPERM are not: the machine has the file, and to take it for absent would plan for another machine.
 * Neither is ENXIO, which drivers also give for hardware that failed, nor EISDIR, EINVAL or EIO: a path of ours
 * that is wrong, or a machine that is ill.
 */
export function isNotOffered(errnoCode: string): boolean {
  return ['ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP'].includes(errnoCode);
}

/** All texts; throws the first failure. */
export function textsOf(outcomes: readonly ReadOutcome[]): string[] {
  return outcomes.map((outcome) => {
    if (outcome.ok) return outcome.text;
    throw outcome.error;
  });
}

/** All texts, `undefined` for those not offered; throws the first other failure. */
export function offeredTextsOf(outcomes: readonly ReadOutcome[]): (string | undefined)[] {
  return outcomes.map((outcome) => {
    if (outcome.ok) return outcome.text;
    if (isNotOffered(outcome.error.errnoCode)) return undefined;
    throw outcome.error;
  });
}

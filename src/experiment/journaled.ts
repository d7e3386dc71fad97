import { Journal } from '../apply/journal.js';
import { type Restored, restore } from '../apply/restore.js';
import { type HeldState, holdState, refusePending } from '../apply/state.js';
import type { Inventory } from '../discover/inventory.js';
import { FailedRestoredError, InterruptedError, RestoreError, type RestoreProblem } from '../errors.js';
import { chomp } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { packageVersion } from '../native/load.js';
import type { Plan } from '../plan/steps.js';

/** What a caller throws after it has restored: the failure itself when nothing was changed or a signal asked. */
export function afterRestore(error: unknown, journal: Journal, restored: Restored): unknown {
  const changed = restored.undone.length > 0 || journal.entries.some((entry) => entry.done);
  return changed && !(error instanceof InterruptedError) ? new FailedRestoredError(error) : error;
}

/** Starts a journal in a state directory that is held. Throws StateError when one is pending. */
export function beginJournal(held: HeldState, host: Host, inventory: Inventory): Journal {
  refusePending(held.directory);
  const { machineId, bootId } = inventory.kernel;
  held.announce();
  return Journal.create(held.directory, {
    schemaVersion: 1,
    host: host.name,
    machineId,
    bootId,
    startedAt: new Date().toISOString(),
    tool: packageVersion(),
  });
}

/** Attributes as they were before a run: exact text by path. */
export type Attributes = Readonly<Record<string, string>>;

/**
 * Restores from a journal and removes it. `before` is read again and must be equal to the byte. Throws
 * RestoreError, and leaves the journal pending, when something is left.
 */
export async function endJournal(
  held: HeldState,
  host: Host,
  journal: Journal,
  before: Attributes,
  cause?: unknown,
): Promise<Restored> {
  const restored = await restore(host, journal);
  const problems = [...restored.problems, ...(await changedSince(host, before, restored.problems))];
  if (problems.length > 0) {
    journal.close();
    throw new RestoreError(journal.path, problems, cause);
  }
  journal.remove();
  held.withdraw();
  return restored;
}

/** Which attributes do not read as before, those aside that are known already. */
async function changedSince(
  host: Host,
  before: Attributes,
  known: readonly RestoreProblem[],
): Promise<RestoreProblem[]> {
  const paths = Object.keys(before).filter((path) => !known.some((problem) => problem.path === path));
  const outcomes = await host.probe(paths.map((path) => hostPath(path)));
  return outcomes.flatMap((outcome, index) => {
    const path = paths[index] ?? '';
    const text = outcome.ok ? outcome.text : outcome.error.errnoCode;
    return text === before[path]
      ? []
      : [{ path, message: `reads '${chomp(text)}', was '${chomp(before[path] ?? '')}' before` }];
  });
}

/**
 * Holds the host's lock and a fresh journal around `work`, and puts the machine back after it, whatever it does.
 * A failure comes through once the machine is restored (FailedRestoredError when it had been changed); what cannot
 * be restored is a RestoreError.
 */
export async function withJournal<T>(
  host: Host,
  stateDirectory: string,
  inventory: Inventory,
  before: Attributes,
  work: (journal: Journal) => Promise<T>,
): Promise<{ readonly result: T; readonly restored: Restored }> {
  const held = holdState(stateDirectory, host.name === 'live');
  try {
    const journal = beginJournal(held, host, inventory);
    let result: T;
    try {
      result = await work(journal);
    } catch (error) {
      throw afterRestore(error, journal, await endJournal(held, host, journal, before, error));
    }
    return { result, restored: await endJournal(held, host, journal, before) };
  } finally {
    held.release();
  }
}

/** The machine-wide attributes that plans name, as an inventory saw them. */
export function attributesOf(plans: readonly Plan[], inventory: Inventory): Attributes {
  const steps = plans.flatMap((plan) => [...plan.steps, ...plan.already]);
  const paths = new Set(
    steps.flatMap((step) => {
      if (step.affects !== 'machine' || !('path' in step)) return [];
      return 'attributes' in step ? step.attributes.map(({ path }) => path) : [step.path];
    }),
  );
  return Object.fromEntries(
    [...paths].flatMap((path) => {
      const text = inventory.attributes[path];
      return text === undefined ? [] : [[path, text] as const];
    }),
  );
}

import { join } from 'node:path';
import { WorkloadError } from '../errors.js';
import type { Host, WorkloadExit, WorkloadSpec } from '../host/host.js';
import type { HostPath } from '../host/path.js';
import { runWorkload, type WorkloadOptions } from './workload.js';

/** Which hooks: those before what is measured, or those after it. */
export type HookStage = 'setup' | 'cleanup';

const names: Readonly<Record<HookStage, string>> = { setup: 'set-up', cleanup: 'clean-up' };

export interface HookOptions extends Pick<WorkloadOptions, 'timeMs' | 'noProgressMs' | 'signal'> {
  readonly stage: HookStage;
  /** Where their output is kept, each in files of its own. */
  readonly directory: string;
}

/**
 * Runs hooks one after another in the workload's cgroup; `timeMs` is for all of them. What they leave running goes on. Throws
 * WorkloadError at the first that fails, or the signal's reason.
 */
export async function runHooks(
  host: Host,
  hooks: readonly Pick<WorkloadSpec, 'argv' | 'user' | 'directory'>[],
  cgroup: HostPath,
  { stage, directory, timeMs, ...options }: HookOptions,
): Promise<void> {
  const begin = host.now();
  for (const [index, hook] of hooks.entries()) {
    const name = `${stage}-${index + 1}`;
    const spec = {
      ...hook,
      stdoutFile: join(directory, `${name}-stdout.txt`),
      stderrFile: join(directory, `${name}-stderr.txt`),
    };
    const passedMs = Number((host.now() - begin) / 1_000_000n);
    const what = `the ${names[stage]} ${hook.argv.join(' ')}`;
    const exit = await runWorkload(host, spec, cgroup, {
      ...options,
      what,
      timeMs: Math.max(timeMs - passedMs, 0),
      timeKey: `limits.${stage}_s`,
      lookPaths: [],
      onLook: () => {},
    });
    const problem = exitProblem(exit, what);
    if (problem !== undefined) {
      throw new WorkloadError(problem, { hint: `what it printed is in ${spec.stderrFile}` });
    }
  }
}

/** What is wrong with how a program ended; undefined when it ended well. */
export function exitProblem(exit: WorkloadExit | undefined, what = 'the workload'): string | undefined {
  if (exit?.signal !== undefined) return `${what} was ended by ${exit.signal}`;
  return exit?.exitCode === 0 ? undefined : `${what} ended with exit code ${exit?.exitCode}`;
}

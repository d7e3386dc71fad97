import type { WorkloadKind } from '../experiment/workload.js';

/** A command line: a program by its absolute path, or one of this package's own by its name, and its arguments. */
export type Argv = readonly string[];

/** What a user must be allowed to do with a path of the machine that the workload runs on. */
export interface Need {
  readonly path: string;
  /** One letter or more of r, w, x, as access(2) has them. */
  readonly mode: string;
  /** What it is for, as `workload.build.source`. */
  readonly what: string;
}

/** Anonymous memory that a workload fills, as far as it is known beforehand. */
export interface Footprint {
  readonly totalBytes: bigint;
  /** All of it is in swap at once, whatever the limit. */
  readonly pagedOut: boolean;
  /** What every page holds, as --content says it; undefined where that is not known, or not of whole pages. */
  readonly content: string | undefined;
}

/** A workload as a plan holds it: all that is run for it, and what that amounts to. */
export interface WorkloadTask {
  readonly kind: WorkloadKind;
  /** Run before it, in its cgroup, and not measured. */
  readonly setup: readonly Argv[];
  /** What is measured. */
  readonly argv: Argv;
  /** Run after it, however it ended. */
  readonly cleanup: readonly Argv[];
  /** Where all of them start; undefined: `/`. */
  readonly directory: string | undefined;
  /** As the experiment names who runs them; undefined: whoever called sudo. */
  readonly user: string | undefined;
  readonly needs: readonly Need[];
  readonly footprint: Footprint | undefined;
  /** The interval at which its tasks are bound to CPUs, and the CPUs. */
  readonly bind: { readonly interval: number; readonly cpus: readonly number[] } | undefined;
  /** Seconds it sleeps by itself. */
  readonly sleepSeconds: number;
}

/** What a kind of workload tells of itself; what it leaves out it has not. */
export type TaskOfKind = Pick<WorkloadTask, 'argv'> & Partial<Omit<WorkloadTask, 'kind' | 'user'>>;

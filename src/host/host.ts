import type { HostIoError } from '../errors.js';
import type { ModelControl } from './model-control.js';
import type { HostPath } from './path.js';
import type { SampleSpec, Sampling } from './sampling.js';

/** What one read gave: the whole text (the trailing newline too), or the error. */
export type ReadOutcome =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly error: HostIoError };

export interface WriteOptions {
  /** How long the kernel may take before the write counts as hung (ms; default 60,000). */
  readonly timeLimitMs?: number;
  /**
   * Do not truncate the file before: tracefs takes that for an order to remove all probes, events or triggers that
   * the file lists, whoever made them.
   */
  readonly append?: boolean;
}

/** A program that runs beside a workload, as perf. */
export interface RunningTool {
  /** Ends it with SIGINT, and SIGKILL 10 s later; gives its exit code, or the signal that it died of. */
  stop(): Promise<string | number>;
}

export interface ExecOptions {
  /** Default 60,000. */
  readonly timeLimitMs?: number;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program to run as the workload. */
export interface WorkloadSpec {
  /** Program and arguments; the program is an absolute path. No shell is involved. */
  readonly argv: readonly string[];
  /** Whose process it is, as `1000` or `1000:1000` (user and group); undefined: the tool's own. */
  readonly user?: string | undefined;
  /** The folder it starts in, an absolute path; undefined: `/`. */
  readonly directory?: string | undefined;
  /** Files of the tool's own machine that take the output; created, must not exist. */
  readonly stdoutFile: string;
  readonly stderrFile: string;
}

/** How a workload ended, from wait4(2): its own usage and that of all children it waited for. */
export interface WorkloadExit {
  readonly exitCode: number | undefined;
  /** Name of the signal that ended it, as `SIGKILL`. */
  readonly signal: string | undefined;
  /** From fork to the end, CLOCK_MONOTONIC. */
  readonly elapsedNs: bigint;
  readonly userUs: bigint;
  readonly systemUs: bigint;
  /** ru_maxrss: the largest single process. */
  readonly maxRssKiB: number;
}

export interface RunningWorkload {
  /** Resolves when it has ended, however; rejects (WorkloadError) only when it could not be started. */
  readonly exit: Promise<WorkloadExit>;
  /** Kills the first process; what it forked is for cgroup.kill. */
  kill(): void;
}

/**
 * A machine seen through its kernel files. All code above this interface is the same for a live machine, a
 * captured tree, a mock and the model.
 */
export interface Host extends AsyncDisposable {
  /** As given to --host: `live`, `root:DIR`. */
  readonly name: string;
  /** The directory the paths are resolved under, for messages: `/` for live. */
  readonly root: string;
  readonly writable: boolean;
  /** Whether launch can run anything here. */
  readonly runsWorkloads: boolean;
  /** What only a modelled machine takes; undefined on every other. */
  readonly model: ModelControl | undefined;

  /** Reads each path; a failure is an outcome, never thrown. */
  probe(paths: readonly HostPath[]): Promise<ReadOutcome[]>;
  /** Reads all paths; throws HostIoError for the first that fails. */
  read(paths: readonly HostPath[]): Promise<string[]>;
  /** Reads all paths; `undefined` for one that this machine does not offer; throws HostIoError for any other failure. */
  tryRead(paths: readonly HostPath[]): Promise<(string | undefined)[]>;
  /**
   * Writes one value with one write(2); throws HostIoError. One that passes its time limit throws with
   * `inFlight` set and may still take effect: `settled` tells when it has ended.
   */
  write(path: HostPath, text: string, options?: WriteOptions): Promise<void>;
  /** Resolves when no write is in flight any more. */
  settled(): Promise<void>;
  /** Names in a directory, sorted; `undefined` when there is none. */
  list(path: HostPath): Promise<string[] | undefined>;
  /** A symlink's text; `undefined` when there is none. */
  readlink(path: HostPath): Promise<string | undefined>;
  mkdir(path: HostPath): Promise<void>;
  rmdir(path: HostPath): Promise<void>;
  /** Runs a helper program to its end (no shell); throws CommandError when it cannot be run at all. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /**
   * Starts a helper program that runs until it is stopped (no shell); its output goes to `outputFile`, created, of the
   * tool's own machine. Throws CommandError when it cannot be run at all.
   */
  start(argv: readonly string[], outputFile: string): Promise<RunningTool>;
  /**
   * Starts a workload inside `cgroup` (a cgroup v2 directory) before it executes. On a modelled machine it goes on only
   * while `delay` lets time pass.
   */
  launch(workload: WorkloadSpec, cgroup: HostPath): RunningWorkload;
  /**
   * Reads counters at a fixed rate, until it is stopped. Throws RequirementError where nothing can be sampled (a
   * trace); a single file that cannot be is left out.
   */
  sample(spec: SampleSpec): Promise<Sampling>;
  /** The host's monotonic clock, ns. */
  now(): bigint;
  /** What its clock on the wall says; a modelled machine's begins at the same time whenever it is opened. */
  date(): Date;
  /**
   * Lets `ms` pass on that clock; where nothing happens by itself, as on a mock, only the clock moves. Ends early, and
   * without an error, when `signal` aborts, and on a modelled machine when its workload ends.
   */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

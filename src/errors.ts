/**
 * Every error this package throws on purpose, with a stable `code` (docs/errors.md) and the exit code it
 * stands for. `message` is one line that says what happened and where; `hint` says what to do about it.
 */

/** Exit codes of the command line (docs/errors.md; they are a contract). */
export const ExitCode = {
  done: 0,
  failedUnchanged: 1,
  usage: 2,
  requirement: 3,
  failedRestored: 4,
  notRestored: 5,
  checkSaidNo: 6,
  hup: 129,
  int: 130,
  term: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

interface ErrorExtras {
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** Base of all errors of this package. */
export abstract class LabError extends Error {
  abstract readonly code: string;
  /** The exit code a command ends with when this error reaches it. */
  readonly exitCode: ExitCode = ExitCode.failedUnchanged;
  readonly hint: string | undefined;

  constructor(message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = new.target.name;
    this.hint = extras.hint;
  }
}

/** True for every error this package throws on purpose, whichever copy of the package threw it. */
export function isLabError(error: unknown): error is LabError {
  return (
    error instanceof Error &&
    /^ERR_[A-Z_]+$/.test((error as { code?: unknown }).code as string) &&
    'exitCode' in error
  );
}

export type HostOperation =
  | 'read'
  | 'write'
  | 'list'
  | 'readlink'
  | 'mkdir'
  | 'rmdir'
  | 'open'
  | 'statfs'
  | 'sample';

/** One failed operation on a kernel file: which, where, and the errno of the call that failed. */
export class HostIoError extends LabError {
  readonly code = 'ERR_HOST_IO';
  readonly operation: HostOperation;
  /** Kernel path, as `/sys/...`, whatever the root is. */
  readonly path: string;
  /** The root the path was resolved under: `/` or a directory. */
  readonly root: string;
  readonly errno: number;
  /** Name of the errno, as `EBUSY`. */
  readonly errnoCode: string;
  /** The system call that failed, as `openat2`. */
  readonly syscall: string;
  /** What was to be written (writes only). */
  readonly value: string | undefined;
  /** Bytes the kernel took of it (short writes only). */
  readonly written: number | undefined;
  /** The write passed its time limit and the kernel has not answered yet: it may still take effect. */
  readonly inFlight: boolean;

  constructor(
    at: {
      operation: HostOperation;
      path: string;
      root: string;
      errno: number;
      errnoCode: string;
      syscall: string;
      value?: string | undefined;
      written?: number | undefined;
      inFlight?: boolean;
    },
    extras: ErrorExtras = {},
  ) {
    const what =
      at.value === undefined ? at.operation : `${at.operation} '${at.value.replace(/\n$/, '')}' to`;
    const under = at.root === '/' ? '' : ` (root ${at.root})`;
    const state = at.inFlight
      ? ' (still in flight)'
      : at.written === undefined
        ? ''
        : ` (${at.written} bytes taken)`;
    super(`${what} ${at.path}${under}: ${at.errnoCode} from ${at.syscall}${state}`, extras);
    this.operation = at.operation;
    this.path = at.path;
    this.root = at.root;
    this.errno = at.errno;
    this.errnoCode = at.errnoCode;
    this.syscall = at.syscall;
    this.value = at.value;
    this.written = at.written;
    this.inFlight = at.inFlight ?? false;
  }
}

/** A kernel file's text is not in the form the kernel writes it in. */
export class ParseError extends LabError {
  readonly code = 'ERR_PARSE';
  readonly path: string;
  readonly line: number | undefined;
  /** What the text should have been, as `a decimal number`. */
  readonly expected: string;
  /** The text that was there instead, whole and unescaped. */
  readonly found: string;

  constructor(
    at: { path: string; line?: number | undefined; found: string; expected: string },
    extras: ErrorExtras = {},
  ) {
    const where = at.line === undefined ? at.path : `${at.path}:${at.line}`;
    const shown = at.found.length > 60 ? `${at.found.slice(0, 60)}...` : at.found;
    super(`${where}: expected ${at.expected}, found ${JSON.stringify(shown)}`, extras);
    this.path = at.path;
    this.line = at.line;
    this.expected = at.expected;
    this.found = at.found;
  }
}

/** Wrong words on the command line, or wrong arguments of an API call. */
export class UsageError extends LabError {
  readonly code = 'ERR_USAGE';
  override readonly exitCode = ExitCode.usage;
}

/** One thing wrong with an experiment file. */
export interface ExperimentIssue {
  /** 1-based; undefined when the file could not be read at all. */
  readonly line: number | undefined;
  /** Where in the document, as `cgroup."memory.high"`. */
  readonly path: string;
  readonly message: string;
}

/** An experiment file, or a machine file, that cannot be used: all that is wrong with it, each with its line. */
export class ExperimentError extends LabError {
  readonly code = 'ERR_EXPERIMENT';
  override readonly exitCode = ExitCode.usage;
  readonly file: string;
  readonly issues: readonly ExperimentIssue[];

  constructor(file: string, issues: readonly ExperimentIssue[], extras: ErrorExtras = {}) {
    super(
      issues
        .map((issue) => {
          const where = issue.line === undefined ? file : `${file}:${issue.line}`;
          return `${where}: ${issue.path === '' ? '' : `${issue.path}: `}${issue.message}`;
        })
        .join('\n'),
      extras,
    );
    this.file = file;
    this.issues = issues;
  }
}

/** The machine lacks something that the command needs. */
export class RequirementError extends LabError {
  readonly code = 'ERR_REQUIREMENT';
  override readonly exitCode = ExitCode.requirement;
}

/** A problem that keeps a plan from being made: what, and how to mend it. */
export interface PlanIssue {
  /** Kernel path or experiment key it is about. */
  readonly path: string;
  readonly message: string;
  readonly mend: string;
}

/** No plan can be made for this experiment on this machine: all reasons at once. */
export class PlanError extends LabError {
  readonly code = 'ERR_PLAN';
  override readonly exitCode = ExitCode.requirement;
  readonly issues: readonly PlanIssue[];

  constructor(issues: readonly PlanIssue[]) {
    super(issues.map((issue) => `${issue.path}: ${issue.message}\n  mend: ${issue.mend}`).join('\n'));
    this.issues = issues;
  }
}

/** An attribute does not read back as the value that was written to it. */
export class VerifyError extends LabError {
  readonly code = 'ERR_VERIFY';
  readonly path: string;
  readonly expected: string;
  readonly actual: string;

  constructor(at: { path: string; expected: string; actual: string }, extras: ErrorExtras = {}) {
    super(`${at.path}: wrote '${at.expected}', reads '${at.actual}'`, extras);
    this.path = at.path;
    this.expected = at.expected;
    this.actual = at.actual;
  }
}

/** A plan's step failed. What had been done is in `receipts`; whether it was undone is for the caller to add. */
export class ApplyError extends LabError {
  readonly code = 'ERR_APPLY';
  /** The step that failed. */
  readonly stepId: string;

  constructor(stepId: string, cause: unknown, hint?: string) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`step ${stepId}: ${why}`, { cause, hint: hint ?? (isLabError(cause) ? cause.hint : undefined) });
    this.stepId = stepId;
  }
}

/** One attribute that could not be put back. */
export interface RestoreProblem {
  readonly path: string;
  readonly message: string;
}

/** The machine is not as it was: what is left, and the journal that knows it. */
export class RestoreError extends LabError {
  readonly code = 'ERR_RESTORE';
  override readonly exitCode = ExitCode.notRestored;
  readonly journalPath: string;
  readonly problems: readonly RestoreProblem[];

  constructor(journalPath: string, problems: readonly RestoreProblem[], cause?: unknown) {
    super(
      `not fully restored: ${problems.map((problem) => `${problem.path}: ${problem.message}`).join('; ')}`,
      {
        cause,
        hint: `the journal is ${journalPath}; mend the cause and run 'iaa-zswap restore'`,
      },
    );
    this.journalPath = journalPath;
    this.problems = problems;
  }
}

/** Something failed after the machine was changed; the machine is as before again. */
export class FailedRestoredError extends LabError {
  readonly code = 'ERR_RESTORED';
  override readonly exitCode = ExitCode.failedRestored;

  constructor(cause: unknown) {
    super(`${cause instanceof Error ? cause.message : String(cause)} (the machine is as before)`, {
      cause,
      hint: isLabError(cause) ? cause.hint : undefined,
    });
  }
}

/** The state directory cannot be used: unsafe, locked by another run, or a journal is pending in it. */
export class StateError extends LabError {
  readonly code = 'ERR_STATE';
}

/** The workload could not be started, failed, hung or ran out of time. */
export class WorkloadError extends LabError {
  readonly code = 'ERR_WORKLOAD';
}

/** A helper program failed. */
export class CommandError extends LabError {
  readonly code = 'ERR_COMMAND';
  readonly argv: readonly string[];

  constructor(argv: readonly string[], message: string, extras: ErrorExtras = {}) {
    super(`${argv.join(' ')}: ${message}`, extras);
    this.argv = argv;
  }
}

/** libaccel-config refused; the message has its own words. */
export class AccelConfigError extends LabError {
  readonly code = 'ERR_ACCEL_CONFIG';
}

/** A record on disk cannot be read, or is of a version this program does not know. */
export class RecordError extends LabError {
  readonly code = 'ERR_RECORD';
}

/** Bytes that could not be compressed or decompressed. */
export class CompressionError extends LabError {
  readonly code = 'ERR_COMPRESSION';
  /** As in /proc/crypto. */
  readonly compressor: string;
  /** errno of the kernel's compressors, positive: E2BIG, ENOSPC, EOVERFLOW, EINVAL. */
  readonly errno: number;

  constructor(compressor: string, errno: number, message: string) {
    super(`${compressor}: ${message}`);
    this.compressor = compressor;
    this.errno = errno;
  }
}

/** The native addon could not be loaded. */
export class NativeLoadError extends LabError {
  readonly code = 'ERR_NATIVE_LOAD';
}

/** Running as root would execute files that somebody else can change. */
export class TrustError extends LabError {
  readonly code = 'ERR_TRUST';
  override readonly exitCode = ExitCode.requirement;
}

/** The guest could not be set up, started or reached. */
export class VmError extends LabError {
  readonly code = 'ERR_VM';
}

export type StopSignal = 'SIGHUP' | 'SIGINT' | 'SIGTERM';

/** A signal asked us to stop. */
export class InterruptedError extends LabError {
  readonly code = 'ERR_INTERRUPTED';
  /** undefined: by an AbortSignal, whose reason is the cause. */
  readonly signal: StopSignal | undefined;
  override readonly exitCode: ExitCode;

  constructor(signal: StopSignal | undefined, extras: ErrorExtras = {}) {
    super(signal === undefined ? 'interrupted' : `interrupted by ${signal}`, extras);
    this.signal = signal;
    this.exitCode = signal === 'SIGHUP' ? ExitCode.hup : signal === 'SIGTERM' ? ExitCode.term : ExitCode.int;
  }
}

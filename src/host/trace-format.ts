/** The lines of a trace: what tracing.ts writes and traced-root.ts reads. NDJSON, the first line is the header. */
import type { NativeFailure } from '../native/surface.js';

/** The version this program writes and reads. */
export const traceVersion = 1;

export interface TraceHeader {
  readonly schemaVersion: typeof traceVersion;
  readonly kind: 'trace';
  /** Host.name and Host.root. */
  readonly host: string;
  readonly root: string;
  /** Version of the package that wrote it. */
  readonly tool: string;
  readonly redacted: boolean;
}

/** How an operation failed; `inFlight`: it had not ended when its time was up. */
export type TraceFailure = NativeFailure & { readonly inFlight?: true };

/** What was done and what came of it: `error`, or the other fields. Absent directories and links are `null`. */
export type TraceEvent =
  | { readonly op: 'read'; readonly path: string; readonly text?: string; readonly error?: TraceFailure }
  | { readonly op: 'write'; readonly path: string; readonly text: string; readonly error?: TraceFailure }
  | { readonly op: 'mkdir' | 'rmdir'; readonly path: string; readonly error?: TraceFailure }
  | {
      readonly op: 'list';
      readonly path: string;
      readonly names?: readonly string[] | null;
      readonly error?: TraceFailure;
    }
  | {
      readonly op: 'readlink';
      readonly path: string;
      readonly target?: string | null;
      readonly error?: TraceFailure;
    }
  | {
      readonly op: 'exec';
      readonly argv: readonly string[];
      readonly exitCode?: number;
      readonly stdoutBytes?: number;
      readonly stderrBytes?: number;
      readonly failure?: string;
    }
  | {
      /** A program that ran until it was stopped. */
      readonly op: 'start';
      readonly argv: readonly string[];
      /** Exit code, or name of the signal. */
      readonly ended?: number | string;
      readonly failure?: string;
    }
  | {
      /** The begin of a sampling; its rows are not in the trace. */
      readonly op: 'sample';
      readonly paths: readonly string[];
      readonly intervalNs: number;
      readonly columns?: number;
      readonly failure?: string;
    }
  | {
      readonly op: 'launch';
      readonly argv: readonly string[];
      readonly cgroup: string;
      readonly exitCode?: number;
      readonly signal?: string;
      readonly failure?: string;
    };

export type TraceLine = {
  /** 1, 2, ... in the order of the answers. */
  readonly seq: number;
  /** When it was asked for, ns of the host's clock since the trace began. */
  readonly ns: number;
  /** Until the answer. */
  readonly tookNs: number;
} & TraceEvent;

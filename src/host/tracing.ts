import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { HostIoError, RecordError, UsageError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import type {
  ExecOptions,
  ExecResult,
  Host,
  ReadOutcome,
  RunningTool,
  RunningWorkload,
  WorkloadSpec,
  WriteOptions,
} from './host.js';
import type { ModelControl } from './model-control.js';
import { offeredTextsOf, textsOf } from './outcome.js';
import type { HostPath } from './path.js';
import { noRedaction, type Redactor, redactorFor } from './redact.js';
import type { SampleSpec, Sampling } from './sampling.js';
import {
  type TraceEvent,
  type TraceFailure,
  type TraceHeader,
  type TraceLine,
  traceVersion,
} from './trace-format.js';

/**
 * The same host with every operation written to `file` as NDJSON (trace-format.ts), a line per answer. The file
 * must not exist; it can be opened as a host again (`root:FILE`). A trace that cannot be written any more does
 * not disturb the operations: close() then throws RecordError.
 */
export async function tracing(
  host: Host,
  file: string,
  options: { readonly redact: boolean },
): Promise<Host> {
  let fd: number;
  try {
    // As root in a folder of another's: no file of theirs is taken, and no link of theirs is followed.
    fd = openSync(
      file,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new UsageError(`the trace ${file} cannot be created: ${why}`, {
      hint: 'name a file that does not exist yet, in a folder that does',
      cause,
    });
  }
  try {
    return new TracingHost(host, file, fd, options.redact ? await redactorFor(host) : undefined);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function failureOf(error: HostIoError): TraceFailure {
  return {
    errno: error.errno,
    code: error.errnoCode,
    syscall: error.syscall,
    ...(error.written === undefined ? {} : { written: error.written }),
    ...(error.inFlight ? { inFlight: true } : {}),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

class TracingHost implements Host {
  readonly name: string;
  readonly root: string;
  readonly writable: boolean;
  readonly runsWorkloads: boolean;
  readonly model: ModelControl | undefined;
  readonly #host: Host;
  readonly #file: string;
  readonly #fd: number;
  readonly #redact: Redactor;
  readonly #startNs: bigint;
  #lines = 0;
  #broken: unknown;
  #closed = false;

  constructor(host: Host, file: string, fd: number, redactor: Redactor | undefined) {
    this.name = host.name;
    this.root = host.root;
    this.writable = host.writable;
    this.runsWorkloads = host.runsWorkloads;
    this.model = host.model;
    this.#host = host;
    this.#file = file;
    this.#fd = fd;
    this.#redact = redactor ?? noRedaction;
    this.#startNs = host.now();
    const header: TraceHeader = {
      schemaVersion: traceVersion,
      kind: 'trace',
      host: this.#redact.path(host.name),
      root: this.#redact.path(host.root),
      tool: packageVersion(),
      redacted: redactor !== undefined,
    };
    this.#append(header);
  }

  async probe(paths: readonly HostPath[]): Promise<ReadOutcome[]> {
    const asked = this.#host.now();
    const outcomes = await this.#host.probe(paths);
    const answered = this.#host.now();
    outcomes.forEach((outcome, index) => {
      const path = paths[index];
      if (path === undefined) return;
      this.#line(
        asked,
        {
          op: 'read',
          path: this.#redact.path(path),
          ...(outcome.ok
            ? { text: this.#redact.content(path, outcome.text) }
            : { error: failureOf(outcome.error) }),
        },
        answered,
      );
    });
    return outcomes;
  }

  async read(paths: readonly HostPath[]): Promise<string[]> {
    return textsOf(await this.probe(paths));
  }

  async tryRead(paths: readonly HostPath[]): Promise<(string | undefined)[]> {
    return offeredTextsOf(await this.probe(paths));
  }

  async write(path: HostPath, text: string, options?: WriteOptions): Promise<void> {
    const event = {
      op: 'write' as const,
      path: this.#redact.path(path),
      text: this.#redact.content(path, text),
    };
    await this.#traced(
      event,
      () => this.#host.write(path, text, options),
      () => ({}),
    );
  }

  async mkdir(path: HostPath): Promise<void> {
    await this.#traced(
      { op: 'mkdir', path: this.#redact.path(path) },
      () => this.#host.mkdir(path),
      () => ({}),
    );
  }

  async rmdir(path: HostPath): Promise<void> {
    await this.#traced(
      { op: 'rmdir', path: this.#redact.path(path) },
      () => this.#host.rmdir(path),
      () => ({}),
    );
  }

  list(path: HostPath): Promise<string[] | undefined> {
    return this.#traced(
      { op: 'list', path: this.#redact.path(path) },
      () => this.#host.list(path),
      (names) => ({
        names: names?.map((name) => this.#redact.name(path, name)) ?? null,
      }),
    );
  }

  readlink(path: HostPath): Promise<string | undefined> {
    return this.#traced(
      { op: 'readlink', path: this.#redact.path(path) },
      () => this.#host.readlink(path),
      (target) => ({ target: target === undefined ? null : this.#redact.text(target) }),
    );
  }

  async exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult> {
    const asked = this.#host.now();
    const event = { op: 'exec' as const, argv: argv.map((word) => this.#redact.text(word)) };
    try {
      const result = await this.#host.exec(argv, options);
      this.#line(asked, {
        ...event,
        exitCode: result.exitCode,
        stdoutBytes: Buffer.byteLength(result.stdout),
        stderrBytes: Buffer.byteLength(result.stderr),
      });
      return result;
    } catch (error) {
      this.#line(asked, { ...event, failure: this.#redact.text(messageOf(error)) });
      throw error;
    }
  }

  async start(argv: readonly string[], outputFile: string): Promise<RunningTool> {
    const asked = this.#host.now();
    const event = { op: 'start' as const, argv: argv.map((word) => this.#redact.text(word)) };
    const failed = (error: unknown): never => {
      this.#line(asked, { ...event, failure: this.#redact.text(messageOf(error)) });
      throw error;
    };
    const running = await this.#host.start(argv, outputFile).catch(failed);
    return {
      stop: async () => {
        const ended = await running.stop().catch(failed);
        this.#line(asked, { ...event, ended });
        return ended;
      },
    };
  }

  launch(workload: WorkloadSpec, cgroup: HostPath): RunningWorkload {
    const asked = this.#host.now();
    const event = {
      op: 'launch' as const,
      argv: workload.argv.map((word) => this.#redact.text(word)),
      cgroup: this.#redact.path(cgroup),
    };
    const failed = (error: unknown): never => {
      this.#line(asked, { ...event, failure: this.#redact.text(messageOf(error)) });
      throw error;
    };
    let running: RunningWorkload;
    try {
      running = this.#host.launch(workload, cgroup);
    } catch (error) {
      return failed(error);
    }
    const exit = running.exit.then((how) => {
      this.#line(asked, {
        ...event,
        ...(how.exitCode === undefined ? {} : { exitCode: how.exitCode }),
        ...(how.signal === undefined ? {} : { signal: how.signal }),
      });
      return how;
    }, failed);
    return { exit, kill: () => running.kill() };
  }

  async sample(spec: SampleSpec): Promise<Sampling> {
    const asked = this.#host.now();
    const event = {
      op: 'sample' as const,
      paths: spec.sources.map(({ path }) => this.#redact.path(path)),
      intervalNs: spec.intervalNs,
    };
    try {
      const sampling = await this.#host.sample(spec);
      this.#line(asked, { ...event, columns: sampling.columns.length });
      return sampling;
    } catch (error) {
      this.#line(asked, { ...event, failure: this.#redact.text(messageOf(error)) });
      throw error;
    }
  }

  settled(): Promise<void> {
    return this.#host.settled();
  }

  date(): Date {
    return this.#host.date();
  }

  delay(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#host.delay(ms, signal);
  }

  now(): bigint {
    return this.#host.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    await this.#host.close();
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
    if (this.#broken !== undefined) {
      throw new RecordError(
        `the trace ${this.#file} ends after line ${this.#lines}: ${messageOf(this.#broken)}`,
        { cause: this.#broken, hint: 'the host itself was not affected; trace again with more free space' },
      );
    }
  }

  /** Writes the line of an operation on one path when it has been answered. */
  async #traced<T>(event: TraceEvent, ask: () => Promise<T>, describe: (value: T) => object): Promise<T> {
    const asked = this.#host.now();
    try {
      const value = await ask();
      this.#line(asked, { ...event, ...describe(value) });
      return value;
    } catch (error) {
      if (error instanceof HostIoError)
        this.#line(asked, { ...event, error: failureOf(error) } as TraceEvent);
      throw error;
    }
  }

  #line(asked: bigint, event: TraceEvent, answered = this.#host.now()): void {
    const line: TraceLine = {
      seq: this.#lines,
      ns: Number(asked - this.#startNs),
      tookNs: Number(answered - asked),
      ...event,
    };
    this.#append(line);
  }

  /** Synchronously, so that a trace tells all up to the moment the process dies. */
  #append(line: TraceHeader | TraceLine): void {
    if (this.#broken !== undefined || this.#closed) return;
    try {
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
      this.#lines += 1;
    } catch (error) {
      this.#broken = error;
    }
  }
}

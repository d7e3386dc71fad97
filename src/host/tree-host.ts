import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { HostIoError, type HostOperation, RequirementError } from '../errors.js';
import type { NativeFailure, NativeHostRoot } from '../native/surface.js';
import { hintFor } from './hints.js';
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
import { isNotOffered, offeredTextsOf, textsOf } from './outcome.js';
import { type HostPath, hostPath } from './path.js';
import { type SampleSpec, type Sampling, startSampling } from './sampling.js';

/** The files a host is made of: a native root, or the contents of a trace. */
export type Tree = Omit<NativeHostRoot, 'statfsMagic'>;

/** How long the kernel may take for one change: a bind or a compressor switch can take many seconds. */
const defaultTimeLimitMs = 60_000;

/** What every host whose state is a tree of files has in common: all but running programs. */
export abstract class TreeHost implements Host {
  readonly name: string;
  readonly root: string;
  readonly writable: boolean;
  readonly runsWorkloads: boolean = false;
  readonly model: ModelControl | undefined = undefined;
  readonly #tree: Tree;
  /** Changes that the tree has not answered yet. */
  readonly #pending = new Set<Promise<unknown>>();
  /** How many of them have passed their time limit. */
  #overdue = 0;

  constructor(identity: { name: string; root: string; writable: boolean }, tree: Tree) {
    this.name = identity.name;
    this.root = identity.root;
    this.writable = identity.writable;
    this.#tree = tree;
  }

  abstract exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  abstract start(argv: readonly string[], outputFile: string): Promise<RunningTool>;
  abstract launch(workload: WorkloadSpec, cgroup: HostPath): RunningWorkload;

  async probe(paths: readonly HostPath[]): Promise<ReadOutcome[]> {
    const results = await this.#tree.readMany(paths);
    return paths.map((path, index) => {
      const result = results[index];
      if (result === undefined) throw new TypeError(`no outcome for ${path}`);
      if (Buffer.isBuffer(result)) return { ok: true, text: result.toString('utf8') };
      return { ok: false, error: this.#error('read', path, result) };
    });
  }

  async read(paths: readonly HostPath[]): Promise<string[]> {
    return textsOf(await this.probe(paths));
  }

  async tryRead(paths: readonly HostPath[]): Promise<(string | undefined)[]> {
    return offeredTextsOf(await this.probe(paths));
  }

  async write(path: HostPath, text: string, options: WriteOptions = {}): Promise<void> {
    const data = Buffer.from(text, 'utf8');
    const start = () =>
      options.append === true ? this.#tree.append(path, data) : this.#tree.write(path, data);
    await this.#change('write', path, start, options.timeLimitMs, text);
  }

  async mkdir(path: HostPath): Promise<void> {
    await this.#change('mkdir', path, () => this.#tree.mkdir(path));
  }

  async rmdir(path: HostPath): Promise<void> {
    await this.#change('rmdir', path, () => this.#tree.rmdir(path));
  }

  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
  }

  async list(path: HostPath): Promise<string[] | undefined> {
    const names = await this.#tree.list(path);
    if (Array.isArray(names)) return names;
    if (isNotOffered(names.code)) return undefined;
    throw this.#error('list', path, names);
  }

  async readlink(path: HostPath): Promise<string | undefined> {
    const text = await this.#tree.readlink(path);
    if (typeof text === 'string') return text;
    // EINVAL: something is there and it is no symlink.
    if (isNotOffered(text.code) || text.code === 'EINVAL') return undefined;
    throw this.#error('readlink', path, text);
  }

  async sample(spec: SampleSpec): Promise<Sampling> {
    const sampling = startSampling(this.#tree, spec);
    if (!('errno' in sampling)) return sampling;
    if (sampling.code !== 'EOPNOTSUPP') throw this.#error('sample', hostPath('/'), sampling);
    throw new RequirementError(`counters cannot be sampled on ${this.name}: it has no files that change`, {
      hint: 'use --host live on the machine itself, or a directory of files',
    });
  }

  now(): bigint {
    return process.hrtime.bigint();
  }

  date(): Date {
    return new Date();
  }

  async delay(ms: number, signal?: AbortSignal): Promise<void> {
    await delay(ms, undefined, { signal }).catch((error: unknown) => {
      if (signal?.aborted !== true) throw error;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    this.#tree.close();
  }

  /**
   * Starts a change and waits for it up to its time limit. The kernel offers no way to take back a write it is
   * at, so one that is late keeps its place in the queue and counts as in flight until it ends. As long as one
   * does, nothing new is begun: it would only wait behind it, and its effect would come at a time that nobody
   * knows.
   */
  async #change(
    operation: HostOperation,
    path: HostPath,
    start: () => Promise<undefined | NativeFailure>,
    timeLimitMs = defaultTimeLimitMs,
    value?: string,
  ): Promise<void> {
    if (this.#overdue > 0) throw this.#late(operation, path, value);
    const answer = start();
    this.#pending.add(answer);

    let overdue = false;
    let timer: NodeJS.Timeout | undefined;
    const timeLimit = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => {
        overdue = true;
        this.#overdue += 1;
        resolve('late');
      }, timeLimitMs);
    });
    const ended = (): void => {
      clearTimeout(timer);
      this.#pending.delete(answer);
      if (overdue) this.#overdue -= 1;
    };
    answer.then(ended, ended);

    const failure = await Promise.race([answer, timeLimit]);
    if (failure === 'late') throw this.#late(operation, path, value);
    if (failure !== undefined) throw this.#error(operation, path, failure, value);
  }

  #late(operation: HostOperation, path: HostPath, value: string | undefined): HostIoError {
    const failure = { errno: constants.errno.ETIMEDOUT, code: 'ETIMEDOUT', syscall: operation };
    return this.#error(operation, path, failure, value, true);
  }

  #error(
    operation: HostOperation,
    path: HostPath,
    failure: NativeFailure,
    value?: string,
    inFlight = false,
  ): HostIoError {
    return new HostIoError(
      {
        operation,
        path,
        root: this.root,
        errno: failure.errno,
        errnoCode: failure.code,
        syscall: failure.syscall,
        value,
        written: failure.written,
        inFlight,
      },
      { hint: hintFor(operation, path, failure.code) },
    );
  }
}

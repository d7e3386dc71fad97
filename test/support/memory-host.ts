/**
 * A machine of a few kernel files in memory, for unit tests of all that is written against Host. Files are
 * kept as text by path; directories come from the files' paths. What a kernel would do beyond storing the
 * text is said by the test: reactions to writes, injected errnos, writes that hang.
 */
import { constants } from 'node:os';
import { CommandError, HostIoError, type HostOperation, RequirementError } from '../../src/errors.js';
import { hintFor } from '../../src/host/hints.js';
import type {
  ExecOptions,
  ExecResult,
  Host,
  ReadOutcome,
  RunningTool,
  RunningWorkload,
  WorkloadSpec,
  WriteOptions,
} from '../../src/host/host.js';
import { offeredTextsOf, textsOf } from '../../src/host/outcome.js';
import { type HostPath, hostPath } from '../../src/host/path.js';
import type { Sampling } from '../../src/host/sampling.js';

export type ErrnoName = keyof typeof constants.errno;

/**
 * What the kernel makes of a written text: the text the file reads as from now on, or `undefined` to leave it.
 * May throw `host.error(...)`.
 */
export type WriteReaction = (text: string, host: MemoryHost) => string | undefined;

/** One thing that was done to the host, in order; reads are not kept. */
export interface Change {
  readonly operation: 'write' | 'mkdir' | 'rmdir';
  readonly path: string;
  /** The text as given (writes only). */
  readonly text?: string;
}

const syscalls: Readonly<Record<HostOperation, string>> = {
  read: 'openat2',
  write: 'write',
  list: 'openat2',
  readlink: 'readlinkat',
  mkdir: 'mkdirat',
  rmdir: 'unlinkat',
  open: 'open',
  statfs: 'fstatfs',
  sample: 'openat2',
};

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** A Host over a map of path to text. Writable unless told otherwise; then every change is EROFS. */
export class MemoryHost implements Host {
  readonly name: string = 'root:/memory';
  readonly root: string = '/memory';
  readonly writable: boolean;
  readonly runsWorkloads = true;
  readonly model = undefined;

  /** Text of each file, as a read gives it. */
  readonly files: Map<string, string>;
  /** Text of each symlink; they are not followed. */
  readonly links = new Map<string, string>();
  /** Directories that exist without files in them. */
  readonly directories = new Set<string>();
  /** Writes, mkdirs and rmdirs that took effect, in order. */
  readonly changes: Change[] = [];
  /** What now() answers; a test moves it. */
  nowNs = 0n;
  /** Answers exec(); without it every program is missing. */
  onExec: ((argv: readonly string[]) => ExecResult | Promise<ExecResult>) | undefined;
  /** Answers start(); without it every program is missing. */
  onStart: ((argv: readonly string[], outputFile: string) => RunningTool) | undefined;
  /** Answers launch(); without it nothing can be launched. */
  onLaunch: ((workload: WorkloadSpec, cgroup: string) => RunningWorkload) | undefined;
  /** Called after a directory was made: a cgroup's files appear here. */
  onMkdir: ((path: string) => void) | undefined;

  readonly #reactions = new Map<string, WriteReaction>();
  readonly #failures: { operation: HostOperation; path: string; errno: ErrnoName; times: number }[] = [];
  readonly #hanging = new Map<string, Promise<void>>();
  readonly #inFlight = new Set<Promise<void>>();

  constructor(files: Readonly<Record<string, string>> = {}, options: { readonly writable?: boolean } = {}) {
    this.files = new Map(Object.entries(files));
    this.writable = options.writable ?? true;
  }

  /** An error as the native layer would give it. */
  error(operation: HostOperation, path: string, errno: ErrnoName, value?: string): HostIoError {
    return new HostIoError(
      {
        operation,
        path,
        root: this.root,
        errno: constants.errno[errno],
        errnoCode: errno,
        syscall: syscalls[operation],
        value,
      },
      { hint: hintFor(operation, path, errno) },
    );
  }

  /** Lets the next `times` operations of this kind on `path` fail. */
  failNext(operation: HostOperation, path: string, errno: ErrnoName, times = 1): void {
    this.#failures.push({ operation, path, errno, times });
  }

  /** Says what the kernel makes of writes to `path`; without one the text is kept, ended by a newline. */
  react(path: string, reaction: WriteReaction): void {
    this.#reactions.set(path, reaction);
  }

  /** Lets the next write to `path` pass its time limit; it takes effect when the returned function is called. */
  hangNext(path: string): () => void {
    let release = (): void => {};
    this.#hanging.set(path, new Promise((resolve) => (release = resolve)));
    return release;
  }

  async probe(paths: readonly HostPath[]): Promise<ReadOutcome[]> {
    return paths.map((path) => {
      const failure = this.#failure('read', path);
      if (failure !== undefined) return { ok: false, error: failure };
      const text = this.files.get(path);
      if (text !== undefined) return { ok: true, text };
      return { ok: false, error: this.error('read', path, this.#isDirectory(path) ? 'EISDIR' : 'ENOENT') };
    });
  }

  async read(paths: readonly HostPath[]): Promise<string[]> {
    return textsOf(await this.probe(paths));
  }

  async tryRead(paths: readonly HostPath[]): Promise<(string | undefined)[]> {
    return offeredTextsOf(await this.probe(paths));
  }

  async write(path: HostPath, text: string, _options?: WriteOptions): Promise<void> {
    this.#refuseChange('write', path, text);
    if (!this.files.has(path)) {
      throw this.error('write', path, this.#isDirectory(path) ? 'EISDIR' : 'ENOENT', text);
    }
    const hang = this.#hanging.get(path);
    if (hang !== undefined) {
      this.#hanging.delete(path);
      const late = hang.then(() => this.#take(path, text));
      this.#inFlight.add(late);
      late.catch(() => {}).finally(() => this.#inFlight.delete(late));
      throw new HostIoError({
        operation: 'write',
        path,
        root: this.root,
        errno: constants.errno.ETIMEDOUT,
        errnoCode: 'ETIMEDOUT',
        syscall: 'write',
        value: text,
        inFlight: true,
      });
    }
    this.#take(path, text);
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#inFlight);
  }

  async list(path: HostPath): Promise<string[] | undefined> {
    const failure = this.#failure('list', path);
    if (failure !== undefined) throw failure;
    if (this.files.has(path)) throw this.error('list', path, 'ENOTDIR');
    if (!this.#isDirectory(path)) return undefined;
    const names = new Set<string>();
    for (const other of this.#paths()) {
      if (other.startsWith(`${path}/`)) names.add(other.slice(path.length + 1).split('/', 1)[0] as string);
    }
    return [...names].sort();
  }

  async readlink(path: HostPath): Promise<string | undefined> {
    const failure = this.#failure('readlink', path);
    if (failure !== undefined) throw failure;
    return this.links.get(path);
  }

  async mkdir(path: HostPath): Promise<void> {
    this.#refuseChange('mkdir', path);
    if (this.files.has(path) || this.#isDirectory(path)) throw this.error('mkdir', path, 'EEXIST');
    if (!this.#isDirectory(parentOf(path))) throw this.error('mkdir', path, 'ENOENT');
    this.directories.add(path);
    this.changes.push({ operation: 'mkdir', path });
    this.onMkdir?.(path);
  }

  /** As cgroupfs: the directory's files go with it; a directory with children is EBUSY. */
  async rmdir(path: HostPath): Promise<void> {
    this.#refuseChange('rmdir', path);
    if (!this.#isDirectory(path)) throw this.error('rmdir', path, 'ENOENT');
    for (const name of (await this.list(path)) ?? []) {
      if (this.#isDirectory(hostPath(path, name))) throw this.error('rmdir', path, 'EBUSY');
    }
    for (const file of [...this.files.keys()]) {
      if (parentOf(file) === path) this.files.delete(file);
    }
    this.directories.delete(path);
    this.changes.push({ operation: 'rmdir', path });
  }

  async exec(argv: readonly string[], _options?: ExecOptions): Promise<ExecResult> {
    if (this.onExec === undefined) throw new CommandError(argv, 'no such program');
    return this.onExec(argv);
  }

  async start(argv: readonly string[], outputFile: string): Promise<RunningTool> {
    if (this.onStart === undefined) throw new CommandError(argv, 'no such program');
    return this.onStart(argv, outputFile);
  }

  launch(workload: WorkloadSpec, cgroup: HostPath): RunningWorkload {
    if (this.onLaunch === undefined) throw new CommandError(workload.argv, 'no such program');
    return this.onLaunch(workload, cgroup);
  }

  async sample(): Promise<Sampling> {
    throw new RequirementError('nothing is sampled in memory');
  }

  date(): Date {
    return new Date(Number(this.nowNs / 1_000_000n));
  }

  /** In a turn of its own of the event loop, so that timers get theirs. */
  async delay(ms: number): Promise<void> {
    this.nowNs += BigInt(Math.round(ms * 1e6));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  now(): bigint {
    return this.nowNs;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async close(): Promise<void> {}

  *#paths(): Iterable<string> {
    yield* this.files.keys();
    yield* this.links.keys();
    yield* this.directories;
  }

  #isDirectory(path: string): boolean {
    if (this.directories.has(path)) return true;
    for (const other of this.#paths()) {
      if (other.startsWith(`${path}/`)) return true;
    }
    return false;
  }

  #failure(operation: HostOperation, path: string, value?: string): HostIoError | undefined {
    const index = this.#failures.findIndex(
      (failure) => failure.operation === operation && failure.path === path,
    );
    const failure = this.#failures[index];
    if (failure === undefined) return undefined;
    failure.times -= 1;
    if (failure.times <= 0) this.#failures.splice(index, 1);
    return this.error(operation, path, failure.errno, value);
  }

  #refuseChange(operation: 'write' | 'mkdir' | 'rmdir', path: string, value?: string): void {
    if (!this.writable) throw this.error(operation, path, 'EROFS', value);
    const failure = this.#failure(operation, path, value);
    if (failure !== undefined) throw failure;
  }

  #take(path: string, text: string): void {
    const reaction = this.#reactions.get(path);
    const shown = reaction === undefined ? `${text.replace(/\n$/, '')}\n` : reaction(text, this);
    if (shown !== undefined) this.files.set(path, shown);
    this.changes.push({ operation: 'write', path, text });
  }
}

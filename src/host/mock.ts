import { constants } from 'node:os';
import { CommandError, RequirementError } from '../errors.js';
import { native } from '../native/load.js';
import type { NativeFailure, NativeSampler } from '../native/surface.js';
import type { ExecResult, RunningTool, RunningWorkload, WorkloadSpec } from './host.js';
import type { HostPath } from './path.js';
import {
  type Reaction,
  reactToMkdir,
  reactToProgram,
  reactToRmdir,
  reactToWrite,
} from './reactions/reactions.js';
import { type Errno, realPath, type TreeUpdate, type WritableTree } from './reactions/tree.js';
import { type Tree, TreeHost } from './tree-host.js';

function failure(code: Errno, syscall: string): NativeFailure {
  return { errno: constants.errno[code], code, syscall };
}

/** What node:fs threw about the tree itself, as the native layer would say it. */
function failureOf(error: unknown): NativeFailure {
  const { code = '', syscall = 'open' } = error as NodeJS.ErrnoException;
  if (!Object.hasOwn(constants.errno, code)) throw error;
  return failure(code as Errno, syscall);
}

/** A tree that answers changes as the kernel would. */
class ReactingTree implements Tree {
  readonly #tree: WritableTree;
  readonly #directory: string | undefined;
  #closed = false;

  constructor(tree: WritableTree, directory: string | undefined) {
    this.#tree = tree;
    this.#directory = directory;
  }

  async readMany(paths: readonly string[]): Promise<(Buffer | NativeFailure)[]> {
    return paths.map((path) =>
      this.#asked(() => {
        const real = realPath(this.#tree, path);
        if (typeof real === 'string') return failure(real, 'openat2');
        const node = this.#tree.node(real.path);
        if (node?.kind !== 'file') return failure('EISDIR', 'file-type');
        // Files without a mode to read are write-only in the kernel, for root too.
        return (node.mode & 0o444) === 0 ? failure('EACCES', 'openat') : node.read();
      }),
    );
  }

  async list(path: string): Promise<string[] | NativeFailure> {
    return this.#asked(() => {
      const real = realPath(this.#tree, path);
      if (typeof real === 'string') return failure(real, 'openat2');
      const names = this.#tree.names(real.path);
      return names === undefined ? failure('ENOTDIR', 'openat') : [...names];
    });
  }

  async readlink(path: string): Promise<string | NativeFailure> {
    return this.#asked(() => {
      const real = realPath(this.#tree, path, true);
      if (typeof real === 'string') return failure(real, 'openat2');
      const node = this.#tree.node(real.path);
      return node?.kind === 'link' ? node.target : failure('EINVAL', 'readlinkat');
    });
  }

  async write(path: string, data: Uint8Array): Promise<undefined | NativeFailure> {
    const text = Buffer.from(data).toString('utf8');
    return this.#change(() => reactToWrite(this.#tree, path, text));
  }

  /** No file that a reaction is for makes a difference of it. */
  append(path: string, data: Uint8Array): Promise<undefined | NativeFailure> {
    return this.write(path, data);
  }

  async mkdir(path: string): Promise<undefined | NativeFailure> {
    return this.#change(() => reactToMkdir(this.#tree, path));
  }

  async rmdir(path: string): Promise<undefined | NativeFailure> {
    return this.#change(() => reactToRmdir(this.#tree, path));
  }

  /** Only files can be sampled: a tree in memory has none. */
  sample(...what: Parameters<Tree['sample']>): NativeSampler | NativeFailure {
    if (this.#closed) return failure('EBADF', 'closed-root');
    if (this.#directory === undefined) return failure('EOPNOTSUPP', 'sample');
    const root = native().openHostRoot(this.#directory, false);
    if ('errno' in root) return root;
    const sampler = root.sample(...what);
    root.close();
    return sampler;
  }

  close(): void {
    if (!this.#closed) this.#tree.close();
    this.#closed = true;
  }

  /** What a program did; `undefined` when it cannot be answered for. */
  run(argv: readonly string[]): ExecResult | undefined {
    try {
      const reaction = reactToProgram(this.#tree, argv);
      this.#apply(reaction?.updates ?? []);
      return reaction?.result;
    } finally {
      this.#tree.endOperation();
    }
  }

  #apply(updates: readonly TreeUpdate[]): void {
    for (const update of updates) this.#tree.apply(update);
  }

  #change(react: () => Reaction): undefined | NativeFailure {
    return this.#asked(() => {
      const { refusal, updates } = react();
      this.#apply(updates);
      return refusal && failure(refusal.errno, refusal.syscall);
    });
  }

  #asked<T>(answer: () => T): T | NativeFailure {
    if (this.#closed) return failure('EBADF', 'closed-root');
    try {
      return answer();
    } catch (error) {
      return failureOf(error);
    } finally {
      this.#tree.endOperation();
    }
  }
}

/** A machine of files that reacts to changes as the kernel does; no workload can run on it. */
export class MockHost extends TreeHost {
  readonly #reacting: ReactingTree;
  #delayedNs = 0n;

  /** Closes the tree with itself. `directory`: where the tree's files are, if it is one of files. */
  constructor(name: string, root: string, tree: WritableTree, directory?: string) {
    const reacting = new ReactingTree(tree, directory);
    super({ name, root, writable: true }, reacting);
    this.#reacting = reacting;
  }

  override async exec(argv: readonly string[]): Promise<ExecResult> {
    const result = this.#reacting.run(argv);
    if (result !== undefined) return result;
    throw new CommandError(argv, `not run: ${this.name} is not a running machine`, {
      hint: 'it answers for modprobe and rmmod of iaa_crypto, swapon, swapoff, dmesg and udevadm settle',
    });
  }

  override now(): bigint {
    return super.now() + this.#delayedNs;
  }

  override async delay(ms: number): Promise<void> {
    this.#delayedNs += BigInt(Math.round(ms * 1e6));
  }

  override async start(argv: readonly string[]): Promise<RunningTool> {
    throw new CommandError(argv, `not run: ${this.name} is not a running machine`, {
      hint: 'use --host live on the machine itself',
    });
  }

  override launch(_workload: WorkloadSpec, _cgroup: HostPath): RunningWorkload {
    throw new RequirementError(`no workload can run on ${this.name}: it is not a running machine`, {
      hint: 'use --host live on the machine itself',
    });
  }
}

import { constants } from 'node:os';
import { CommandError, HostIoError, type HostOperation, RequirementError } from '../errors.js';
import { hintFor } from './hints.js';
import type { ExecResult, Host, ReadOutcome, RunningTool, RunningWorkload } from './host.js';
import type { ModelControl } from './model-control.js';
import type { HostPath } from './path.js';
import type { SampleSpec, Sampling } from './sampling.js';

/** The same host without any way to change it: changes are EROFS, and no program is run, since it could make one. */
export function readOnly(host: Host): Host {
  return new ReadOnlyHost(host);
}

class ReadOnlyHost implements Host {
  readonly name: string;
  readonly root: string;
  readonly writable = false;
  readonly runsWorkloads = false;
  /** To boot another of its kernels is to look at another machine, not to change one. */
  readonly model: ModelControl | undefined;
  readonly #host: Host;

  constructor(host: Host) {
    this.name = host.name;
    this.root = host.root;
    this.model = host.model;
    this.#host = host;
  }

  probe(paths: readonly HostPath[]): Promise<ReadOutcome[]> {
    return this.#host.probe(paths);
  }

  read(paths: readonly HostPath[]): Promise<string[]> {
    return this.#host.read(paths);
  }

  tryRead(paths: readonly HostPath[]): Promise<(string | undefined)[]> {
    return this.#host.tryRead(paths);
  }

  list(path: HostPath): Promise<string[] | undefined> {
    return this.#host.list(path);
  }

  readlink(path: HostPath): Promise<string | undefined> {
    return this.#host.readlink(path);
  }

  async write(path: HostPath, text: string): Promise<void> {
    throw this.#refusal('write', path, text);
  }

  async mkdir(path: HostPath): Promise<void> {
    throw this.#refusal('mkdir', path);
  }

  async rmdir(path: HostPath): Promise<void> {
    throw this.#refusal('rmdir', path);
  }

  async exec(argv: readonly string[]): Promise<ExecResult> {
    // The kernel log has no file that a reader could follow from its start.
    if (argv.length === 1 && argv[0] === 'dmesg') return this.#host.exec(argv);
    throw new CommandError(argv, `not run: ${this.name} is open for reading only`);
  }

  async start(argv: readonly string[]): Promise<RunningTool> {
    throw new CommandError(argv, `not run: ${this.name} is open for reading only`);
  }

  launch(): RunningWorkload {
    throw new RequirementError(`no workload can run on ${this.name}: it is open for reading only`);
  }

  sample(spec: SampleSpec): Promise<Sampling> {
    return this.#host.sample(spec);
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

  close(): Promise<void> {
    return this.#host.close();
  }

  #refusal(operation: HostOperation, path: HostPath, value?: string): HostIoError {
    return new HostIoError(
      {
        operation,
        path,
        root: this.root,
        errno: constants.errno.EROFS,
        errnoCode: 'EROFS',
        syscall: 'read-only-host',
        value,
      },
      { hint: hintFor(operation, path, 'EROFS') },
    );
  }
}

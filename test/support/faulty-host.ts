import { constants } from 'node:os';
import { CommandError, HostIoError, type HostOperation } from '../../src/errors.js';
import type { ExecOptions, Host, WriteOptions } from '../../src/host/host.js';
import type { HostPath } from '../../src/host/path.js';

/** What goes wrong with one change to a machine. */
export type Fault =
  /** The kernel refuses; a program fails and has done nothing. */
  | { readonly kind: 'errno'; readonly errno: keyof typeof constants.errno }
  /** The kernel says that all is well, and keeps the value it had. Only writes. */
  | { readonly kind: 'kept' }
  /** A write passes its time limit, and lands as soon as somebody waits for it; a program is late and has done its work. */
  | { readonly kind: 'hung' }
  /** The process ends, before the kernel has the change or after: from then on it can do nothing. */
  | { readonly kind: 'death'; readonly when: 'before' | 'after' };

/** One change that is about to be made. */
export interface AttemptedChange {
  /** From 1, over all kinds. */
  readonly number: number;
  readonly operation: 'write' | 'mkdir' | 'rmdir' | 'exec';
  /** Path and text, or the command line. */
  readonly what: string;
}

/** Programs that change the machine: others only look, or wait. */
const changingPrograms = new Set(['modprobe', 'rmmod', 'swapon', 'swapoff']);

/** A dead process touches nothing more; only a test ever sees this. */
class Dead extends Error {}

/** A host on which single changes go wrong. `onDeath` is called at the moment a process would be gone. */
export function faultyHost(
  host: Host,
  faultOf: (change: AttemptedChange) => Fault | undefined,
  onDeath: () => void = () => {},
): Host {
  let number = 0;
  let dead = false;
  const late: (() => Promise<void>)[] = [];

  const refuse = (operation: HostOperation, path: HostPath, errno: keyof typeof constants.errno) =>
    new HostIoError({
      operation,
      path,
      root: host.root,
      errno: constants.errno[errno],
      errnoCode: errno,
      syscall: operation,
      inFlight: errno === 'ETIMEDOUT',
    });
  const alive = (): void => {
    if (dead) throw new Dead('the process is dead');
  };
  const die = (): never => {
    dead = true;
    onDeath();
    throw new Dead('the process is dead');
  };
  const change = async (
    operation: 'write' | 'mkdir' | 'rmdir',
    path: HostPath,
    what: string,
    make: () => Promise<void>,
  ): Promise<void> => {
    alive();
    number++;
    // As src/host/tree-host.ts: behind a late change nothing is begun.
    if (late.length > 0) throw refuse(operation, path, 'ETIMEDOUT');
    const fault = faultOf({ number, operation, what });
    switch (fault?.kind) {
      case undefined:
        return make();
      case 'errno':
        throw refuse(operation, path, fault.errno);
      case 'kept':
        return operation === 'write' ? undefined : make();
      case 'hung':
        late.push(make);
        throw refuse(operation, path, 'ETIMEDOUT');
      case 'death':
        if (fault.when === 'after') await make();
        return die();
    }
  };
  const exec = async (argv: readonly string[], options?: ExecOptions) => {
    alive();
    if (!changingPrograms.has(argv[0] ?? '')) return host.exec(argv, options);
    number++;
    const fault = faultOf({ number, operation: 'exec', what: argv.join(' ') });
    switch (fault?.kind) {
      case undefined:
      case 'kept':
        return host.exec(argv, options);
      case 'errno':
        return { exitCode: 1, stdout: '', stderr: `${argv[0]}: ${fault.errno}\n` };
      case 'hung':
        await host.exec(argv, options);
        throw new CommandError(argv, 'ended after its time limit');
      case 'death':
        if (fault.when === 'after') await host.exec(argv, options);
        return die();
    }
  };
  const looking =
    <P extends unknown[], R>(look: (...parameters: P) => R) =>
    (...parameters: P): R => {
      alive();
      return look(...parameters);
    };
  return {
    name: host.name,
    root: host.root,
    writable: host.writable,
    runsWorkloads: host.runsWorkloads,
    model: host.model,
    probe: looking((paths) => host.probe(paths)),
    read: looking((paths) => host.read(paths)),
    tryRead: looking((paths) => host.tryRead(paths)),
    list: looking((path) => host.list(path)),
    readlink: looking((path) => host.readlink(path)),
    launch: looking((workload, cgroup) => host.launch(workload, cgroup)),
    sample: (spec) => host.sample(spec),
    start: (argv, outputFile) => host.start(argv, outputFile),
    now: () => host.now(),
    date: () => host.date(),
    delay: (ms, signal) => host.delay(ms, signal),
    [Symbol.asyncDispose]: () => host.close(),
    close: () => host.close(),
    async settled() {
      // What the kernel makes of a late write comes too late for anybody to see.
      for (const make of late.splice(0)) await make().catch(() => {});
      await host.settled();
    },
    write: (path: HostPath, text: string, options?: WriteOptions) =>
      change('write', path, `${path} ${text.trimEnd()}`, () => host.write(path, text, options)),
    mkdir: (path: HostPath) => change('mkdir', path, path, () => host.mkdir(path)),
    rmdir: (path: HostPath) => change('rmdir', path, path, () => host.rmdir(path)),
    exec,
  };
}

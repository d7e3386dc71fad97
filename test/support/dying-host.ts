import type { ExecOptions, Host, WorkloadSpec, WriteOptions } from '../../src/host/host.js';
import type { HostPath } from '../../src/host/path.js';

/** What a process does to a machine, counted from 1, and the one of them at which it dies. */
export interface Death {
  readonly at: number;
  readonly when: 'before' | 'after';
}

/**
 * A host on which this very process is ended by SIGKILL at its n-th change (write, mkdir, rmdir, launch), before
 * the kernel gets it or after. `onChange` is told of each.
 */
export function dyingHost(
  host: Host,
  death: Death | undefined,
  onChange: (operation: string, path: string) => void,
): Host {
  let count = 0;
  const counted = async (operation: string, path: string, change: () => Promise<void>): Promise<void> => {
    count++;
    onChange(operation, path);
    const die = count === death?.at;
    if (die && death.when === 'before') process.kill(process.pid, 'SIGKILL');
    await change();
    if (die) process.kill(process.pid, 'SIGKILL');
  };
  return {
    name: host.name,
    root: host.root,
    writable: host.writable,
    runsWorkloads: host.runsWorkloads,
    model: host.model,
    probe: (paths) => host.probe(paths),
    read: (paths) => host.read(paths),
    tryRead: (paths) => host.tryRead(paths),
    settled: () => host.settled(),
    list: (path) => host.list(path),
    readlink: (path) => host.readlink(path),
    sample: (spec) => host.sample(spec),
    start: (argv, outputFile) => host.start(argv, outputFile),
    now: () => host.now(),
    date: () => host.date(),
    delay: (ms, signal) => host.delay(ms, signal),
    [Symbol.asyncDispose]: () => host.close(),
    close: () => host.close(),
    exec: (argv: readonly string[], options?: ExecOptions) => host.exec(argv, options),
    write: (path: HostPath, text: string, options?: WriteOptions) =>
      counted('write', path, () => host.write(path, text, options)),
    mkdir: (path: HostPath) => counted('mkdir', path, () => host.mkdir(path)),
    rmdir: (path: HostPath) => counted('rmdir', path, () => host.rmdir(path)),
    launch(workload: WorkloadSpec, cgroup: HostPath) {
      count++;
      onChange('launch', cgroup);
      if (count === death?.at && death.when === 'before') process.kill(process.pid, 'SIGKILL');
      const running = host.launch(workload, cgroup);
      // The workload must be there when we are gone.
      if (count === death?.at) setTimeout(() => process.kill(process.pid, 'SIGKILL'), 200);
      return running;
    },
  };
}

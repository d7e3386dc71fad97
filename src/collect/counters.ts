/** Which counters of a machine can be sampled. */
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import type { CounterSource } from '../host/sampling.js';
import { debugfs } from '../kernel/debugfs.js';
import { counterFile, statisticsDirectories } from '../kernel/iaa-crypto.js';
import { parseSizeNames, thpDirectory } from '../kernel/thp.js';
import { vmstatPath } from '../kernel/vmstat.js';

/** Of a cgroup v2: what its memory and CPU time are used for, and how long it waits for them. */
const cgroupSources: Readonly<Record<string, CounterSource['format']>> = {
  'memory.current': 'number',
  'memory.swap.current': 'number',
  'memory.zswap.current': 'number',
  'memory.stat': 'flat',
  'memory.events': 'flat',
  'memory.swap.events': 'flat',
  'cpu.stat': 'flat',
  'memory.pressure': 'nested',
  'cpu.pressure': 'nested',
  'io.pressure': 'nested',
};

/**
 * Every source of counters that this host has now, and those of a cgroup. Files that may come later, as zswap's
 * before it is first enabled, are not among them.
 */
export async function counterSources(host: Host, cgroup?: HostPath): Promise<CounterSource[]> {
  const sizes = parseSizeNames((await namesIn(host, thpDirectory)) ?? []);
  const stats = sizes.map(({ name }) => hostPath(thpDirectory, `hugepages-${name}`, 'stats'));
  const [perSize, zswap, iaa] = await Promise.all([
    Promise.all(stats.map((directory) => numbersIn(host, directory))),
    numbersIn(host, hostPath(debugfs, 'zswap')),
    iaaSources(host),
  ]);
  return [
    { path: vmstatPath, format: 'flat' },
    ...(['memory', 'cpu', 'io'] as const).map(
      (resource): CounterSource => ({ path: hostPath('/proc/pressure', resource), format: 'nested' }),
    ),
    ...perSize.flat(),
    ...zswap,
    ...iaa,
    ...(cgroup === undefined
      ? []
      : Object.entries(cgroupSources).map(
          ([name, format]): CounterSource => ({ path: hostPath(cgroup, name), format }),
        )),
  ];
}

/** The names in a directory; undefined also where it is closed to us: then nothing in it can be sampled. */
async function namesIn(host: Host, directory: HostPath): Promise<string[] | undefined> {
  try {
    return await host.list(directory);
  } catch {
    return undefined;
  }
}

async function numbersIn(host: Host, directory: HostPath): Promise<CounterSource[]> {
  return ((await namesIn(host, directory)) ?? []).map((name) => ({
    path: hostPath(directory, name),
    format: 'number',
  }));
}

async function iaaSources(host: Host): Promise<CounterSource[]> {
  for (const name of statisticsDirectories) {
    const directory = hostPath(debugfs, name);
    const names = await namesIn(host, directory);
    if (names === undefined) continue;
    return names.flatMap((file): CounterSource[] => {
      const path = hostPath(directory, file);
      if (file === 'global_stats' || file === 'wq_stats') return [{ path, format: 'iaa-statistics' }];
      return counterFile.test(file) ? [{ path, format: 'number' }] : [];
    });
  }
  return [];
}

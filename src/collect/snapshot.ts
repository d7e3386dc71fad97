import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';

/**
 * Counters as the kernel wrote them: text by path. A file that is not offered is not there; one that could not
 * be read is in `unreadable` with the errno. Meaning is given later, by study.
 */
export interface Snapshot {
  /** Host.now(), ns, as a decimal string. */
  readonly atNs: string;
  readonly files: Readonly<Record<string, string>>;
  readonly unreadable: Readonly<Record<string, string>>;
}

const debugfsZswap = '/sys/kernel/debug/zswap';
/** The code makes the first, its document names the second. */
const iaaStatistics = ['/sys/kernel/debug/iaa_crypto', '/sys/kernel/debug/iaa-crypto'];
const zswapParameters = '/sys/module/zswap/parameters';
const thp = '/sys/kernel/mm/transparent_hugepage';

/** The files of a cgroup v2 that tell what became of its memory. */
const cgroupFiles = [
  'cgroup.events',
  'cgroup.stat',
  'cpu.stat',
  'cpuset.cpus.effective',
  'cpuset.mems.effective',
  'memory.current',
  'memory.peak',
  'memory.events',
  'memory.high',
  'memory.max',
  'memory.pressure',
  'memory.stat',
  'memory.swap.current',
  'memory.swap.events',
  'memory.swap.max',
  'memory.swap.peak',
  'memory.zswap.current',
  'memory.zswap.max',
  'memory.zswap.writeback',
] as const;

/** Which files a snapshot of this host and cgroup reads; directories are listed once, when a run begins. */
export async function snapshotPaths(host: Host, cgroup: HostPath): Promise<HostPath[]> {
  const filesIn = async (...directory: string[]) => {
    const path = hostPath(...directory);
    return ((await host.list(path).catch(() => undefined)) ?? []).map((name) => hostPath(path, name));
  };
  const sizes = ((await host.list(hostPath(thp))) ?? []).filter((name) => name.startsWith('hugepages-'));
  const perSize = await Promise.all(sizes.map((size) => filesIn(thp, size, 'stats')));
  return [
    ...['/proc/vmstat', '/proc/meminfo', '/proc/swaps', `${thp}/enabled`].map((path) => hostPath(path)),
    ...sizes.map((size) => hostPath(thp, size, 'enabled')),
    ...perSize.flat(),
    ...(await filesIn(zswapParameters)),
    ...(await filesIn(debugfsZswap)),
    ...(await Promise.all(iaaStatistics.map((directory) => filesIn(directory))))
      .flat()
      // Writing is all that stats_reset is for.
      .filter((path) => !path.endsWith('/stats_reset')),
    ...cgroupFiles.map((name) => hostPath(cgroup, name)),
  ];
}

/** Reads all files once. */
export async function takeSnapshot(host: Host, paths: readonly HostPath[]): Promise<Snapshot> {
  const atNs = host.now().toString();
  const outcomes = await host.probe(paths);
  const files: Record<string, string> = {};
  const unreadable: Record<string, string> = {};
  for (const [index, outcome] of outcomes.entries()) {
    const path = paths[index] as string;
    if (outcome.ok) files[path] = outcome.text;
    else if (outcome.error.errnoCode !== 'ENOENT') unreadable[path] = outcome.error.errnoCode;
  }
  return { atNs, files, unreadable };
}

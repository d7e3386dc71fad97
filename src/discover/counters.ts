import type { Host } from '../host/host.js';
import type { HostPath } from '../host/path.js';
import type { Counters } from '../kernel/flat-keyed.js';
import {
  type CgroupCounters,
  type MemoryLimits,
  readCgroupCounters,
  readMemoryLimits,
  readProcs,
} from '../kernel/memcg.js';
import { type KhugepagedCounts, readKhugepaged, readThpStats } from '../kernel/thp.js';
import { readVmstat } from '../kernel/vmstat.js';
import type { Finding, Inventory } from './inventory.js';

/** What a machine has done since boot, by the kernel's own names. */
export interface MachineCounters {
  /** /proc/vmstat: pswp*, zswp* and swp*_zero in base pages. */
  readonly vmstat: Counters | undefined;
  /** stats/ of each folio size, as `64kB`; in folios. A size without counters is left out. */
  readonly folios: ReadonlyMap<string, Counters>;
  readonly khugepaged: KhugepagedCounts;
}

/** Reads the counters of the machine; what cannot be read is undefined and a finding. */
export async function readCounters(
  host: Host,
  { thp }: Pick<Inventory, 'thp'>,
  findings: Finding[],
): Promise<MachineCounters> {
  const vmstat = await readVmstat(host, findings);
  const folios = new Map<string, Counters>();
  for (const { name } of thp?.sizes ?? []) {
    const stats = await readThpStats(host, name, findings);
    if (stats !== undefined) folios.set(name, stats);
  }
  return { vmstat, folios, khugepaged: await readKhugepaged(host, findings) };
}

/** One cgroup: what it may use, what it uses and what became of its memory. */
export interface CgroupReport {
  readonly path: string;
  readonly limits: MemoryLimits;
  readonly counters: CgroupCounters;
  readonly processes: readonly number[] | undefined;
}

/** Reads a cgroup v2 directory; `undefined` when there is none. */
export async function readCgroupReport(
  host: Host,
  group: HostPath,
  findings: Finding[],
): Promise<CgroupReport | undefined> {
  if ((await host.list(group)) === undefined) return undefined;
  return {
    path: group,
    limits: await readMemoryLimits(host, group, findings),
    counters: await readCgroupCounters(host, group, findings),
    processes: await readProcs(host, group, findings),
  };
}

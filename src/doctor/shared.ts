/** Who on a machine uses what an experiment would change. */
import type { Finding, IdxdWq, Inventory, SwapArea } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, readFiles } from '../kernel/attribute.js';
import { type CgroupUse, readCgroupUse } from '../kernel/cgroup-use.js';
import { type HugetlbPool, readHugetlb } from '../kernel/hugetlb.js';
import { meminfoPath, parseMeminfo } from '../kernel/meminfo.js';
import { type ProcessMemory, readProcessMemory } from '../kernel/processes.js';
import { readZram, type ZramDevice } from '../kernel/zram.js';

export interface SharedUse {
  readonly swap: {
    readonly areas: readonly SwapArea[];
    /** Those with memory in swap or zswap, most first. */
    readonly processes: readonly ProcessMemory[];
  };
  /** What each cgroup itself has in swap, zswap and huge pages; empty without cgroup v2. */
  readonly cgroups: readonly CgroupUse[];
  readonly zswap: {
    readonly enabled: boolean | undefined;
    readonly compressor: string | undefined;
    /** Base pages. */
    readonly storedPages: number | undefined;
    readonly poolBytes: number | undefined;
  };
  readonly iaa: {
    /** WQs that are bound to a driver. */
    readonly wqs: readonly Pick<IdxdWq, 'name' | 'driver' | 'clients'>[];
    /** Algorithms of iaa_crypto with more than the one reference of their registration. */
    readonly algorithms: readonly { readonly driver: string; readonly references: number }[];
    /** zram devices that compress with them. */
    readonly zram: readonly ZramDevice[];
  };
  readonly hugePages: {
    /** AnonHugePages: PMD-sized pages of programs. */
    readonly anonymousBytes: number | undefined;
    readonly pools: readonly HugetlbPool[];
    /** Those with pages from the pools. */
    readonly processes: readonly ProcessMemory[];
  };
  /** What could not be read of all this. */
  readonly findings: readonly Finding[];
}

/** Reads who uses what; only cheap files, so shared memory in swap is in the areas but with no process. */
export async function readSharedUse(host: Host, inventory: Inventory): Promise<SharedUse> {
  const findings: Finding[] = [];
  const { zswap, iaa, cgroup, compressors = [] } = inventory;
  const processes = await readProcessMemory(host);
  const { meminfo } = await readFiles(host, findings, { meminfo: kernelFile(meminfoPath, parseMeminfo) });
  const anonymous = meminfo?.get('AnonHugePages');
  const ours = compressors.filter(({ module }) => module === 'iaa_crypto');
  const names = new Set(ours.map(({ driver }) => driver));
  const zram = await readZram(host, findings);
  return {
    swap: { areas: inventory.swap, processes: processes.filter(({ swapBytes }) => swapBytes > 0) },
    cgroups: cgroup.mount === undefined ? [] : await readCgroupUse(host, hostPath(cgroup.mount)),
    zswap: {
      enabled: zswap?.enabled,
      compressor: zswap?.compressor,
      storedPages: zswap?.debugfs?.['stored_pages'],
      poolBytes: zswap?.debugfs?.['pool_total_size'],
    },
    iaa: {
      wqs: (iaa?.wqs ?? [])
        .filter(({ driver }) => driver !== undefined)
        .map(({ name, driver, clients }) => ({ name, driver, clients })),
      algorithms: ours
        .filter(({ refcnt }) => refcnt > 1)
        .map(({ driver, refcnt }) => ({ driver, references: refcnt })),
      zram: zram.filter(({ compressor }) => compressor !== undefined && names.has(compressor)),
    },
    hugePages: {
      anonymousBytes: anonymous === undefined ? undefined : Number(anonymous),
      pools: (await readHugetlb(host, findings)).filter(({ pages }) => pages !== undefined && pages > 0),
      processes: processes.filter(({ hugetlbBytes }) => hugetlbBytes > 0),
    },
    findings,
  };
}

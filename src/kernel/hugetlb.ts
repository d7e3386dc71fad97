/** Pools of reserved huge pages (mm/hugetlb_sysfs.c), which no other memory can use. */
import type { Finding } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, listDirectory, parseCount, readFiles } from './attribute.js';
import { parseSizeNames } from './thp.js';

export const hugetlbDirectory = hostPath('/sys/kernel/mm/hugepages');

export interface HugetlbPool {
  /** As `2048kB`. */
  readonly name: string;
  readonly bytes: number;
  readonly pages: number | undefined;
  readonly freePages: number | undefined;
}

/** The pools by page size, ascending. */
export async function readHugetlb(host: Host, findings: Finding[]): Promise<HugetlbPool[]> {
  const names = (await listDirectory(host, findings, hugetlbDirectory)) ?? [];
  const pools: HugetlbPool[] = [];
  for (const size of parseSizeNames(names)) {
    const directory = hostPath(hugetlbDirectory, `hugepages-${size.name}`);
    const counts = await readFiles(host, findings, {
      pages: kernelFile(hostPath(directory, 'nr_hugepages'), parseCount),
      freePages: kernelFile(hostPath(directory, 'free_hugepages'), parseCount),
    });
    pools.push({ ...size, ...counts });
  }
  return pools;
}

/**
 * CPUs, packages and NUMA nodes (drivers/base/cpu.c, drivers/base/topology.c, drivers/base/node.c; lists as
 * lib/bitmap.c prints them with %*pbl).
 */
import type { CpuTopology, Finding } from '../discover/inventory.js';
import { ParseError } from '../errors.js';
import { codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, listDirectory, parseWith, readFiles, readList } from './attribute.js';

export const cpuDirectory = hostPath('/sys/devices/system/cpu');
export const nodeDirectory = hostPath('/sys/devices/system/node');

/** Above the largest NR_CPUS a kernel can be built with (8192 on x86), so that a false list cannot fill the memory. */
const cpuLimit = 65_536;

/** Parses a list as `0-3,8`: numbers ascending; an empty line is an empty list. Throws ParseError. */
export function parseCpuList(text: string, path: string): number[] {
  const fail = (): never => {
    throw new ParseError({ path, found: text, expected: 'an ascending list of CPUs, as 0-3,8' });
  };
  const list = text.endsWith('\n') ? text.slice(0, -1) : text;
  const cpus: number[] = [];
  if (list === '') return cpus;
  for (const range of list.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
    if (match === null) return fail();
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (last < first || last >= cpuLimit || first <= (cpus.at(-1) ?? -1)) return fail();
    for (let cpu = first; cpu <= last; cpu++) cpus.push(cpu);
  }
  return cpus;
}

/** Reads the CPUs, and of each online one the package and node where the kernel says them. */
export async function readTopology(host: Host, findings: Finding[]): Promise<CpuTopology> {
  const { possible, online } = await readFiles(host, findings, {
    possible: kernelFile(hostPath(cpuDirectory, 'possible'), parseCpuList),
    online: kernelFile(hostPath(cpuDirectory, 'online'), parseCpuList),
  });
  const cpus = online ?? [];
  const packages = await readList(
    host,
    findings,
    cpus.map((cpu) =>
      kernelFile(
        hostPath(cpuDirectory, `cpu${cpu}`, 'topology/physical_package_id'),
        parseWith(codecs.decimal),
      ),
    ),
  );
  const packageOf: Record<number, number> = {};
  for (const [index, cpu] of cpus.entries()) {
    const id = packages[index];
    // -1: the kernel does not know the package.
    if (id !== undefined && id >= 0n) packageOf[cpu] = Number(id);
  }

  const names = (await listDirectory(host, findings, nodeDirectory)) ?? [];
  const nodes = names.flatMap((name) => (/^node\d{1,5}$/.test(name) ? [Number(name.slice(4))] : []));
  const lists = await readList(
    host,
    findings,
    nodes.map((node) => kernelFile(hostPath(nodeDirectory, `node${node}`, 'cpulist'), parseCpuList)),
  );
  const nodeOf: Record<number, number> = {};
  const isOnline = new Set(cpus);
  for (const [index, node] of nodes.entries()) {
    for (const cpu of lists[index] ?? []) {
      if (isOnline.has(cpu)) nodeOf[cpu] = node;
    }
  }
  return { possible: possible ?? [], online: cpus, packageOf, nodeOf };
}

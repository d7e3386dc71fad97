import type { Inventory } from '../discover/inventory.js';
import type { Experiment } from '../experiment/schema.js';
import { swapsPath } from '../kernel/swap.js';
import { parseCpuList } from '../kernel/topology.js';
import type { Planner } from './planner.js';
import type { UsememTask } from './usemem.js';

/** usemem's CPUs must be online and inside the cpuset, or its binds fail. */
export function checkCpus(
  planner: Planner,
  inventory: Inventory,
  experiment: Experiment,
  workload: UsememTask,
): void {
  const { bind } = experiment.workload.usemem;
  const online = inventory.cpu.online.length;
  // As the original: an interval that comes back to the same CPU at once binds everything to it.
  if (bind !== undefined && online > 1 && bind >= online) {
    planner.issue(
      'workload.usemem.bind',
      `binds to every CPU that is a multiple of ${bind}, and ${online} are online`,
      `a bind below ${online}`,
    );
  }
  const allowed = experiment.cgroup['cpuset.cpus'];
  if (allowed === undefined) return;
  const inside = new Set(parseCpuList(allowed, 'cpuset.cpus'));
  const outside = workload.cpus.filter((cpu) => !inside.has(cpu));
  if (outside.length > 0) {
    planner.issue(
      'cgroup."cpuset.cpus"',
      `usemem binds to CPU ${outside.join(', ')}, which ${allowed} does not hold`,
      'widen cpuset.cpus, or change processes or bind',
    );
  }
  const offline = [...inside].filter((cpu) => !inventory.cpu.online.includes(cpu));
  if (offline.length > 0) {
    planner.issue('cgroup."cpuset.cpus"', `CPU ${offline.join(', ')} is not online here`, 'name online CPUs');
  }
}

/** Every page in zswap holds a swap slot, so the swap areas must take what the limit pushes out. */
export function checkSwap(
  planner: Planner,
  inventory: Inventory,
  experiment: Experiment,
  workload: UsememTask,
): void {
  // How large the experiment's own area is, shows only once it is swapped on.
  if (experiment.swap !== undefined) return;
  if (inventory.swap.length === 0) {
    planner.issue(
      swapsPath,
      'there is no swap area, and zswap stores only pages that have a swap slot',
      'swapon a partition or file',
    );
    return;
  }
  const limits = [experiment.cgroup['memory.high'], experiment.cgroup['memory.max']].filter(
    (value) => typeof value === 'bigint',
  );
  if (limits.length === 0) return;
  const overflow = workload.totalBytes - (limits.sort((a, b) => Number(a - b))[0] ?? 0n);
  const freeBytes = inventory.swap.reduce(
    (sum, area) => sum + BigInt(area.sizeKiB - area.usedKiB) * 1024n,
    0n,
  );
  if (overflow > freeBytes) {
    planner.issue(
      swapsPath,
      `the workload needs ${overflow >> 20n} MiB of swap beyond its limit, ${freeBytes >> 20n} MiB are free`,
      'add swap, or lower processes or size',
    );
  }
}

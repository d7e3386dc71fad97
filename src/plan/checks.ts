import type { Inventory } from '../discover/inventory.js';
import type { Experiment } from '../experiment/schema.js';
import { swapsPath } from '../kernel/swap.js';
import { parseCpuList } from '../kernel/topology.js';
import type { Planner } from './planner.js';
import type { WorkloadTask } from './workload-task.js';

/** The CPUs that a workload binds to must be online and inside the cpuset, or its binds fail. */
export function checkCpus(
  planner: Planner,
  inventory: Inventory,
  experiment: Experiment,
  workload: WorkloadTask,
): void {
  const { kind, bind } = workload;
  const online = inventory.cpu.online.length;
  // As the original: an interval that comes back to the same CPU at once binds everything to it.
  if (bind !== undefined && online > 1 && bind.interval >= online) {
    planner.issue(
      `workload.${kind}.bind`,
      `binds to every CPU that is a multiple of ${bind.interval}, and ${online} are online`,
      `a bind below ${online}`,
    );
  }
  const allowed = experiment.cgroup['cpuset.cpus'];
  if (allowed === undefined) return;
  const inside = new Set(parseCpuList(allowed, 'cpuset.cpus'));
  const outside = bind?.cpus.filter((cpu) => !inside.has(cpu)) ?? [];
  if (outside.length > 0) {
    planner.issue(
      'cgroup."cpuset.cpus"',
      `${kind} binds to CPU ${outside.join(', ')}, which ${allowed} does not hold`,
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
  workload: WorkloadTask,
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
  const { footprint } = workload;
  const limit = smallestLimit(experiment);
  if (footprint === undefined || (limit === undefined && !footprint.pagedOut)) return;
  const overflow = footprint.totalBytes - (footprint.pagedOut ? 0n : (limit ?? 0n));
  const freeBytes = inventory.swap.reduce(
    (sum, area) => sum + BigInt(area.sizeKiB - area.usedKiB) * 1024n,
    0n,
  );
  if (overflow > freeBytes) {
    planner.issue(
      swapsPath,
      `the workload needs ${overflow >> 20n} MiB of swap${footprint.pagedOut ? '' : ' beyond its limit'}, ${freeBytes >> 20n} MiB are free`,
      'add swap, or lower processes or size',
    );
  }
}

/** The lower of memory.high and memory.max, in bytes; undefined where neither is one. */
export function smallestLimit({ cgroup }: Experiment): bigint | undefined {
  return [cgroup['memory.high'], cgroup['memory.max']]
    .filter((value) => typeof value === 'bigint')
    .sort((a, b) => Number(a - b))[0];
}

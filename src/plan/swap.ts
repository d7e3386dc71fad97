import type { Inventory } from '../discover/inventory.js';
import type { Experiment } from '../experiment/schema.js';
import { hostPath } from '../host/path.js';
import type { Planner } from './planner.js';

// include/uapi/linux/swap.h SWAP_FLAG_PRIO_MASK
const highestPriority = 32_767;

/** Brings the experiment's own swap area, above all others: swapoff of it gives back all that the run stored. */
export function planSwap(planner: Planner, inventory: Inventory, experiment: Experiment): void {
  if (experiment.swap === undefined) return;
  const { device } = experiment.swap;
  if (inventory.swap.some(({ path }) => path === device)) {
    planner.issue(
      'swap.device',
      `${device} is in use as swap already`,
      "'swapoff' it first if it is yours, or leave the key out",
    );
    return;
  }
  const priority = Math.max(0, ...inventory.swap.map((area) => area.priority)) + 1;
  if (priority > highestPriority) {
    planner.issue(
      'swap.device',
      'another area has the highest priority there is',
      'swapon that one with a lower priority',
    );
    return;
  }
  planner.steps.push({
    kind: 'swap',
    id: 'swap.device',
    path: hostPath(device),
    priority,
    affects: 'machine',
    why: 'what the run stores goes to an area of its own',
  });
}

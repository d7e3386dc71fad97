/** What the cells of an experiment would do to those who share the machine, and what they need that is missing. */
import type { Inventory } from '../discover/inventory.js';
import { PlanError, type PlanIssue } from '../errors.js';
import { type Cell, cellsOf, pointsIn } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import { dsaDevices, dsaDrivers } from '../kernel/idxd-device.js';
import { thpDirectory } from '../kernel/thp.js';
import { zswapParameters } from '../kernel/zswap.js';
import { plan } from '../plan/plan.js';
import { describeStep } from '../plan/render.js';
import type { Step } from '../plan/steps.js';

/** One machine-wide change. */
export interface Effect {
  readonly path: string;
  /** Its text now; undefined for what is not set but made. */
  readonly from: string | undefined;
  readonly to: string;
  /** Who feels it. */
  readonly felt: string;
}

export interface CellForecast {
  readonly cell: Cell;
  readonly effects: readonly Effect[];
  /** Why it cannot be run here; then there are no effects. */
  readonly missing: readonly PlanIssue[];
}

const feltBy: readonly (readonly [string, string])[] = [
  [zswapParameters, 'all that is swapped from now on; what is in zswap stays with its compressor'],
  [thpDirectory, 'all memory that programs map and fault in from now on'],
  ['/proc/sys/vm', 'reclaim and swap of every process'],
  [dsaDevices, 'whoever uses this device'],
  [dsaDrivers, 'whoever uses IAA through the kernel: zswap, zram and other users of deflate-iaa'],
  ['/dev', 'all that is swapped from now on: it goes to this area first'],
  ['/sys/fs/cgroup', 'nobody else: it lets child groups have limits'],
];

/** Forecasts every point. */
export function forecast(inventory: Inventory, experiment: Experiment): CellForecast[] {
  return pointsIn(cellsOf(experiment)).map((cell) => {
    try {
      const { steps } = plan(inventory, experiment, cell);
      return { cell, effects: steps.flatMap((step) => effectOf(step)), missing: [] };
    } catch (error) {
      if (!(error instanceof PlanError)) throw error;
      return { cell, effects: [], missing: error.issues };
    }
  });
}

/** A device's many attributes are one effect: the device goes away from whoever uses it, and comes back otherwise. */
function effectOf(step: Step): Effect[] {
  if (step.affects !== 'machine' || !('path' in step)) return [];
  if (step.kind === 'bind' || (step.kind === 'attribute' && step.of !== undefined)) return [];
  const felt = feltBy.find(([prefix]) => step.path.startsWith(prefix))?.[1] ?? 'every process';
  const from = step.kind === 'attribute' ? step.was?.trimEnd() : undefined;
  return [{ path: step.path, from, to: step.kind === 'attribute' ? step.value : describeStep(step), felt }];
}

import type { Inventory } from '../discover/inventory.js';
import { PlanError } from '../errors.js';
import { type Cell, experimentOf } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import { vmSysctl } from '../kernel/sysctl.js';
import { planCgroup } from './cgroup.js';
import { checkCpus, checkSwap } from './checks.js';
import { planCpufreq } from './cpufreq.js';
import { planIaa } from './iaa.js';
import { planModel } from './model.js';
import { asSaid, Planner } from './planner.js';
import { forecastPool } from './pool.js';
import type { Plan } from './steps.js';
import { planSwap } from './swap.js';
import { planThp } from './thp.js';
import { planWorkload } from './workload.js';
import { planZswap } from './zswap.js';

export interface PlanOptions {
  /** Unbind WQs that somebody else uses, on devices that the experiment names. */
  readonly take?: boolean;
}

/**
 * Plans one cell of an experiment on a machine. Pure. Throws PlanError with every reason why it cannot be.
 * The steps hold only what differs from the machine as the inventory saw it.
 */
export function plan(inventory: Inventory, given: Experiment, cell: Cell, options: PlanOptions = {}): Plan {
  const experiment = experimentOf(given, cell);
  const planner = new Planner(inventory, experiment.optional);
  planModel(planner, inventory, experiment, cell);
  planIaa(planner, inventory, experiment, cell, options.take ?? false);
  planZswap(planner, inventory, experiment, cell);
  planThp(planner, inventory, experiment, cell);
  planVm(planner, experiment);
  planCpufreq(planner, inventory, experiment);
  planSwap(planner, inventory, experiment);
  const cgroup = planCgroup(planner, inventory, experiment);
  const workload = planWorkload(planner, inventory, experiment, cell);
  checkCpus(planner, inventory, experiment, workload);
  checkSwap(planner, inventory, experiment, workload);
  const forecast = forecastPool(planner, inventory, experiment, cell, workload);
  if (planner.issues.length > 0) throw new PlanError(planner.issues);
  return {
    cell,
    steps: planner.steps,
    already: planner.already,
    warnings: planner.warnings,
    cgroup,
    workload,
    forecast,
  };
}

function planVm(planner: Planner, experiment: Experiment): void {
  for (const [name, value] of Object.entries(experiment.vm)) {
    planner.set(`vm.${name}`, vmSysctl(name), 'decimal', String(value), asSaid);
  }
}

import type { Inventory } from '../discover/inventory.js';
import type { Cell } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import { workloadOf } from '../experiment/workload.js';
import type { BuildParameters } from '../experiment/workload-schema.js';
import { buildTask } from './build.js';
import { commandTask } from './command.js';
import { madviseTask } from './madvise.js';
import type { Planner } from './planner.js';
import { usememTask } from './usemem.js';
import type { TaskOfKind, WorkloadTask } from './workload-task.js';

/** Plans the workload of one cell. */
export function planWorkload(
  planner: Planner,
  inventory: Inventory,
  experiment: Experiment,
  cell: Cell,
): WorkloadTask {
  const workload = workloadOf(experiment.workload);
  const { user } = experiment.workload;
  const task = ((): TaskOfKind => {
    switch (workload.kind) {
      case 'usemem':
        return usememTask(workload.parameters, inventory.cpu);
      case 'madvise':
        return madviseTask(planner, workload.parameters, inventory.cpu, cell.folio);
      case 'build':
        return buildTask(
          planner,
          inventory.source === 'model' ? withPaths(workload.parameters) : workload.parameters,
        );
      case 'command':
        return commandTask(workload.parameters);
    }
  })();
  return {
    kind: workload.kind,
    setup: [],
    cleanup: [],
    directory: undefined,
    needs: [],
    footprint: undefined,
    bind: undefined,
    sleepSeconds: 0,
    user: user === undefined ? undefined : String(user),
    ...task,
  };
}

/** A modelled machine builds a tree that is nowhere: it needs no name of it. */
function withPaths(parameters: BuildParameters): BuildParameters {
  return {
    ...parameters,
    source: parameters.source ?? '/usr/src/linux',
    directory: parameters.directory ?? '/var/tmp',
  };
}

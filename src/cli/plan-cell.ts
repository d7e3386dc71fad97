import { discover } from '../discover/discover.js';
import type { Inventory } from '../discover/inventory.js';
import { UsageError } from '../errors.js';
import { cellsOf } from '../experiment/cells.js';
import { readExperiment } from '../experiment/file.js';
import type { Host } from '../host/host.js';
import { plan } from '../plan/plan.js';
import type { Plan } from '../plan/steps.js';

/** Plans one cell (from 1) of an experiment file on a host. Throws ExperimentError, UsageError, PlanError. */
export async function planCell(
  host: Host,
  file: string,
  number: number,
): Promise<{ inventory: Inventory; plan: Plan }> {
  const experiment = await readExperiment(file);
  const cells = cellsOf(experiment);
  const cell = cells[number - 1];
  if (cell === undefined)
    throw new UsageError(`${file} has ${cells.length} cells, not ${number}`, {
      hint: `--cell 1 to ${cells.length}`,
    });
  const inventory = await discover(host);
  return { inventory, plan: plan(inventory, experiment, cell) };
}

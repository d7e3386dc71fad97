import { discover } from '../discover/discover.js';
import type { Inventory } from '../discover/inventory.js';
import { UsageError } from '../errors.js';
import { type Cell, cellsOf } from '../experiment/cells.js';
import { readExperiment } from '../experiment/file.js';
import type { Experiment } from '../experiment/schema.js';
import type { Host } from '../host/host.js';
import { type PlanOptions, plan } from '../plan/plan.js';
import type { Plan } from '../plan/steps.js';
import { settingsOf } from './options.js';

/** One cell of an experiment file. */
export interface ChosenCell {
  readonly experiment: Experiment;
  readonly cell: Cell;
}

/** Reads an experiment file, with what --set says, and chooses a cell (from 1) of it; no host is needed. Throws ExperimentError, UsageError. */
export async function readCell(
  file: string,
  number: number,
  settings: readonly string[] = [],
): Promise<ChosenCell> {
  const experiment = await readExperiment(file, await settingsOf(settings));
  const cells = cellsOf(experiment);
  const cell = cells[number - 1];
  if (cell === undefined) {
    throw new UsageError(`${file} has ${cells.length} cells, not ${number}`, {
      hint: `--cell 1 to ${cells.length}`,
    });
  }
  return { experiment, cell };
}

/** Plans a cell on a host. Throws PlanError. */
export async function planCell(
  host: Host,
  { experiment, cell }: ChosenCell,
  options: PlanOptions = {},
): Promise<{ inventory: Inventory; plan: Plan }> {
  const inventory = await discover(host);
  return { inventory, plan: plan(inventory, experiment, cell, options) };
}

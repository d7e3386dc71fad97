import { discover } from '../discover/discover.js';
import type { Inventory } from '../discover/inventory.js';
import { UsageError } from '../errors.js';
import { cellsOf } from '../experiment/cells.js';
import { readExperiment } from '../experiment/file.js';
import { bootFor, experimentOn } from '../experiment/modelled.js';
import type { Experiment } from '../experiment/schema.js';
import type { Host } from '../host/host.js';
import { type PlanOptions, plan } from '../plan/plan.js';
import type { Plan } from '../plan/steps.js';
import { settingsOf } from './options.js';

/** One cell of an experiment file. */
export interface ChosenCell {
  readonly file: string;
  readonly experiment: Experiment;
  /** From 1. */
  readonly number: number;
}

/** Reads an experiment file, with what --set says; no host is needed. Throws ExperimentError, UsageError. */
export async function readCell(
  file: string,
  number: number,
  settings: readonly string[] = [],
): Promise<ChosenCell> {
  return { file, experiment: await readExperiment(file, await settingsOf(settings)), number };
}

/** Plans a cell on a host, which decides how many there are. Throws PlanError, UsageError. */
export async function planCell(
  host: Host,
  { file, experiment: given, number }: ChosenCell,
  options: PlanOptions = {},
): Promise<{ inventory: Inventory; plan: Plan }> {
  const experiment = experimentOn(host, given);
  const cells = cellsOf(experiment);
  const cell = cells[number - 1];
  if (cell === undefined) {
    throw new UsageError(`${file} has ${cells.length} cells, not ${number}`, {
      hint: `--cell 1 to ${cells.length}`,
    });
  }
  if (host.model !== undefined) await bootFor(host.model, experiment, cell.kernel);
  const inventory = await discover(host);
  return { inventory, plan: plan(inventory, experiment, cell, options) };
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunRecord, readRecord } from '../../src/collect/record.js';
import { parseExperiment } from '../../src/experiment/file.js';
import { type RunOptions, type RunOutcome, runExperiment } from '../../src/experiment/run.js';
import type { Experiment } from '../../src/experiment/schema.js';
import { openHost } from '../../src/host/open.js';
import { packageRoot } from '../../src/native/load.js';
import { type Result, study } from '../../src/study/record.js';

/** An experiment that the package brings. */
export function shipped(name: string): Experiment {
  return parseExperiment(readFileSync(join(packageRoot(), 'experiments', name), 'utf8'), name);
}

/** Runs an experiment on a modelled machine that is opened for it; its record is kept in `stateDirectory`. */
export async function runModelled(
  machine: string,
  experiment: Experiment,
  stateDirectory: string,
  options: Partial<RunOptions> = {},
): Promise<{ outcome: RunOutcome; record: RunRecord; result: Result }> {
  await using host = await openHost(`model:${machine}`, { writable: true });
  const outcome = await runExperiment(host, experiment, {
    stateDirectory,
    experimentFile: `${experiment.name}.yaml`,
    ...options,
  });
  const record = await readRecord(outcome.directory);
  return { outcome, record, result: study(record) };
}

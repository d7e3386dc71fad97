import { Command, InvalidArgumentError } from 'commander';
import type { RecordSummary } from '../../collect/record.js';
import { UsageError } from '../../errors.js';
import { optionsOf, stateDirectoryOf } from '../options.js';

interface RunsOptions {
  readonly prune?: boolean;
  readonly keep?: number;
  readonly olderThan?: number;
  readonly yes?: boolean;
}

/** `runs`: lists the records of runs, and removes old ones. */
export function runsCommand(): Command {
  return new Command('runs')
    .description('list the records of runs, the newest first; remove old ones')
    .option('--prune', 'remove records: all but --keep, or those --older-than')
    .option('--keep <number>', 'how many of the newest stay', parseCount)
    .option('--older-than <days>', 'only those that were begun before so many days', parseCount)
    .option('--yes', 'do not ask')
    .action(async (_options: RunsOptions, command: Command) => {
      const options = optionsOf<RunsOptions>(command);
      const { join } = await import('node:path');
      const { summarizeRecords, removeRecord } = await import('../../collect/record.js');
      const { print, printError, toJson } = await import('../terminal.js');
      const stateDirectory = await stateDirectoryOf(options);
      const runs = join(stateDirectory, 'runs');
      if (options.prune !== true) {
        if (options.keep !== undefined || options.olderThan !== undefined)
          throw new UsageError('--keep and --older-than belong to --prune', { hint: 'add --prune' });
        const records = await summarizeRecords(runs);
        if (options.json === true) print(toJson(records));
        else print(records.length === 0 ? `no records in ${runs}` : renderRuns(records));
        return;
      }
      if (options.keep === undefined && options.olderThan === undefined) {
        throw new UsageError('--prune needs --keep or --older-than', { hint: "as 'runs --prune --keep 10'" });
      }
      const { holdState } = await import('../../apply/state.js');
      const { interruptSignal } = await import('../interrupt.js');
      const { confirm } = await import('../confirm.js');
      // No run may be at work on a record that goes.
      const held = holdState(stateDirectory, options.host === 'live');
      try {
        const before = new Date(Date.now() - (options.olderThan ?? 0) * 86_400_000).toISOString();
        const doomed = (await summarizeRecords(runs))
          .slice(options.keep ?? 0)
          .filter(({ startedAt }) => options.olderThan === undefined || startedAt < before);
        if (doomed.length > 0 && options.yes !== true) {
          printError(renderRuns(doomed));
          await confirm(`Remove ${doomed.length} records?`, interruptSignal());
        }
        for (const { directory } of doomed) await removeRecord(directory);
        if (options.json === true) print(toJson(doomed));
        else printError(`removed ${doomed.length} records`);
      } finally {
        held.release();
      }
    });
}

function parseCount(given: string): number {
  if (!/^\d{1,6}$/.test(given)) throw new InvalidArgumentError('expected a number from 0');
  return Number(given);
}

function renderRuns(records: readonly RecordSummary[]): string {
  const rows = records.map(({ directory, state, source, experiment, cellsFinished, cells, kernels }) => [
    state,
    `${cellsFinished} of ${cells} cells`,
    source,
    experiment,
    kernels.join(', '),
    directory,
  ]);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

import { Command } from 'commander';
import { UsageError } from '../../errors.js';
import { type CommonOptions, optionsOf } from '../options.js';

interface ReportCommandOptions extends CommonOptions {
  readonly published?: string;
  readonly against?: string;
}

/** What --against says of itself, on each command that prints tables. */
export const againstHelp = 'set published cells beside those of the runs: v9, or a file of report --json';

/** `report RUN...`: the tables of records on disk, or of what was published. */
export function reportCommand(): Command {
  return new Command('report')
    .description("print the cover letter's tables from records of earlier runs, or as published")
    .argument('[run...]', 'folders of runs')
    .option('--published <name>', 'the published tables instead: v9')
    .option('--against <name>', againstHelp)
    .action(async (directories: string[], _options: object, command: Command) => {
      const options = optionsOf<ReportCommandOptions>(command);
      const { published, publishedTables } = await import('../../report/published.js');
      const { cellSetOf, publishedSet } = await import('../published-set.js');
      const { print, toJson } = await import('../terminal.js');
      if (options.published !== undefined) {
        if (directories.length > 0 || options.against !== undefined) {
          throw new UsageError('report --published takes neither runs nor --against', {
            hint: "'report RUN --against v9' sets both side by side",
          });
        }
        const set = publishedSet(options.published);
        if (set === undefined) {
          throw new UsageError(`nothing is published as '${options.published}'`, {
            hint: `there is ${Object.keys(published).join(', ')}`,
          });
        }
        print(options.json === true ? toJson(set) : publishedTables(set));
        return;
      }
      if (directories.length === 0) {
        throw new UsageError('report needs the folder of a run', {
          hint: "'iaa-zswap run' prints where its record is; --published v9 needs none",
        });
      }
      const { readRecord } = await import('../../collect/record.js');
      const { measuredSet } = await import('../../study/cells.js');
      const { study } = await import('../../study/record.js');
      const { tablesOf } = await import('../../report/tables-of.js');
      const results = [];
      for (const directory of directories) results.push(study(await readRecord(directory)));
      const against = options.against === undefined ? undefined : await cellSetOf(options.against);
      print(options.json === true ? toJson(measuredSet(results)) : tablesOf(results, against));
    });
}

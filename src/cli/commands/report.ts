import { Command } from 'commander';
import { type CommonOptions, optionsOf } from '../options.js';

/** `report RUN...`: the tables of records on disk. */
export function reportCommand(): Command {
  return new Command('report')
    .description("print the cover letter's table from records of earlier runs")
    .argument('<run...>', 'folders of runs')
    .action(async (directories: string[], _options: object, command: Command) => {
      const options = optionsOf<CommonOptions>(command);
      const { readRecord } = await import('../../collect/record.js');
      const { study } = await import('../../study/record.js');
      const { usememTables } = await import('../../report/usemem-table.js');
      const { print, toJson } = await import('../terminal.js');
      const results = [];
      for (const directory of directories) results.push(study(await readRecord(directory)));
      print(
        options.json === true ? toJson(results) : results.map((result) => usememTables(result)).join('\n'),
      );
    });
}

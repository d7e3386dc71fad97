import { Command } from 'commander';
import { ExitCode } from '../../errors.js';
import { openCommandHost, optionsOf, settingOption } from '../options.js';
import { parseCell } from './plan.js';

interface VerifyOptions {
  readonly cell: number;
  readonly set: readonly string[];
}

/** `verify FILE`: whether the machine is as one cell says; exit 6 when it is not. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('check that the machine is as one cell of an experiment says; exit 6 when it is not')
    .argument('<file>', 'experiment file')
    .option('--cell <number>', 'cell of the matrix, from 1', parseCell, 1)
    .addOption(settingOption())
    .action(async (file: string, _options: VerifyOptions, command: Command) => {
      const options = optionsOf<VerifyOptions>(command);
      const { planCell, readCell } = await import('../plan-cell.js');
      const { verify } = await import('../../apply/verify.js');
      const { print, toJson } = await import('../terminal.js');
      const chosen = await readCell(file, options.cell, options.set);
      const host = await openCommandHost(options, false);
      try {
        const { plan } = await planCell(host, chosen);
        const mismatches = await verify(host, plan);
        if (options.json === true) print(toJson(mismatches));
        else if (mismatches.length === 0) print('the machine is as the experiment says');
        else
          print(
            mismatches
              .map((each) => `${each.path}: is '${each.actual ?? 'absent'}', should be '${each.expected}'`)
              .join('\n'),
          );
        if (mismatches.length > 0) process.exitCode = ExitCode.checkSaidNo;
      } finally {
        await host.close();
      }
    });
}

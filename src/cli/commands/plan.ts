import { Command, InvalidArgumentError } from 'commander';
import { openCommandHost, optionsOf, settingOption } from '../options.js';

interface PlanCommandOptions {
  readonly cell: number;
  readonly set: readonly string[];
  readonly take?: boolean;
}

/** `plan FILE`: what one cell of an experiment would do to this machine; changes nothing. */
export function planCommand(): Command {
  return new Command('plan')
    .description('show what an experiment would do to this machine; changes nothing')
    .argument('<file>', 'experiment file')
    .option('--cell <number>', 'cell of the matrix, from 1', parseCell, 1)
    .addOption(settingOption())
    .option('--take', takeHelp)
    .action(async (file: string, _options: PlanCommandOptions, command: Command) => {
      const options = optionsOf<PlanCommandOptions>(command);
      const { sourceHead } = await import('../source-head.js');
      const { planCell, readCell } = await import('../plan-cell.js');
      const { print, toJson } = await import('../terminal.js');
      const { renderPlan } = await import('../../plan/render.js');
      const chosen = await readCell(file, options.cell, options.set);
      const host = await openCommandHost(options, false);
      try {
        const { inventory, plan } = await planCell(host, chosen, { take: options.take ?? false });
        print(options.json === true ? toJson(plan) : [...sourceHead(inventory), renderPlan(plan)].join('\n'));
      } finally {
        await host.close();
      }
    });
}

/** What --take says of itself, on each command that plans. */
export const takeHelp = 'take IAA devices that the file names from whoever uses them now';

/** A cell's number on the command line. */
export function parseCell(given: string): number {
  const cell = Number(given);
  // Commander tells which option it was.
  if (!Number.isInteger(cell) || cell < 1) throw new InvalidArgumentError('expected a number from 1');
  return cell;
}

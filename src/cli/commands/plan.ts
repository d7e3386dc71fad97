import { Command, InvalidArgumentError } from 'commander';
import { openCommandHost, optionsOf } from '../options.js';

interface PlanOptions {
  readonly cell: number;
}

/** `plan FILE`: what one cell of an experiment would do to this machine; changes nothing. */
export function planCommand(): Command {
  return new Command('plan')
    .description('show what an experiment would do to this machine; changes nothing')
    .argument('<file>', 'experiment file')
    .option('--cell <number>', 'cell of the matrix, from 1', parseCell, 1)
    .action(async (file: string, _options: PlanOptions, command: Command) => {
      const options = optionsOf<PlanOptions>(command);
      const { planCell } = await import('../plan-cell.js');
      const { print, toJson } = await import('../terminal.js');
      const { renderPlan } = await import('../../plan/render.js');
      const host = await openCommandHost(options, false);
      try {
        const { plan } = await planCell(host, file, options.cell);
        print(options.json === true ? toJson(plan) : renderPlan(plan));
      } finally {
        await host.close();
      }
    });
}

/** A cell's number on the command line. */
export function parseCell(given: string): number {
  const cell = Number(given);
  // Commander tells which option it was.
  if (!Number.isInteger(cell) || cell < 1) throw new InvalidArgumentError('expected a number from 1');
  return cell;
}

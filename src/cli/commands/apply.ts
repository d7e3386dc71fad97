import { Command } from 'commander';
import type { Receipt } from '../../apply/apply.js';
import { openCommandHost, optionsOf, settingOption, stateDirectoryOf } from '../options.js';
import { parseCell, takeHelp } from './plan.js';

interface ApplyOptions {
  readonly cell: number;
  readonly set: readonly string[];
  readonly yes?: boolean;
  readonly take?: boolean;
}

/** `apply FILE`: makes the machine be as one cell says, and leaves it so until `restore`. */
export function applyCommand(): Command {
  return new Command('apply')
    .description("make the machine be as one cell of an experiment says; 'restore' puts it back")
    .argument('<file>', 'experiment file')
    .option('--cell <number>', 'cell of the matrix, from 1', parseCell, 1)
    .addOption(settingOption())
    .option('--take', takeHelp)
    .option('--yes', 'do not ask (only changes of the live machine are asked about)')
    .action(async (file: string, _options: ApplyOptions, command: Command) => {
      const options = optionsOf<ApplyOptions>(command);
      const { planCell, readCell } = await import('../plan-cell.js');
      const { applyPlan } = await import('../../experiment/apply-plan.js');
      const { confirm } = await import('../confirm.js');
      const { interruptSignal } = await import('../interrupt.js');
      const { print, printError, toJson } = await import('../terminal.js');
      const { oneWayLines, renderPlan } = await import('../../plan/render.js');
      const signal = interruptSignal();
      const chosen = await readCell(file, options.cell, options.set);
      const host = await openCommandHost(options, true);
      try {
        const { inventory, plan } = await planCell(host, chosen, { take: options.take ?? false });
        if (options.yes !== true && options.host === 'live') {
          printError(renderPlan(plan));
          await confirm('Apply?', signal);
        } else {
          for (const line of oneWayLines(plan)) printError(line.trim());
        }
        const stateDirectory = await stateDirectoryOf(options);
        const applied = await applyPlan(host, plan, { inventory, stateDirectory, signal });
        const { receipts, journalPath } = applied;
        if (host.model !== undefined) {
          await applied.restore();
          if (options.json === true) print(toJson({ receipts, journal: undefined }));
          else {
            print(receipts.map(receiptLine).join('\n'));
            print(`${host.name} ends with this command: nothing is left to put back`);
          }
        } else if (options.json === true) print(toJson({ receipts, journal: journalPath }));
        else {
          print(receipts.map(receiptLine).join('\n'));
          print(`the journal is ${journalPath}; 'iaa-zswap restore' puts the machine back`);
        }
      } finally {
        await host.close();
      }
    });
}

function receiptLine(receipt: Receipt): string {
  const change =
    receipt.to === undefined
      ? 'done'
      : `${receipt.from === undefined ? '' : `${receipt.from} -> `}${receipt.to}`;
  return `${receipt.stepId}: ${receipt.changed ? change : 'already so'}`;
}

import { Command } from 'commander';
import type { RestoreOutcome } from '../../experiment/restore-host.js';
import { openCommandHost, optionsOf, stateDirectoryOf } from '../options.js';

interface RestoreOptions {
  readonly overwrite?: boolean;
  readonly discard?: boolean;
}

/**
 * `restore`: puts the machine back from the journal of an apply or of a run that died. It does not ask: it only takes
 * back what was agreed to.
 */
export function restoreCommand(): Command {
  return new Command('restore')
    .description("put the machine back after 'apply', or after a run that died")
    .option('--yes', 'accepted as for apply and run; restore does not ask')
    .option('--overwrite', 'put back values that somebody else changed meanwhile, too')
    .option('--discard', 'forget the journal and leave the machine as it is')
    .action(async (_options: RestoreOptions, command: Command) => {
      const options = optionsOf<RestoreOptions>(command);
      const { restoreHost } = await import('../../experiment/restore-host.js');
      const { interruptSignal } = await import('../interrupt.js');
      const { print, toJson } = await import('../terminal.js');
      // Restoring is not interrupted; the signal is answered with a line.
      interruptSignal();
      const host = await openCommandHost(options, true);
      try {
        const outcome = await restoreHost(host, await stateDirectoryOf(options), {
          overwrite: options.overwrite ?? false,
          discard: options.discard ?? false,
        });
        print(options.json === true ? toJson(outcome) : describe(outcome));
      } finally {
        await host.close();
      }
    });
}

function describe(outcome: RestoreOutcome): string {
  switch (outcome.state) {
    case 'nothing pending':
      return 'nothing to restore';
    case 'rebooted':
      return 'the machine has booted since: what was changed went with the old kernel';
    case 'discarded':
      return 'the journal is removed; the machine is left as it is';
    case 'restored':
      return [
        ...outcome.undone.map(({ path, to }) => (to === undefined ? `${path}: removed` : `${path}: ${to}`)),
        ...outcome.oneWay.map(({ path, message }) => `${path}: ${message} (until the next boot)`),
        'restored',
      ].join('\n');
  }
}

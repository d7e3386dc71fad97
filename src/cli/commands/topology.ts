import { Command } from 'commander';
import { type CommonOptions, openCommandHost, optionsOf } from '../options.js';

/** `topology`: packages, nodes, CPUs, IAA devices and WQs, and which WQs each CPU gets. */
export function topologyCommand(): Command {
  return new Command('topology')
    .description('show packages, nodes, CPUs, IAA devices and work queues, and which queues each CPU gets')
    .action(async (_options: object, command: Command) => {
      const options = optionsOf<CommonOptions>(command);
      const { discover } = await import('../../discover/discover.js');
      const { sourceHead } = await import('../source-head.js');
      const { renderTopology, topologyOf } = await import('../topology.js');
      const { print, toJson } = await import('../terminal.js');
      const host = await openCommandHost(options, false);
      try {
        const inventory = await discover(host);
        print(
          options.json === true
            ? toJson(topologyOf(inventory))
            : [...sourceHead(inventory), renderTopology(inventory)].join('\n'),
        );
      } finally {
        await host.close();
      }
    });
}

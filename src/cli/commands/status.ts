import { Command } from 'commander';
import { openCommandHost, optionsOf } from '../options.js';

interface StatusOptions {
  readonly cgroup?: string;
}

/** `status`: what is here and how it does; reads only and needs no root. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show the kernel, swap, zswap, huge pages and cgroups of this machine')
    .option('--cgroup <directory>', 'show this cgroup too, as /sys/fs/cgroup/user.slice')
    .action(async (_options: StatusOptions, command: Command) => {
      const options = optionsOf<StatusOptions>(command);
      const { readStatus, renderStatus } = await import('../status.js');
      const { print, toJson } = await import('../terminal.js');
      const host = await openCommandHost(options, false);
      try {
        const status = await readStatus(host, options.cgroup);
        print(options.json === true ? toJson(status) : renderStatus(status));
      } finally {
        await host.close();
      }
    });
}

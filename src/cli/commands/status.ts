import { Command } from 'commander';
import { type InterruptedError, RequirementError, UsageError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { openCommandHost, optionsOf } from '../options.js';

interface StatusOptions {
  readonly cgroup?: string;
  readonly watch?: boolean;
  readonly interval?: string;
}

/** `status`: what is here and how it does; reads only and needs no root. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show the kernel, swap, zswap, huge pages, IAA and cgroups of this machine')
    .option('--cgroup <directory>', 'show this cgroup too, as /sys/fs/cgroup/user.slice')
    .option(
      '--watch',
      'show counters per second until interrupted; with --json a line of JSON for each sample',
    )
    .option('--interval <seconds>', 'from one sample to the next, 0.001 to 10 (default 1)')
    .action(async (_options: StatusOptions, command: Command) => {
      const options = optionsOf<StatusOptions>(command);
      const intervalNs = intervalOf(options);
      const host = await openCommandHost(options, false);
      try {
        const { readStatus, renderStatus } = await import('../status.js');
        const { print, toJson } = await import('../terminal.js');
        if (options.watch === true) return await watchStatus(host, options, intervalNs);
        const status = await readStatus(host, options.cgroup);
        print(options.json === true ? toJson(status) : renderStatus(status));
      } finally {
        await host.close();
      }
    });
}

function intervalOf({ watch, interval }: StatusOptions): number {
  if (interval === undefined) return 1e9;
  if (watch !== true) throw new UsageError('--interval belongs to --watch', { hint: 'add --watch' });
  const seconds = /^\d+(?:\.\d+)?$/.test(interval) ? Number(interval) : Number.NaN;
  if (!(seconds >= 0.001 && seconds <= 10)) {
    throw new UsageError(`--interval ${interval}: expected 0.001 to 10 seconds`, {
      hint: 'as --interval 0.5',
    });
  }
  return seconds * 1e9;
}

/** Shows until it is interrupted, which is the exit code, or nobody reads any more, which is a good end. */
async function watchStatus(
  host: Host,
  options: StatusOptions & { readonly json?: boolean },
  intervalNs: number,
): Promise<void> {
  if (host.model !== undefined) {
    throw new RequirementError(
      `nothing can be watched on ${host.name}: time passes there only while a run lets it`,
      {
        hint: "the series of a run's cells have its counters (docs/series.md)",
      },
    );
  }
  const { interruptSignal } = await import('../interrupt.js');
  const { cgroupDirectory } = await import('../status.js');
  const { print, Screen, whenOutputEnds } = await import('../terminal.js');
  const { renderWatched, watch, watchedLine } = await import('../watch.js');
  const interrupted = interruptSignal();
  const screen = new Screen();
  await watch(host, {
    cgroup: await cgroupDirectory(host, options.cgroup),
    intervalNs,
    which: options.json === true ? 'each' : 'last',
    signal: AbortSignal.any([interrupted, whenOutputEnds()]),
    onReadings: (watched, statistics) => {
      if (options.json === true) print(watchedLine(watched));
      else screen.paint(renderWatched(watched, { name: host.name, intervalNs }, statistics));
    },
  });
  if (interrupted.aborted) process.exitCode = (interrupted.reason as InterruptedError).exitCode;
}

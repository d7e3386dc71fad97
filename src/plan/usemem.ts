import type { CpuTopology } from '../discover/inventory.js';
import { formatSize } from '../experiment/size.js';
import type { UsememParameters } from '../experiment/workload-schema.js';
import { bindOf, contentNeeds, optionWords, tasksOf } from './crew.js';
import type { TaskOfKind } from './workload-task.js';

/** The command line of the cover letter for these parameters: `--init-time -w -O -b 1 -s 10 -n 30 10g`. */
export function usememTask(parameters: UsememParameters, cpu: CpuTopology): TaskOfKind {
  const { processes, size, content, step, random, readonly } = parameters;
  const flags = [
    ['-o', readonly],
    ['-R', random],
    ['-Z', parameters.read_again],
    ['-y', parameters.sync_rw],
    ['-x', parameters.sync_free],
  ] as const;
  return {
    argv: [
      'usemem',
      ...['--init-time', '-w', '-O'],
      ...flags.flatMap(([flag, given]) => (given ? [flag] : [])),
      ...optionWords([
        ['-b', parameters.bind],
        ['-s', parameters.sleep_s],
        ['-n', processes],
        ['-t', parameters.threads],
        ['-u', parameters.unit === undefined ? undefined : formatSize(parameters.unit)],
        ['-j', step === undefined ? undefined : formatSize(step)],
        ['-r', parameters.repeat],
        ['-e', parameters.delay_ns],
        ['--content', content],
        ['--seed', parameters.seed],
      ]),
      formatSize(size),
    ],
    // What is only read is the kernel's page of zeros.
    footprint: readonly
      ? undefined
      : {
          // Each thread is a task of its own and writes `size`.
          totalBytes: BigInt(tasksOf(parameters)) * size,
          pagedOut: false,
          // Where words are left out, as by a step, the rest of a page is zero.
          content: step === undefined && !random ? (content ?? 'counter') : undefined,
        },
    needs: contentNeeds('usemem', content),
    bind: bindOf(parameters, cpu),
    sleepSeconds: parameters.sleep_s,
  };
}

import type { CpuTopology } from '../discover/inventory.js';
import { formatSize } from '../experiment/size.js';
import type { MadviseParameters } from '../experiment/workload-schema.js';
import { bindOf, contentNeeds, optionWords, tasksOf } from './crew.js';
import type { Planner } from './planner.js';
import type { TaskOfKind } from './workload-task.js';

/** The command line of native/madvise; a call takes one folio of the size under test unless the experiment says otherwise. */
export function madviseTask(
  planner: Planner,
  parameters: MadviseParameters,
  cpu: CpuTopology,
  folio: string,
): TaskOfKind {
  const { processes, size, content } = parameters;
  const folioBytes = BigInt(Number.parseInt(folio, 10)) * 1024n;
  const chunk = parameters.chunk ?? folioBytes;
  if (chunk < folioBytes) {
    planner.issue(
      'workload.madvise.chunk',
      `is ${formatSize(chunk)}, and the kernel would split folios of ${folio}`,
      `a chunk of ${folio} or more`,
    );
  }
  if (size % chunk !== 0n) {
    planner.issue(
      'workload.madvise.size',
      `is no multiple of a chunk, ${formatSize(chunk)}`,
      'a size that is a multiple of every folio size and of the chunk',
    );
  }
  return {
    argv: [
      'madvise',
      ...optionWords([
        ['-b', parameters.bind],
        ['-n', processes],
        ['-t', parameters.threads],
        ['--chunk', formatSize(chunk)],
        ['--rounds', parameters.rounds],
        ['--content', content],
        ['--seed', parameters.seed],
      ]),
      formatSize(size),
    ],
    footprint: {
      totalBytes: BigInt(tasksOf(parameters)) * size,
      pagedOut: true,
      content: content ?? 'counter',
    },
    needs: contentNeeds('madvise', content),
    bind: bindOf(parameters, cpu),
  };
}

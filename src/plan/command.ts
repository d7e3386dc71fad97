import type { CommandParameters } from '../experiment/workload-schema.js';
import type { TaskOfKind } from './workload-task.js';

/** Any program with its hooks, as the experiment names them. */
export function commandTask({ argv, directory, setup, cleanup }: CommandParameters): TaskOfKind {
  const programs = new Set([...setup, argv, ...cleanup].map(([program = '']) => program));
  return {
    setup,
    argv,
    cleanup,
    directory,
    needs: [
      ...[...programs].map((path) => ({ path, mode: 'x', what: 'workload.command' })),
      ...(directory === undefined
        ? []
        : [{ path: directory, mode: 'x', what: 'workload.command.directory' }]),
    ],
  };
}

import type { BuildParameters } from '../experiment/workload-schema.js';
import type { Planner } from './planner.js';
import type { TaskOfKind } from './workload-task.js';

const make = '/usr/bin/make';
const remove = ['/usr/bin/rm', '-rf', '--'];

/** What a build is made in, below the folder that the experiment names: nothing else is ever removed. */
const ourName = 'iaa-zswap-build';

/**
 * A build by make, from nothing each time: a tree of the kernel's is built beside (O=), any other is copied first. The
 * configuration is set-up and not measured.
 */
export function buildTask(planner: Planner, parameters: BuildParameters): TaskOfKind {
  const { config, threads } = parameters;
  const source = named(planner, 'source', parameters.source, 'the tree to build', '/usr/src/linux');
  const directory = named(
    planner,
    'directory',
    parameters.directory,
    'a folder on the file system to build on',
    '/var/tmp',
  );
  const folder = `${directory === '/' ? '' : directory}/${ourName}`;
  const isKernel = config !== 'none';
  // Silent but for errors: a record keeps what is printed.
  const inTree = isKernel ? [make, '-s', '-C', source, `O=${folder}`] : [make, '-s', '-C', folder];
  const jobs = `-j${threads}`;
  const variables = parameters.make.filter((word) => word.includes('='));
  const copy = ['/usr/bin/cp', '-a', '--', `${source}/.`, folder];
  return {
    setup: [
      [...remove, folder],
      ['/usr/bin/mkdir', '--', folder],
      isKernel ? [...inTree, jobs, ...variables, config] : copy,
    ],
    argv: [...inTree, jobs, ...parameters.make],
    cleanup: [[...remove, folder]],
    needs: [
      { path: make, mode: 'x', what: 'make' },
      { path: source, mode: 'rx', what: 'workload.build.source' },
      { path: directory, mode: 'wx', what: 'workload.build.directory' },
    ],
  };
}

/** A path that the experiment leaves to whoever runs it. */
function named(
  planner: Planner,
  key: 'source' | 'directory',
  given: string | undefined,
  what: string,
  example: string,
): string {
  if (given === undefined) {
    planner.issue(
      `workload.build.${key}`,
      `${what} is not named`,
      `--set workload.build.${key}=${example}, or name it in the file`,
    );
  }
  return given ?? `/${key}`;
}

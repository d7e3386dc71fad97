import type { Inventory } from '../discover/inventory.js';
import type { Cell } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import type { Planner } from './planner.js';

/** native/model's compressors (native/model/config.h). */
const modelledCompressors = ['deflate-iaa', 'zstd', 'lzo', 'lz4', 'deflate'];

/** Refuses what only a model can do on other machines, and on a model what it cannot do; says there what has no effect. */
export function planModel(planner: Planner, inventory: Inventory, experiment: Experiment, cell: Cell): void {
  if (inventory.source !== 'model') {
    // On other machines `kernels` is no axis: whichever runs is measured.
    for (const [key, value] of Object.entries(experiment.model ?? {})) {
      if (key === 'kernels' || value === undefined) continue;
      planner.issue(`model.${key}`, 'only a modelled machine can do this', 'use --host model:spr-2s');
    }
    return;
  }
  if (!modelledCompressors.includes(cell.compressor)) {
    planner.issue(
      'matrix.compressor',
      `the model has no ${cell.compressor}`,
      `name one of ${modelledCompressors.join(', ')}`,
    );
  }
  const idle = withoutEffect(experiment);
  if (idle.length > 0) planner.warnings.push(`on the model these change nothing: ${idle.join(', ')}`);
}

/** Keys that are set and that the model has no mechanism for. */
function withoutEffect({ vm, thp, zswap, cgroup, model }: Experiment): string[] {
  const keys = (part: string, values: object): string[] =>
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [`${part}.${key}`]));
  const { 'page-cluster': pageCluster, ...sysctls } = vm;
  const { defrag: _defrag, ...switches } = thp;
  return [
    // It reads single pages from swap, which is what 0 asks for, but where it is told to read ahead.
    ...(pageCluster === undefined || pageCluster === 0 || model?.switches?.swapin_batching === true
      ? []
      : ['vm.page-cluster']),
    ...keys('vm', sysctls),
    ...keys('thp', switches),
    ...(zswap.shrinker_enabled === true ? ['zswap.shrinker_enabled'] : []),
    ...keys('cgroup', cgroup).filter((key) => key.startsWith('cgroup.cpuset.')),
  ];
}

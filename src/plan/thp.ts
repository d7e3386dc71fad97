import type { Inventory } from '../discover/inventory.js';
import type { Cell } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import { codecs } from '../host/codecs.js';
import { vmSysctl } from '../kernel/sysctl.js';
import { thpDirectory, thpSizeEnabled, thpSwitch } from '../kernel/thp.js';
import { asSaid, type Planner } from './planner.js';

/**
 * Only the folio size under test may be taken: the kernel tries the largest enabled size first, and sizes at
 * `inherit` follow the global switch (mm/huge_memory.c thp_vma_allowable_orders).
 */
export function planThp(planner: Planner, inventory: Inventory, experiment: Experiment, cell: Cell): void {
  const { thp } = inventory;
  const basePage = cell.folio === '4kB';
  if (thp === undefined) {
    if (!basePage)
      planner.issue(
        thpDirectory,
        'this kernel has no transparent huge pages',
        'use a kernel with CONFIG_TRANSPARENT_HUGEPAGE=y',
      );
    return;
  }
  // 8kB has a directory, for shmem, but no `enabled`: there are no anonymous folios of order 1.
  const sizes = thp.sizes.map((size) => size.name).filter((name) => planner.offers(thpSizeEnabled(name)));
  if (!basePage && !sizes.includes(cell.folio)) {
    const known = sizes.join(', ');
    planner.issue(
      thpSizeEnabled(cell.folio),
      `this kernel has no anonymous folios of ${cell.folio}${known === '' ? '' : `; it has ${known}`}`,
      known === '' ? 'use a kernel of 6.8 or later' : 'name one of these sizes',
    );
  }
  const first = planner.steps.length;
  planner.set('thp.enabled', thpSwitch('enabled'), 'choice', 'never', 'no size may be taken through inherit');
  // The size under test last, so that at no time two are enabled.
  for (const name of [
    ...sizes.filter((size) => size !== cell.folio),
    ...sizes.filter((size) => size === cell.folio),
  ]) {
    const tested = name === cell.folio;
    planner.set(
      `thp.${name}`,
      thpSizeEnabled(name),
      'choice',
      tested ? 'always' : 'never',
      tested ? 'the folio size under test' : 'no other size may be taken',
    );
  }
  // Starting and stopping khugepaged resets it (mm/khugepaged.c start_stop_khugepaged; seen on 7.3).
  const why = 'the kernel changes it with the THP switches';
  planner.keep(first, 'vm.min_free_kbytes', vmSysctl('min_free_kbytes'), 'decimal', why);
  const { defrag, ...switches } = experiment.thp;
  if (defrag !== undefined) planner.set('thp.defrag', thpSwitch('defrag'), 'choice', defrag, asSaid);
  for (const [name, value] of Object.entries(switches)) {
    if (value === undefined) continue;
    planner.set(`thp.${name}`, thpSwitch(name), 'oneZero', codecs.oneZero.format(value), asSaid);
  }
}

import type { Inventory } from '../discover/inventory.js';
import type { Cell } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import { codecs } from '../host/codecs.js';
import { isIaaCompressor } from '../kernel/iaa-crypto.js';
import { zswapParameter, zswapParameterCodec, zswapParameters } from '../kernel/zswap.js';
import { asSaid, type Planner } from './planner.js';

/**
 * enabled comes first: before zswap's first enable the kernel accepts any compressor name and then silently
 * falls back to its default (mm/zswap.c zswap_setup).
 */
export function planZswap(planner: Planner, inventory: Inventory, experiment: Experiment, cell: Cell): void {
  if (inventory.zswap === undefined) {
    planner.issue(
      zswapParameters,
      'this kernel has no zswap',
      'use a kernel with CONFIG_ZSWAP=y, or a modelled machine: --host model:spr-2s',
    );
    return;
  }
  const first = inventory.zswap.initialised !== true && inventory.zswap.enabled !== true;
  planner.set(
    'zswap.enabled',
    zswapParameter('enabled'),
    'yesNo',
    'Y',
    'pages go to zswap before the swap device',
    first
      ? `${inventory.zswap.initialised === undefined ? 'if it was never enabled since boot, ' : ''}zswap stays set up and the kernel no longer swaps in large folios, even after enabled=N`
      : undefined,
  );
  const { compressors } = inventory;
  // What a WQ brings is registered by its bind, not by a module's load.
  const registered =
    isIaaCompressor(cell.compressor) ||
    compressors?.some(({ name, driver }) => [name, driver].includes(cell.compressor)) !== false;
  planner.set(
    'zswap.compressor',
    zswapParameter('compressor'),
    'text',
    cell.compressor,
    'the compressor under test',
    registered ? undefined : `the kernel loads the module of ${cell.compressor}, which stays loaded`,
  );
  const { zpool, ...others } = experiment.zswap;
  // Since 6.18 zsmalloc is all there is and the parameter is gone.
  const zpoolIsBuiltIn = zpool === 'zsmalloc' && inventory.attributes[zswapParameter('zpool')] === undefined;
  if (zpool !== undefined && !zpoolIsBuiltIn)
    planner.set('zswap.zpool', zswapParameter('zpool'), 'text', zpool, asSaid);
  for (const [name, value] of Object.entries(others)) {
    const codec = zswapParameterCodec(name);
    const text = typeof value === 'boolean' ? codecs.yesNo.format(value) : String(value);
    planner.set(`zswap.${name}`, zswapParameter(name), codec, text, asSaid);
  }
  planner.steps.push({
    kind: 'check',
    id: 'zswap.pool',
    check: 'zswap-pool',
    compressor: cell.compressor,
    affects: 'run',
    why: 'zswap falls back to its default compressor without an error',
  });
}

/**
 * zswap's parameters (mm/zswap.c). zswap sets itself up at the first write to `enabled`; that it has is to be seen
 * by its debugfs directory, or by `enabled` where debugfs is not mounted. A compressor's pool holds one transform
 * per CPU that is online, which counts in /proc/crypto.
 */
import { addReferences, hasCompressor, referencesOf, releaseAllBut } from './crypto.js';
import { log } from './kernel-log.js';
import { kstrto, kstrtobool } from './parsing.js';
import type { Draft, Errno } from './tree.js';
import type { KernelVariant } from './variant.js';

export const parametersDirectory = '/sys/module/zswap/parameters';
const debugfs = '/sys/kernel/debug';
const zswapDebugfs = `${debugfs}/zswap`;

// KMALLOC limit of string parameters, kernel/params.c
const longestString = 1024;

function parameter(name: string): string {
  return `${parametersDirectory}/${name}`;
}

function isSetUp(draft: Draft): boolean {
  return draft.has(zswapDebugfs) || draft.value(parameter('enabled')) === 'Y';
}

function onlineCpus(draft: Draft): number {
  return draft
    .value('/sys/devices/system/cpu/online')
    .split(',')
    .reduce((sum, range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return sum + last - first + 1;
    }, 0);
}

function storedPages(draft: Draft): number {
  return Number(draft.value(`${zswapDebugfs}/stored_pages`));
}

/** A compressor has a pool while more than its own reference is held. */
function hasPool(draft: Draft, compressor: string): boolean {
  return (referencesOf(draft, compressor) ?? 0) > 1;
}

/** zswap_setup: a compressor that was named before and cannot be had is replaced by the default without an error. */
function setUp(draft: Draft, variant: KernelVariant): boolean {
  const release = draft.value('/proc/sys/kernel/osrelease');
  const config = draft.text(`/boot/config-${release}`) ?? '';
  const fallback = /^CONFIG_ZSWAP_COMPRESSOR_DEFAULT="(.*)"$/m.exec(config)?.[1] ?? 'lzo';
  let compressor = draft.value(parameter('compressor'));
  if (!hasCompressor(draft, compressor)) {
    log(draft, 3, `zswap: compressor ${compressor} not available, using default ${fallback}`);
    compressor = fallback;
  }
  if (!hasCompressor(draft, compressor)) return false;
  draft.write(parameter('compressor'), `${compressor}\n`);
  addReferences(draft, compressor, onlineCpus(draft));
  const zpool = draft.value(parameter('zpool'));
  log(draft, 6, `zswap: loaded using pool ${compressor}${zpool === '' ? '' : `/${zpool}`}`);
  const mounted = / \/sys\/kernel\/debug \S+ .*- debugfs /m.test(draft.text('/proc/self/mountinfo') ?? '');
  if (mounted && draft.has(debugfs)) {
    draft.makeDirectory(zswapDebugfs);
    for (const name of variant.zswapCounters) draft.write(`${zswapDebugfs}/${name}`, '0\n', 0o444);
  }
  return true;
}

/** Changes the pool for new pages; one with pages in it stays until the last of them is gone. */
function changePool(draft: Draft, compressor: string): void {
  const before = draft.value(parameter('compressor'));
  if (!hasPool(draft, compressor)) addReferences(draft, compressor, onlineCpus(draft));
  if (before !== compressor && storedPages(draft) === 0) addReferences(draft, before, -onlineCpus(draft));
}

/** Takes all stored pages out, as swapoff does: the pools that were kept for them go. */
export function drain(draft: Draft): void {
  if (!isSetUp(draft)) return;
  for (const name of ['stored_pages', 'stored_incompressible_pages', 'pool_total_size']) {
    draft.writeIfThere(`${zswapDebugfs}/${name}`, '0\n');
  }
  releaseAllBut(draft, draft.value(parameter('compressor')), onlineCpus(draft));
}

type Store = (draft: Draft, path: string, text: string, variant: KernelVariant) => Errno | undefined;

function storeUint(draft: Draft, path: string, text: string): Errno | undefined {
  const value = kstrto('uint', 0, text);
  if (typeof value === 'string') return value;
  draft.write(path, `${value}\n`);
  return undefined;
}

function storeBool(draft: Draft, path: string, text: string, variant: KernelVariant): Errno | undefined {
  const value = kstrtobool(text, variant);
  if (typeof value === 'string') return value;
  draft.write(path, value ? 'Y\n' : 'N\n');
  return undefined;
}

const stores: Readonly<Record<string, Store>> = {
  enabled(draft, path, text, variant) {
    // Whatever is written: the set-up comes before the value is looked at.
    if (!isSetUp(draft) && !setUp(draft, variant)) return 'ENODEV';
    return storeBool(draft, path, text, variant);
  },
  compressor(draft, path, text) {
    const name = text.trim();
    if (name.length > longestString) return 'ENOSPC';
    if (isSetUp(draft)) {
      if (name === draft.value(path)) return undefined;
      if (!hasCompressor(draft, name)) {
        log(draft, 3, `zswap: compressor ${name} not available`);
        return 'ENOENT';
      }
      changePool(draft, name);
      log(draft, 6, `zswap: using ${name} compressor`);
    }
    draft.write(path, `${name}\n`);
    return undefined;
  },
  zpool(draft, path, text, variant) {
    const name = text.trim();
    if (isSetUp(draft) && !variant.zpools.includes(name)) return 'ENOENT';
    draft.write(path, `${name}\n`);
    return undefined;
  },
  max_pool_percent: storeUint,
  accept_threshold_percent: storeUint,
  shrinker_enabled: storeBool,
  same_filled_pages_enabled: storeBool,
  non_same_filled_pages_enabled: storeBool,
  exclusive_loads: storeBool,
};

/** The store behind a parameter; `undefined` when zswap has none of this name. */
export function zswapStore(
  draft: Draft,
  name: string,
  variant: KernelVariant,
): ((text: string) => Errno | undefined) | undefined {
  const store = Object.hasOwn(stores, name) ? stores[name] : undefined;
  return store && ((text) => store(draft, parameter(name), text, variant));
}

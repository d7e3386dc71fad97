import type { Draft } from './tree.js';

/** What differs between the kernels that we know. */
export interface KernelVariant {
  readonly name: string;
  /** First release, [major, minor], whose kernels behave so. */
  readonly since: readonly [number, number];
  /** sync_mode keeps `async`; since 4ebd9a5ca478 (6.13) mainline takes it for `sync` and says so. */
  readonly keepsAsync: boolean;
  /** kstrtobool() takes words that begin with e and d, since ae5b3500856f (6.16). */
  readonly boolTakesEnabled: boolean;
  /** Attributes of the iaa_crypto driver and their values at load. */
  readonly driverAttributes: Readonly<Record<string, string>>;
  /** Files of /sys/kernel/debug/zswap. */
  readonly zswapCounters: readonly string[];
  /** What zswap's parameter zpool takes; without the parameter, none. */
  readonly zpools: readonly string[];
}

const mainlineAttributes = { verify_compress: '1', sync_mode: 'sync' };

const zswapCounters = [
  'pool_limit_hit',
  'pool_total_size',
  'reject_alloc_fail',
  'reject_compress_fail',
  'reject_compress_poor',
  'reject_kmemcache_fail',
  'reject_reclaim_fail',
  'stored_pages',
  'written_back_pages',
];

const mainline612: KernelVariant = {
  name: 'mainline 6.12',
  since: [0, 0],
  keepsAsync: true,
  boolTakesEnabled: false,
  driverAttributes: mainlineAttributes,
  zswapCounters,
  zpools: ['zsmalloc', 'zbud', 'z3fold'],
};

const mmUnstable: KernelVariant = {
  ...mainline612,
  name: 'mm-unstable-4-21-2025',
  since: [6, 13],
  keepsAsync: false,
  zswapCounters: [...zswapCounters, 'decompress_fail'],
  zpools: ['zsmalloc'],
};

const mainline618: KernelVariant = {
  ...mmUnstable,
  name: 'mainline 6.18',
  since: [6, 18],
  boolTakesEnabled: true,
  zswapCounters: [...mmUnstable.zswapCounters, 'stored_incompressible_pages'],
  zpools: [],
};

const mainline73: KernelVariant = { ...mainline618, name: 'mainline 7.3', since: [7, 3] };

/** The patches of the letter on mm-unstable-4-21-2025. */
const v9: KernelVariant = {
  ...mmUnstable,
  name: 'v9',
  keepsAsync: true,
  driverAttributes: {
    verify_compress: '0',
    sync_mode: 'async',
    g_comp_wqs_per_iaa: '0',
    distribute_comps: '1',
    distribute_decomps: '1',
  },
};

const mainlines = [mainline73, mainline618, mmUnstable, mainline612];

/** Every variant, as tests go through them. */
export const variants: readonly KernelVariant[] = [mainline612, mmUnstable, mainline618, mainline73, v9];

/**
 * The variant that a tree is of: v9 where its driver attributes are, or its functions among the kernel's symbols
 * (the attributes are away while iaa_crypto is not loaded); else the newest one that is not newer than the kernel.
 */
export function variantOf(draft: Draft): KernelVariant {
  if (draft.has('/sys/bus/dsa/drivers/crypto/distribute_comps')) return v9;
  if (/ crypto_acomp_batch_compress$/m.test(draft.text('/proc/kallsyms') ?? '')) return v9;
  const release = /^(\d+)\.(\d+)/.exec(draft.value('/proc/sys/kernel/osrelease'));
  const [major, minor] = [Number(release?.[1] ?? 0), Number(release?.[2] ?? 0)];
  return (
    mainlines.find(({ since }) => major > since[0] || (major === since[0] && minor >= since[1])) ??
    mainline612
  );
}

import type { Inventory } from '../discover/inventory.js';
import type { Cell } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import { chomp } from '../host/codecs.js';
import { zswapParameter } from '../kernel/zswap.js';
import { smallestLimit } from './checks.js';
import type { Planner } from './planner.js';
import type { PoolForecast } from './steps.js';
import type { Footprint, WorkloadTask } from './workload-task.js';

interface Ratio {
  readonly ratio: number;
  readonly source: string;
}

const pageBytes = 4096;

/** Page tables are charged too: a page of them for each 2 MiB (x86-64). */
const pagesPerTable = 512;

/**
 * usemem's ascending counters. The first two follow from the letter's own zswpout and not from what such pages hold
 * (2.97 and 7.25, docs/usemem.md): the lower ratio is the safer forecast.
 */
const counterRatios: Readonly<Record<string, Ratio>> = {
  'deflate-iaa': { ratio: 2.561, source: "the cover letter's zswpout" },
  zstd: { ratio: 5.16, source: "the cover letter's zswpout" },
  'deflate-iaa-dynamic': { ratio: 5.06, source: 'docs/usemem.md' },
  deflate: { ratio: 5.06, source: 'docs/usemem.md' },
  lz4: { ratio: 1.99, source: 'docs/usemem.md' },
  lzo: { ratio: 2.62, source: 'docs/usemem.md' },
};

/** What a page of `--content ratio:R` comes to (docs/usemem.md); undefined for compressors not measured there. */
function givenRatio(compressor: string, given: number): Ratio | undefined {
  if (compressor === 'deflate-iaa') {
    // 4096/R - 32 random bytes at 9 or 8 bits, the rest in matches of 32 bytes at 14 bits.
    const random = pageBytes / given - 32;
    const bytes = (random * 8.4375 + ((pageBytes - random) / 32) * 14) / 8;
    return { ratio: pageBytes / bytes, source: `ratio:${given} in fixed codes` };
  }
  const measured = Object.hasOwn(counterRatios, compressor);
  // Within 5% of R.
  return measured ? { ratio: given * 0.95, source: `ratio:${given}` } : undefined;
}

/** The ratio of what the workload writes; undefined where nothing is known. */
function ratioOf(compressor: string, content: string | undefined): Ratio | undefined {
  const given = /^ratio:(.*)$/.exec(content ?? '')?.[1];
  if (given !== undefined) return givenRatio(compressor, Number(given));
  if (content !== 'counter') return undefined;
  return Object.hasOwn(counterRatios, compressor) ? counterRatios[compressor] : undefined;
}

/**
 * Foresees the pool where size, limit and ratio are known, and refuses a run that would fill it: from then on zswap
 * turns pages away, and the swap device is measured. What is in zswap is charged to the cgroup by its compressed
 * length, so with a limit H, a total T and a ratio r, S = (T - H) / (1 - 1/r) bytes are stored in S/r. Of memory that is
 * paged out whatever the limit S is T.
 */
export function forecastPool(
  planner: Planner,
  inventory: Inventory,
  experiment: Experiment,
  cell: Cell,
  { footprint }: WorkloadTask,
): PoolForecast | undefined {
  const found = ratioOf(cell.compressor, footprint?.content);
  const number = (name: string): number => {
    const text = planner.textOf(zswapParameter(name));
    return text === undefined ? Number.NaN : Number(chomp(text));
  };
  const fullBytes = ((inventory.memory?.totalBytes ?? Number.NaN) * number('max_pool_percent')) / 100;
  if (footprint === undefined || found === undefined || !(fullBytes > 0)) return undefined;
  const { ratio, source } = found;
  const storedBytes = storedOf(footprint, ratio, smallestLimit(experiment));
  if (storedBytes === undefined) return undefined;
  const poolBytes = storedBytes / ratio;
  const there = inventory.zswap?.debugfs?.['pool_total_size'] ?? 0;
  const forecast = {
    poolBytes,
    fullBytes,
    acceptBytes: (fullBytes * number('accept_threshold_percent')) / 100,
    ratio,
    source,
  };
  if (poolBytes + Number(there) > fullBytes) {
    const enough = Math.ceil(((poolBytes + Number(there)) / fullBytes) * number('max_pool_percent')) + 1;
    planner.issue(
      zswapParameter('max_pool_percent'),
      `${describeForecast(forecast)}: zswap would be full`,
      `${enough <= 100 ? `zswap.max_pool_percent of ${enough} or more, ` : ''}a higher limit in cgroup, or a smaller workload`,
    );
  }
  return forecast;
}

/** Bytes that are in zswap at most, as they were before; undefined where no limit pushes them there. */
function storedOf(
  { totalBytes, pagedOut }: Footprint,
  ratio: number,
  limit: bigint | undefined,
): number | undefined {
  if (pagedOut) return Number(totalBytes);
  // With a ratio of 1 the limit is never reached: the workload would be thrashing, or killed.
  if (limit === undefined || ratio <= 1) return undefined;
  const total = Number(totalBytes) * (1 + 1 / pagesPerTable);
  return Math.max(0, total - Number(limit)) / (1 - 1 / ratio);
}

/** As `expected zswap pool: 98,802 of 154,501 MiB (ratio 2.561, from the cover letter's zswpout; ...)`. */
export function describeForecast({ poolBytes, fullBytes, acceptBytes, ratio, source }: PoolForecast): string {
  const mib = (bytes: number): string => Math.round(bytes / 2 ** 20).toLocaleString('en-US');
  const accept = Number.isNaN(acceptBytes) ? '' : `; once full, taken again below ${mib(acceptBytes)}`;
  return `expected zswap pool: ${mib(poolBytes)} of ${mib(fullBytes)} MiB (ratio ${ratio.toFixed(2)}, from ${source}${accept})`;
}

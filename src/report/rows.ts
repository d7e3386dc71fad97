import type { MeasuredCell, NamedCell } from '../study/cells.js';
import { formatValue } from './value.js';

/** A cell of whichever origin. */
export type AnyCell = NamedCell & Partial<MeasuredCell>;

/** A row of the cover letter's tables, or of ours. */
export interface Row {
  readonly label: string;
  /** Name of the value. */
  readonly key: string;
  readonly decimals: number;
  /** The letter tells by how much it changed. */
  readonly change?: boolean;
  /** Text for a cell, where it is not just the value. */
  readonly text?: (cell: AnyCell) => string;
}

const count = (label: string, key = label): Row => ({ label, key, decimals: 0 });

/** Folios of the PMD's size are counted by thp_swpout_fallback alone, as in the letter's 2M tables. */
const pmdFolio = '2048kB';

function counters(folio: string): Row[] {
  return [
    ...[
      'memcg_high',
      'memcg_swap_fail',
      'zswpout',
      'zswpin',
      'pswpout',
      'pswpin',
      'thp_swpout',
      'thp_swpout_fallback',
    ].map((key) => count(key)),
    ...(folio === pmdFolio || folio === '4kB' ? [] : [count(`${folio}_swpout_fallback`)]),
    count('pgmajfault'),
    ...(folio === '4kB' ? [] : [count(`ZSWPOUT-${folio}`), count(`SWPOUT-${folio}`)]),
  ];
}

/** Whether a workload is a build, as kernel-build-allmodconfig or build-lua. */
export const isBuild = (workload: string): boolean => /^(?:kernel-)?build-/.test(workload);

/** The rows for a workload, in the letter's order and groups where it has them. */
export function rowsOf(workload: string, folio: string): Row[][] {
  if (isBuild(workload)) return buildRows(folio);
  if (/^usemem\d*$/.test(workload)) return usememRows(folio);
  return [...(/^madvise\d*$/.test(workload) ? madviseRows : commandRows), counters(folio)];
}

const decimal = (label: string, key: string, decimals: number): Row => ({ label, key, decimals });

const madviseRows: Row[][] = [
  [
    { ...decimal('page out p50 (ns/page)', 'pageout_p50_ns', 1), change: true },
    { ...decimal('page out p99 (ns/page)', 'pageout_p99_ns', 1), change: true },
    { ...decimal('read back p50 (ns/page)', 'readback_p50_ns', 1), change: true },
    { ...decimal('read back p99 (ns/page)', 'readback_p99_ns', 1), change: true },
  ],
  [
    count('pages asked for', 'asked_pages'),
    count('gone before', 'gone_pages'),
    count('left in memory', 'left_pages'),
  ],
];

const commandRows: Row[][] = [
  [
    { ...decimal('throughput', 'total_throughput', 2), change: true },
    { ...decimal('elapsed time (sec)', 'elapsed_s', 2), change: true },
    decimal('user time (sec)', 'user_s', 2),
    { ...decimal('sys time (sec)', 'sys_s', 2), change: true },
  ],
  [count('Max_Res_Set_Size_KB', 'max_rss_kb')],
];

function usememRows(folio: string): Row[][] {
  return [
    [
      { ...count('Total throughput (KB/s)', 'total_throughput_kb_s'), change: true },
      count('Avg throughput (KB/s)', 'avg_throughput_kb_s'),
      { label: 'elapsed time (sec)', key: 'elapsed_s', decimals: 2, change: true },
      { label: 'sys time (sec)', key: 'sys_s', decimals: 2, change: true },
    ],
    counters(folio),
  ];
}

/** What we add to them. */
export const derivedRows: readonly Row[] = [
  { label: 'pages per memcg_high', key: 'pages_per_memcg_high', decimals: 1 },
  { label: 'compressed bytes a page', key: 'compressed_bytes_per_page', decimals: 0 },
  count('zswpout from elsewhere', 'foreign_zswpout'),
];

function buildRows(folio: string): Row[][] {
  return [
    [
      { label: 'real_sec', key: 'real_s', decimals: 2 },
      { label: 'user_sec', key: 'user_s', decimals: 2 },
      { label: 'sys_sec', key: 'sys_s', decimals: 2 },
    ],
    [count('Max_Res_Set_Size_KB', 'max_rss_kb')],
    counters(folio),
  ];
}

/** A counter of IAA: `--` for other compressors, and told where this kernel does not show it. */
function iaaRow(label: string, key: string): Row {
  return {
    ...count(label, key),
    text: ({ usesIaa, values }) =>
      usesIaa === true && values[key] === undefined
        ? 'not observable'
        : formatValue(values[key], { decimals: 0 }),
  };
}

/** What the letter says of IAA in words. */
export const iaaRows: readonly Row[] = [
  // Nothing counts them: only what follows from them is seen, software decompression and rejected pages.
  iaaRow('descriptor time-outs', 'iaa_descriptor_timeouts'),
  iaaRow('completion time-outs', 'iaa_timeouts'),
  iaaRow('software fallbacks', 'iaa_sw_fallbacks'),
  iaaRow('driver DISABLED', 'iaa_disabled'),
];

/** How many repetitions there are, and for the first rows the smallest and the largest, and the interval of the median. */
export function spreadRows(workload: string, cells: readonly MeasuredCell[]): Row[] {
  const [first = []] = rowsOf(workload, '4kB');
  return [
    { ...count('n'), text: ({ n }) => String(n ?? 1) },
    ...first.map((row) => rangeRow(row, 'spread')),
    ...(cells.some(({ interval }) => interval !== undefined)
      ? first.map((row) => rangeRow(row, 'interval'))
      : []),
  ];
}

function rangeRow({ label, key, decimals }: Row, range: 'spread' | 'interval'): Row {
  const shown = (value: number): string => formatValue(value, { decimals });
  return {
    label: `${label.replace(/ \(.*/, '')} ${range === 'spread' ? range : '95%'}`,
    key,
    decimals,
    text: (cell) => cell[range]?.[key]?.map(shown).join('..') ?? '--',
  };
}

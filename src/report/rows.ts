/** A row of the cover letter's tables. */
export interface Row {
  readonly label: string;
  /** Name of the value. */
  readonly key: string;
  readonly decimals: number;
  /** The letter tells by how much it changed. */
  readonly change?: boolean;
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

/** The letter's rows for usemem, in its order and groups. */
export function usememRows(folio: string): Row[][] {
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

/** The letter's rows for the kernel build. */
export function buildRows(folio: string): Row[][] {
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

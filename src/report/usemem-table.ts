import type { CellResult } from '../study/cell.js';
import type { Result } from '../study/record.js';

interface Row {
  readonly label: string;
  readonly key: string;
  readonly decimals: number;
}

/** Folios of the PMD's size are counted by thp_swpout_fallback alone, as in the letter's 2M tables. */
const pmdFolio = '2048kB';

/** The cover letter's rows for usemem, in its order. */
function rowsOf(folio: string): Row[][] {
  const count = (label: string, key = label): Row => ({ label, key, decimals: 0 });
  return [
    [
      count('Total throughput (KB/s)', 'total_throughput_kb_s'),
      count('Avg throughput (KB/s)', 'avg_throughput_kb_s'),
      { label: 'elapsed time (sec)', key: 'elapsed_s', decimals: 2 },
      { label: 'sys time (sec)', key: 'sys_s', decimals: 2 },
    ],
    [
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
    ],
    [
      { label: 'pages per memcg_high', key: 'pages_per_memcg_high', decimals: 1 },
      { label: 'compressed bytes a page', key: 'compressed_bytes_per_page', decimals: 0 },
      count('zswpout from elsewhere', 'foreign_zswpout'),
    ],
  ];
}

const labelWidth = 24;
const smallestColumn = 14;

/** A number with thousands separators, as the letter prints it. */
export function formatNumber(value: number, decimals: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/**
 * The cover letter's usemem table: one per folio size, a column per compressor. An invalid or failed cell has no
 * numbers but says so; the reasons follow the table.
 */
export function usememTables(result: Result): string {
  const folios = [...new Set(result.cells.map((each) => each.cell.folio))];
  return folios.map((folio) => table(result, folio)).join('\n');
}

function table({ experiment, source, machine, cells }: Result, folio: string): string {
  const results = cells.filter((each) => each.cell.folio === folio);
  const width = Math.max(smallestColumn, ...results.map((result) => result.cell.compressor.length + 2));
  const line = ` ${'-'.repeat(labelWidth + width * results.length)}`;
  const shown = (result: CellResult, row: Row): string => {
    if (result.state !== 'complete') return 'FAILED';
    if (result.invalid.length > 0) return 'INVALID';
    const value = result.values[row.key];
    return value === undefined ? '--' : formatNumber(value, row.decimals);
  };
  const print = (label: string, cells: readonly string[]) =>
    ` ${label.padEnd(labelWidth)}${cells.map((cell) => cell.padStart(width)).join('')}`;
  const title = `${folioTitle(folio)} folios: ${experiment}`;
  return [
    ` ${title}:`,
    ` ${'='.repeat(title.length + 1)}`,
    ` source: ${source} (${machine})`,
    line,
    print(
      'zswap compressor',
      results.map((result) => result.cell.compressor),
    ),
    line,
    ...rowsOf(folio).flatMap((group) => [
      ...group.map((row) =>
        print(
          row.label,
          results.map((result) => shown(result, row)),
        ),
      ),
      line,
    ]),
    ...results.flatMap((result) => notes(result)),
    '',
  ].join('\n');
}

function notes(result: CellResult): string[] {
  const name = result.cell.compressor;
  return [
    ...(result.failure === undefined ? [] : [` FAILED  ${name}: ${result.failure}`]),
    ...result.invalid.map((reason) => ` INVALID ${name}: ${reason}`),
    ...result.warnings.map((warning) => ` note    ${name}: ${warning}`),
  ];
}

/** `64K`, `2M`: as the letter writes folio sizes in its titles. */
function folioTitle(folio: string): string {
  const kib = Number.parseInt(folio, 10);
  return kib >= 1024 && kib % 1024 === 0 ? `${kib / 1024}M` : `${kib}K`;
}

import type { CellResult } from '../study/cell.js';
import type { Result } from '../study/record.js';
import { derivedRows, type Row, usememRows } from './rows.js';
import { folioTitle, formatValue, renderTable } from './table.js';

/**
 * The cover letter's usemem table: one per folio size, a column per compressor. An invalid or failed cell has no
 * numbers but says so; the reasons follow the table.
 */
export function usememTables(result: Result): string {
  return foliosOf(result)
    .map((folio) => {
      const results = result.cells.filter((each) => each.cell.folio === folio);
      return renderTable({
        title: `${folioTitle(folio)} folios: ${result.experiment}`,
        sources: [`source: ${result.source} (${result.machine})`],
        withKernels: false,
        columns: results.map((each) => columnOf(each, result.kernel)),
        groups: [...usememRows(folio), derivedRows],
        notes: results.flatMap((each) => notes(each)),
      });
    })
    .join('\n');
}

/** The folio sizes of a result, in the order of its cells. */
export function foliosOf({ cells }: Result): string[] {
  return [...new Set(cells.map((each) => each.cell.folio))];
}

/** A measured cell as a column. */
export function columnOf(result: CellResult, kernel: string) {
  return {
    kernel,
    compressor: result.cell.compressor,
    shown(row: Row): string {
      if (result.state !== 'complete') return 'FAILED';
      return result.invalid.length > 0 ? 'INVALID' : formatValue(result.values[row.key], row);
    },
  };
}

/** What follows the table of a cell: why it has no numbers, what to know of them. */
export function notes(result: CellResult): string[] {
  const name = result.cell.compressor;
  return [
    ...(result.failure === undefined ? [] : [` FAILED  ${name}: ${result.failure}`]),
    ...result.invalid.map((reason) => ` INVALID ${name}: ${reason}`),
    ...result.warnings.map((warning) => ` note    ${name}: ${warning}`),
  ];
}

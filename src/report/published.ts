import type { CellSet, NamedCell } from '../study/cells.js';
import { folioKey } from '../study/cells.js';
import type { Result } from '../study/record.js';
import { publishedV9 } from './published-v9.js';
import { buildRows, derivedRows, type Row, usememRows } from './rows.js';
import { type Column, folioTitle, formatValue, renderTable, type Table } from './table.js';
import { columnOf, foliosOf, notes } from './usemem-table.js';

/** Published sets of cells, by the names that `--published` and `--against` take. */
export const published: Readonly<Record<string, CellSet>> = { v9: publishedV9 };

/** A set of cells as the letter's tables: for usemem one for each compressor and folio size, with the change; for builds one for each folio size. */
export function publishedTables({ source, cells }: CellSet): string {
  const sources = [`source: ${source}`];
  const usemem = unique(
    cells.filter(({ workload }) => isUsemem(workload)),
    usememKey,
  ).map(([first, ...more]) => {
    const { workload, folio, compressor } = first;
    const columns = [first, ...more];
    return renderTable({
      title: `${folioTitle(folio)} folios: ${workload}: ${compressor}`,
      sources,
      withKernels: true,
      columns: columns.map((cell) => columnOfCell(cell)),
      groups: present(usememRows(`${folio}B`), columns),
      ...changeOf(columns),
    });
  });
  const builds = unique(
    cells.filter(({ workload }) => !isUsemem(workload)),
    buildKey,
  ).map((columns) => {
    const [{ workload, folio }] = columns;
    return renderTable({
      title: `${folioTitle(folio)} folios: ${buildTitle(workload)}`,
      sources,
      withKernels: true,
      // Four columns: the date of the tree is left out, as in the letter.
      columns: columns.map((cell) => columnOfCell({ ...cell, kernel: cell.kernel.replace(/-\d.*$/, '') })),
      groups: present(buildRows(`${folio}B`), columns),
    });
  });
  return [...usemem, ...builds].join('\n');
}

/**
 * Measured cells with those of another set beside them: the same workload, folio size and compressor. What has no
 * counterpart there is named below its table.
 */
export function tablesAgainst(result: Result, against: CellSet): string {
  return foliosOf(result)
    .map((folio) => {
      const results = result.cells.filter((each) => each.cell.folio === folio);
      const counterparts = (compressor: string): NamedCell[] =>
        against.cells.filter(
          (cell) =>
            cell.workload === result.workload &&
            cell.folio === folioKey(folio) &&
            cell.compressor === compressor,
        );
      const missing = results.filter(({ cell }) => counterparts(cell.compressor).length === 0);
      return renderTable({
        title: `${folioTitle(folio)} folios: ${result.experiment}`,
        sources: [`source: ${result.source} (${result.machine})`, `beside: ${against.source}`],
        withKernels: true,
        columns: results.flatMap((each) => [
          columnOf(each, result.kernel),
          ...counterparts(each.cell.compressor).map((cell) => columnOfCell(cell)),
        ]),
        groups: [...usememRows(folio), derivedRows],
        notes: [
          ...results.flatMap((each) => notes(each)),
          ...missing.map(
            ({ cell }) =>
              ` note    ${cell.compressor}: no cell of ${result.workload}, ${folioKey(folio)} to set beside it`,
          ),
        ],
      });
    })
    .join('\n');
}

function columnOfCell({ kernel, compressor, values }: NamedCell): Column {
  return { kernel, compressor, shown: (row) => formatValue(values[row.key], row) };
}

/** The letter's last column, where a table compares two kernels. */
function changeOf(columns: readonly NamedCell[]): Pick<Table, 'change'> {
  const [base, changed, ...more] = columns;
  if (base === undefined || changed === undefined || more.length > 0) return {};
  const head =
    base.store === 'sequential' && changed.store === 'batch'
      ? ['IAA Batching', 'vs.', 'IAA Sequential']
      : [`${changed.kernel} ${changed.compressor}`, 'improvement'];
  return {
    change: {
      head,
      shown(row: Row) {
        const [from, to] = [base.values[row.key], changed.values[row.key]];
        return row.change === true && from !== undefined && to !== undefined ? percent(from, to) : '';
      },
    },
  };
}

/** By how much a value changed, in whole percent. */
function percent(from: number, to: number): string {
  // -0 would print a sign.
  return `${Math.round(((to - from) / from) * 100) + 0}%`;
}

/** The rows that at least one of the cells has. */
function present(groups: readonly (readonly Row[])[], cells: readonly NamedCell[]): Row[][] {
  return groups.map((rows) =>
    rows.filter(({ key }) => cells.some(({ values }) => values[key] !== undefined)),
  );
}

type NonEmpty = readonly [NamedCell, ...NamedCell[]];

/** Cells of one table each, in the order in which the tables first appear. */
function unique(cells: readonly NamedCell[], keyOf: (cell: NamedCell) => string): NonEmpty[] {
  const tables = new Map<string, [NamedCell, ...NamedCell[]]>();
  for (const cell of cells) {
    const key = keyOf(cell);
    const table = tables.get(key);
    if (table === undefined) tables.set(key, [cell]);
    else table.push(cell);
  }
  return [...tables.values()];
}

const isUsemem = (workload: string): boolean => /^usemem\d*$/.test(workload);
const usememKey = ({ workload, folio, compressor }: NamedCell): string =>
  `${workload} ${folio} ${compressor}`;
const buildKey = ({ workload, folio }: NamedCell): string => `${workload} ${folio}`;

/** kernel-build-allmodconfig as the letter has it. */
function buildTitle(workload: string): string {
  const config = /^kernel-build-(.+)$/.exec(workload)?.[1];
  return config === undefined ? workload : `Kernel compilation/${config}`;
}

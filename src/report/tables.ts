import {
  type CellSet,
  folioKey,
  type MeasuredCell,
  type MeasuredSet,
  type NamedCell,
} from '../study/cells.js';
import { printedSource } from '../study/projections.js';
import { type AnyCell, derivedRows, iaaRows, isBuild, type Row, rowsOf, spreadRows } from './rows.js';
import { type Change, type Column, folioTitle, renderTable, type Table } from './table.js';
import { formatValue } from './value.js';

type Cells = readonly [AnyCell, ...AnyCell[]];

/**
 * Cells as the cover letter's tables. For kernel builds there is one for each folio size, with all kernels and
 * compressors; so for usemem on one kernel; on several kernels one for each compressor, too, with the change from the
 * first kernel to the second. Other axes have tables of their own. With `against`, the cells there that are of the same
 * workload, folio size and compressor stand beside.
 */
export function letterTables(set: CellSet | MeasuredSet, against?: CellSet): string {
  const { source } = set;
  const machine = 'machine' in set ? ` (${set.machine})` : '';
  return groups(set.cells, ({ experiment, workload, folio, settings }: AnyCell) =>
    JSON.stringify([experiment, workload, folio, settings]),
  )
    .flatMap((cells) =>
      isBuild(cells[0].workload) || !severalKernels(cells) ? [cells] : groups(cells, compressorOf),
    )
    .map((cells) => renderTable(tableOf(cells, source, machine, against)))
    .join('\n');
}

const compressorOf = ({ compressor }: AnyCell): string => compressor;
const severalKernels = (cells: Cells): boolean => cells.some(({ kernel }) => kernel !== cells[0].kernel);

/** Cells with the same key, in the order in which the keys first come. */
function groups(cells: readonly AnyCell[], keyOf: (cell: AnyCell) => string): Cells[] {
  const found = new Map<string, [AnyCell, ...AnyCell[]]>();
  for (const cell of cells) {
    const group = found.get(keyOf(cell));
    if (group === undefined) found.set(keyOf(cell), [cell]);
    else group.push(cell);
  }
  return [...found.values()];
}

function tableOf(cells: Cells, source: string, machine: string, against: CellSet | undefined): Table {
  const [{ experiment, workload, folio, settings = {}, compressor }] = cells;
  const kernels = severalKernels(cells);
  const measured = cells.filter((cell): cell is AnyCell & MeasuredCell => cell.n !== undefined);
  const counterparts = (cell: AnyCell): readonly NamedCell[] => {
    const alike = (against?.cells ?? []).filter(
      (other) => other.workload === workload && other.folio === folio && other.compressor === cell.compressor,
    );
    const sameKernel = alike.filter(({ kernel }) => kernel === cell.kernel);
    return sameKernel.length > 0 ? sameKernel : alike;
  };
  // The first word of where numbers are from tells one column from another.
  const [own, beside] = [source, against?.source].map((text) => text?.split(' ')[0] ?? '') as [
    string,
    string,
  ];
  const pairs = kernels && !isBuild(cells[0].workload);
  const rows = [
    ...rowsOf(workload, `${folio}B`),
    ...(measured.length === 0 ? [] : [derivedRows]),
    ...(measured.some(({ usesIaa }) => usesIaa) ? [iaaRows] : []),
  ];
  return {
    title: [
      `${folioTitle(folio)} folios: ${experiment ?? titleOf(workload)}`,
      ...(kernels && !isBuild(cells[0].workload) ? [compressor] : []),
      ...Object.entries(settings).map(([path, name]) => `${path} ${name}`),
    ].join(': '),
    sources: [
      `source: ${printedSource(source, cells)}${machine}`,
      ...(against === undefined
        ? []
        : [`beside: ${printedSource(against.source, cells.flatMap(counterparts))}`]),
    ],
    withKernels: kernels || against !== undefined,
    columns: cells.flatMap((cell) => [
      { ...columnOf(cell), ...(against === undefined ? {} : { origin: own }) },
      ...counterparts(cell).map((other) => ({ ...columnOf(other), origin: beside })),
    ]),
    groups: [
      // A published table has no rows for what it does not tell.
      ...(measured.length === 0 ? rows.map((group) => group.filter((row) => isTold(row, cells))) : rows),
      ...(measured.some(({ n }) => n > 1) ? [spreadRows(workload, measured)] : []),
    ],
    changes: !pairs
      ? []
      : against === undefined
        ? changesOf(cells)
        : [...changesOf(cells, own), ...changesOf(distinctCells(cells.flatMap(counterparts)), beside)],
    notes: [
      ...measured.flatMap((cell) => notes(cell, kernels)),
      ...(against === undefined
        ? []
        : cells
            .filter((cell) => counterparts(cell).length === 0)
            .map(
              (cell) =>
                ` note    ${cell.compressor}: no cell of ${workload}, ${folioKey(folio)} to set beside it`,
            )),
    ],
  };
}

const isTold = ({ key }: Row, cells: Cells): boolean => cells.some(({ values }) => values[key] !== undefined);

function columnOf(cell: AnyCell): Column {
  const { kernel, compressor, values, n, invalid = [] } = cell;
  return {
    kernel,
    compressor,
    shown(row) {
      if (n === 0) return invalid.length > 0 ? 'INVALID' : 'FAILED';
      return row.text?.(cell) ?? formatValue(values[row.key], row);
    },
  };
}

const distinctCells = (cells: readonly NamedCell[]): NamedCell[] => [...new Set(cells)];

/** The letter's last column, where a table compares two kernels. */
function changesOf(cells: readonly AnyCell[], origin?: string): Change[] {
  const [base, changed, ...more] = cells;
  if (base === undefined || changed === undefined || more.length > 0) return [];
  const head =
    base.store === 'sequential' && changed.store === 'batch'
      ? ['IAA Batching', 'vs.', 'IAA Sequential']
      : [`${changed.kernel} ${changed.compressor}`, 'improvement'];
  return [
    {
      head,
      origin,
      shown(row: Row) {
        const [from, to] = [base.values[row.key], changed.values[row.key]];
        return row.change === true && from && to !== undefined ? percent(from, to) : '';
      },
    },
  ];
}

/** By how much a value changed, in whole percent. */
function percent(from: number, to: number): string {
  // -0 would print a sign.
  return `${Math.round(((to - from) / from) * 100) + 0}%`;
}

/** What follows the table of a cell: why it has no numbers, what to know of them. */
function notes(
  { compressor, kernel, failures, invalid, warnings }: MeasuredCell,
  kernels: boolean,
): string[] {
  const name = kernels ? `${compressor} on ${kernel}` : compressor;
  return [
    ...distinct(failures).map((failure) => ` FAILED  ${name}: ${failure}`),
    ...distinct(invalid).map((reason) => ` INVALID ${name}: ${reason}`),
    ...distinct(warnings).map((warning) => ` note    ${name}: ${warning}`),
  ];
}

/** Each text once, with how often it was said. */
function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)].map((text) => {
    const count = texts.filter((each) => each === text).length;
    return count === 1 ? text : `${text} (${count} times)`;
  });
}

/** kernel-build-allmodconfig as the letter has it. */
function titleOf(workload: string): string {
  const config = /^kernel-build-(.+)$/.exec(workload)?.[1];
  return config === undefined ? workload : `Kernel compilation/${config}`;
}

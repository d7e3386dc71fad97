import type { Row } from './rows.js';

/** A column: what it is headed with, and its text for a row. */
export interface Column {
  readonly kernel: string;
  readonly compressor: string;
  /** Where its numbers are from, where that differs from column to column. */
  readonly origin?: string;
  readonly shown: (row: Row) => string;
}

/** A column that tells by how much others differ: its head, one word or more a line, and its text for a row. */
export interface Change {
  readonly head: readonly string[];
  readonly origin?: string | undefined;
  readonly shown: (row: Row) => string;
}

export interface Table {
  /** Without the colon at its end. */
  readonly title: string;
  /** Lines between title and columns: where the numbers are from. */
  readonly sources: readonly string[];
  /** Whether the kernels head the columns. */
  readonly withKernels: boolean;
  readonly columns: readonly Column[];
  readonly groups: readonly (readonly Row[])[];
  /** Last columns. */
  readonly changes: readonly Change[];
  /** Lines below. */
  readonly notes?: readonly string[];
}

const labelWidth = 24;
const smallestColumn = 14;
const smallestChange = 18;

/** A table in the cover letter's form. */
export function renderTable({
  title,
  sources,
  withKernels,
  columns,
  groups,
  changes,
  notes = [],
}: Table): string {
  // The first kernel's name has the labels' room, too.
  const texts = columns.flatMap(({ kernel, compressor, origin, shown }, index) => [
    ...(withKernels && index > 0 ? [kernel] : []),
    origin ?? '',
    compressor,
    ...groups.flat().map((row) => shown(row)),
  ]);
  const width = Math.max(smallestColumn, ...texts.map((text) => text.length + 2));
  const changeWidth = Math.max(
    smallestChange,
    ...changes.flatMap(({ head }) => head.map((text) => text.length + 2)),
  );
  const line = ` ${'-'.repeat(labelWidth + width * columns.length + changeWidth * changes.length)}`;
  const print = (label: string, cells: readonly string[], last: readonly string[] = []): string =>
    ` ${label.padEnd(labelWidth)}${cells.map((cell) => cell.padStart(width)).join('')}${last.map((text) => text.padStart(changeWidth)).join('')}`.trimEnd();
  const kernels = columns.map(({ kernel }) => kernel);
  const overhang = Math.max(0, (kernels[0]?.length ?? 0) - width);
  const origins = columns.map(({ origin = '' }) => origin);
  const headLines = Math.max(1, ...changes.map(({ head }) => head.length));
  return [
    ` ${title}:`,
    ` ${'='.repeat(title.length + 1)}`,
    ...sources.map((source) => ` ${source}`),
    line,
    ...(withKernels ? [print('', kernels).slice(overhang), line] : []),
    ...(origins.some((origin) => origin !== '')
      ? [
          print(
            '',
            origins,
            changes.map(({ origin = '' }) => origin),
          ),
        ]
      : []),
    ...Array.from({ length: headLines }, (_, at) =>
      print(
        at === 0 ? 'zswap compressor' : '',
        columns.map(({ compressor }) => (at === 0 ? compressor : '')),
        changes.map(({ head }) => head[at] ?? ''),
      ),
    ),
    line,
    ...groups.flatMap((group) => [
      ...group.map((row) =>
        print(
          row.label,
          columns.map((column) => column.shown(row)),
          changes.map(({ shown }) => shown(row)),
        ),
      ),
      line,
    ]),
    ...notes,
    '',
  ].join('\n');
}

/** `64K`, `2M`: as the letter writes folio sizes in its titles. */
export function folioTitle(folio: string): string {
  const kib = Number.parseInt(folio, 10);
  return kib >= 1024 && kib % 1024 === 0 ? `${kib / 1024}M` : `${kib}K`;
}

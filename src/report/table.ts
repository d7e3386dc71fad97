import type { Row } from './rows.js';

/** A column: what it is headed with, and its text for a row. */
export interface Column {
  readonly kernel: string;
  readonly compressor: string;
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
  /** A last column: its head, one word or more a line, and its text for a row. */
  readonly change?: { readonly head: readonly string[]; readonly shown: (row: Row) => string };
  /** Lines below. */
  readonly notes?: readonly string[];
}

const labelWidth = 24;
const smallestColumn = 14;
const changeWidth = 18;

/** A table in the cover letter's form. */
export function renderTable({
  title,
  sources,
  withKernels,
  columns,
  groups,
  change,
  notes = [],
}: Table): string {
  // The first kernel's name has the labels' room, too.
  const texts = columns.flatMap(({ kernel, compressor, shown }, index) => [
    ...(withKernels && index > 0 ? [kernel] : []),
    compressor,
    ...groups.flat().map((row) => shown(row)),
  ]);
  const width = Math.max(smallestColumn, ...texts.map((text) => text.length + 2));
  const line = ` ${'-'.repeat(labelWidth + width * columns.length + (change === undefined ? 0 : changeWidth))}`;
  const print = (label: string, cells: readonly string[], last = ''): string =>
    ` ${label.padEnd(labelWidth)}${cells.map((cell) => cell.padStart(width)).join('')}${last.padStart(changeWidth)}`.trimEnd();
  const kernels = columns.map(({ kernel }) => kernel);
  const overhang = Math.max(0, (kernels[0]?.length ?? 0) - width);
  const [firstHead = '', ...moreHeads] = change?.head ?? [];
  return [
    ` ${title}:`,
    ` ${'='.repeat(title.length + 1)}`,
    ...sources.map((source) => ` ${source}`),
    line,
    ...(withKernels ? [print('', kernels).slice(overhang), line] : []),
    print(
      'zswap compressor',
      columns.map(({ compressor }) => compressor),
      firstHead,
    ),
    ...moreHeads.map((head) =>
      print(
        '',
        columns.map(() => ''),
        head,
      ),
    ),
    line,
    ...groups.flatMap((group) => [
      ...group.map((row) =>
        print(
          row.label,
          columns.map((column) => column.shown(row)),
          change?.shown(row),
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

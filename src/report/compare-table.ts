import {
  type Comparison,
  changeOf,
  type Estimate,
  type PointComparison,
  type RowComparison,
  significance,
  type WorkloadComparison,
} from '../study/compare.js';
import { type Check, type GateResult, gateAlpha } from '../study/gate.js';
import { derivedRows, iaaRows, type Row, rowsOf } from './rows.js';
import { formatValue } from './value.js';

const labelWidth = 24;
const valueWidth = 13;
const spreadWidth = 8;
const changeWidth = 10;
const line = ` ${'-'.repeat(labelWidth + 2 * (valueWidth + spreadWidth) + changeWidth + 16)}`;

/** A comparison: one table for each workload, with a part for each cell. Cells without counterpart follow the last. */
export function compareTables(comparison: Comparison): string {
  const { workloads, onlyBase, onlyNew } = comparison;
  const missing = [
    ...onlyBase.map((name) => ` note    ${name}: not in ${comparison.new}`),
    ...onlyNew.map((name) => ` note    ${name}: not in ${comparison.base}`),
  ];
  const tables = workloads.map((workload) => tableOf(comparison, workload).join('\n'));
  return `${[tables.join('\n\n'), ...missing].join('\n')}\n`;
}

function tableOf(
  { base, new: changed, source, machine }: Comparison,
  workload: WorkloadComparison,
): string[] {
  const { differences, points } = workload;
  const title = `Comparison: ${workload.workload}:`;
  return [
    ` ${title}`,
    ` ${'='.repeat(title.length)}`,
    ` source: ${source} (${machine})`,
    ` base:   ${base}`,
    ` new:    ${changed}`,
    ...differences.map(({ name, base: from, new: to }) => ` ${name}: ${from} -> ${to}`),
    line,
    printed('', 'base'.padStart(valueWidth), 'new'.padStart(valueWidth), 'change'),
    line,
    ...points.flatMap((point) => [...pointLines(workload.workload, point), line]),
    ...legend(points),
  ];
}

function printed(label: string, base: string, changed: string, change = '', test = ''): string {
  const side = (text: string): string => text.padEnd(valueWidth + spreadWidth);
  return ` ${label.padEnd(labelWidth)}${side(base)}${side(changed)}${change.padStart(changeWidth)}  ${test}`.trimEnd();
}

function pointLines(workload: string, point: PointComparison): string[] {
  const rows = labelled(workload, point);
  const zero = rows.filter(([, row]) => isZero(row.base) && isZero(row.new));
  return [
    ...(point.name === '' ? [] : [` ${point.name}`]),
    ...rows.filter((row) => !zero.includes(row)).map(([row, values]) => rowLine(row, values, point)),
    ...(zero.length === 0
      ? []
      : wrapped(
          ' always 0: ',
          zero.map(([{ label }]) => label),
        )),
  ];
}

/** The rows in the order of the letter's tables; others follow in their own. */
function labelled(workload: string, { base, rows }: PointComparison): [Row, RowComparison][] {
  const known = [...rowsOf(workload, `${base.folio}B`), derivedRows, iaaRows].flat();
  const place = (key: string): number => {
    const index = known.findIndex((row) => row.key === key);
    return index === -1 ? known.length : index;
  };
  return rows
    .map((row): [Row, RowComparison] => {
      const { key } = row;
      const whole = [row.base?.median ?? 0, row.new?.median ?? 0].every(Number.isInteger);
      return [known.find((each) => each.key === key) ?? { label: key, key, decimals: whole ? 0 : 2 }, row];
    })
    .sort(([a], [b]) => place(a.key) - place(b.key));
}

const isZero = (side: Estimate | undefined): boolean => side?.spread.every((value) => value === 0) ?? false;

function rowLine(
  row: Row,
  { key, base, new: changed, change }: RowComparison,
  point: PointComparison,
): string {
  const test = point.primary?.key === key ? point.primary : undefined;
  return printed(
    row.label,
    shownSide(base, row),
    shownSide(changed, row),
    test?.significant === false ? '~' : change === undefined ? '--' : shownPercent(change),
    test === undefined || base === undefined || changed === undefined
      ? ''
      : `${shownChance(test.p)} n=${base.n === changed.n ? base.n : `${base.n}+${changed.n}`}`,
  );
}

function shownSide(side: Estimate | undefined, row: Row): string {
  return `${formatValue(side?.median, row).padStart(valueWidth)}${side === undefined ? '' : shownSpread(side)}`;
}

/** How far the interval or, marked, the range goes from the median to the farther side. */
function shownSpread({ n, median, interval, spread }: Estimate): string {
  const [low, high] = interval ?? spread;
  const part = Math.abs(changeOf(median, median + Math.max(high - median, median - low)) ?? Number.NaN) * 100;
  if (n === 1 || Number.isNaN(part)) return '';
  return ` ±${part < 9.95 ? part.toFixed(1) : part.toFixed(0)}%${interval === undefined ? '*' : ''}`;
}

function shownPercent(part: number): string {
  // -0 would print a sign.
  const percent = Number((part * 100).toFixed(2)) + 0;
  return `${percent > 0 ? '+' : ''}${percent.toFixed(2)}%`;
}

const shownChance = (p: number): string => (p < 0.0005 ? 'p<0.001' : `p=${p.toFixed(3)}`);

/** Words after a head, in lines as wide as the table. */
function wrapped(head: string, words: readonly string[]): string[] {
  const lines = [head];
  for (const [index, word] of words.entries()) {
    const text = index < words.length - 1 ? `${word}, ` : word;
    const last = lines.at(-1) ?? '';
    if ((last + text).trimEnd().length <= line.length) lines[lines.length - 1] = last + text;
    else lines.push(' '.repeat(head.length) + text);
  }
  return lines.map((text) => text.trimEnd());
}

/** What the signs in a table mean. */
function legend(points: readonly PointComparison[]): string[] {
  const sides = points.flatMap(({ rows }) => rows.flatMap(({ base, new: changed }) => [base, changed]));
  const some = (has: (side: Estimate) => boolean): boolean =>
    sides.some((side) => side !== undefined && has(side));
  const tests = points.flatMap(({ primary }) => primary ?? []);
  return [
    ...(some(({ interval }) => interval !== undefined) ? [' ± 95% interval of the median (bootstrap)'] : []),
    ...(some(({ n, interval }) => n > 1 && interval === undefined)
      ? [' ±* range of the values: fewer than 6 have no 95% interval']
      : []),
    ...(tests.length > 0
      ? [
          ` p two-sided Mann-Whitney, of this one row; ~ where it is not below ${significance}`,
          '   the other rows are described, not tested',
        ]
      : []),
    ...(tests.some(({ reachable }) => !reachable)
      ? [' note    too few repetitions for any difference to be significant: it takes 4 on both sides']
      : []),
  ];
}

/** What a gate has found: a line for each check, those that fire with FAILED. */
export function gateLines({ alpha, aa, checks }: GateResult): string {
  const shown = (check: Check): string =>
    ` ${check.fires ? 'FAILED' : 'ok    '}  ${check.condition}  ${check.point}: ${reason(check, alpha)}`;
  const limit =
    checks.length === 1 ? '' : `, p < ${Number(alpha.toPrecision(3))} in each of ${checks.length} checks`;
  return [
    ` gate: false alarms at most ${gateAlpha * 100}%${limit}; sd of ${aa ?? 'the records themselves'}`,
    ...checks.map(shown),
    '',
  ].join('\n');
}

function reason({ base, new: changed, change, p, noise, ...is }: Check, alpha: number): string {
  const sd = changeOf(base, base + noise);
  const text = [
    change === undefined ? `${base} -> ${changed}` : shownPercent(change),
    shownP(p),
    `sd ${sd === undefined ? noise : `${Math.abs(sd * 100).toFixed(2)}%`}`,
  ].join(', ');
  if (is.fires) return text;
  const missing = [
    ...(is.beyondThreshold ? [] : ['within the threshold']),
    ...(is.beyondNoise ? [] : ['within one sd']),
    ...(is.significant ? [] : [`p not below ${Number(alpha.toPrecision(3))}`]),
  ];
  return `${text} (${missing.join(', ')})`;
}

/** To two digits: a gate's limits are small. */
const shownP = (p: number): string => `p=${p < 0.0001 ? p.toExponential(1) : Number(p.toPrecision(2))}`;

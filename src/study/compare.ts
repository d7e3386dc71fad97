import { mannWhitney, smallestChance } from './mann-whitney.js';
import {
  type Difference,
  matchPoints,
  type Point,
  type SampledCell,
  type SampledSet,
  valuesOf,
} from './points.js';
import { printedSource } from './projections.js';
import { median, medianInterval } from './statistics.js';

/** A difference counts as one when equal sides would show it in fewer than one of twenty comparisons. */
export const significance = 0.05;

/** One side's values of a row. */
export interface Estimate {
  /** Repetitions. */
  readonly n: number;
  readonly median: number;
  /** Smallest and largest. */
  readonly spread: readonly [number, number];
  /** Of the median, 95%; not there for fewer than six values. */
  readonly interval?: readonly [number, number];
}

export interface RowComparison {
  /** Name of the value, as zswpout. */
  readonly key: string;
  /** Not there where a side does not have the row. */
  readonly base?: Estimate;
  readonly new?: Estimate;
  /**
   * By what part of the base's median the other differs from it, as -0.03; not there where that is 0 and the other is
   * not. The ratio of the medians was chosen because it is what a reader gets from the two numbers beside it.
   */
  readonly change?: number;
}

/** The test of a point, of one row alone: every further row would be one more chance to find a difference by chance. */
export interface PrimaryTest {
  readonly key: string;
  /** Pairs of a base and a new value in which the new one is larger, ties counted half. */
  readonly u: number;
  /** Two-sided. */
  readonly p: number;
  readonly method: 'exact' | 'normal';
  readonly significant: boolean;
  /** Whether so few repetitions can be significant at all: it takes four on both sides. */
  readonly reachable: boolean;
}

/** What tells a cell from others of its workload. */
export type CellIdentity = Omit<SampledCell, 'workload' | 'samples'>;

export interface PointComparison {
  /** Where it lies in the matrix, as `64k, zstd`. */
  readonly name: string;
  readonly base: CellIdentity;
  readonly new: CellIdentity;
  /** Not there where a side does not have the row. */
  readonly primary?: PrimaryTest;
  readonly rows: readonly RowComparison[];
}

export interface WorkloadComparison {
  readonly workload: string;
  readonly differences: readonly Difference[];
  readonly points: readonly PointComparison[];
}

/** Plain JSON. */
export interface Comparison {
  /** Names of the sides. */
  readonly base: string;
  readonly new: string;
  readonly source: string;
  readonly machine: string;
  readonly workloads: readonly WorkloadComparison[];
  /** Cells that the other side does not have. */
  readonly onlyBase: readonly string[];
  readonly onlyNew: readonly string[];
}

/** The row that a workload is judged by: the first of these that it has. */
const primaryRows = ['total_throughput_kb_s', 'total_throughput', 'real_s', 'pageout_p50_ns', 'elapsed_s'];

/** Compares what was measured before a change with what was measured after it. Throws as matchPoints does. */
export function compare(base: SampledSet, changed: SampledSet): Comparison {
  const { workloads, onlyBase, onlyNew } = matchPoints(base, changed);
  return {
    base: base.name,
    new: changed.name,
    source: printedSource(
      base.source,
      workloads.flatMap(({ points }) => points.flatMap((point) => [point.base, point.new])),
    ),
    machine: base.machine,
    workloads: workloads.map(({ points, ...workload }) => ({
      ...workload,
      points: points.map(comparePoint),
    })),
    onlyBase,
    onlyNew,
  };
}

function comparePoint(point: Point): PointComparison {
  const keys = [...new Set([point.base, point.new].flatMap(({ samples }) => Object.keys(samples)))];
  const primary = primaryRows.find((key) => keys.includes(key));
  const test = primary === undefined ? undefined : testOf(point, primary);
  return {
    name: point.name,
    base: identity(point.base),
    new: identity(point.new),
    ...(test === undefined ? {} : { primary: test }),
    rows: keys.flatMap((key) => rowOf(point, key) ?? []),
  };
}

function identity({ folio, compressor, kernel, settings }: SampledCell): CellIdentity {
  return { folio, compressor, kernel, ...(settings === undefined ? {} : { settings }) };
}

function testOf(point: Point, key: string): PrimaryTest | undefined {
  const [base, changed] = [valuesOf(point.base, key), valuesOf(point.new, key)];
  if (base.length === 0 || changed.length === 0) return undefined;
  const { u, different, method } = mannWhitney(base, changed);
  const reachable = 2 * smallestChance(base.length, changed.length) < significance;
  return { key, u, p: different, method, significant: different < significance, reachable };
}

function rowOf(point: Point, key: string): RowComparison | undefined {
  const [base, changed] = [estimate(valuesOf(point.base, key)), estimate(valuesOf(point.new, key))];
  if (base === undefined && changed === undefined) return undefined;
  const change =
    base === undefined || changed === undefined ? undefined : changeOf(base.median, changed.median);
  return {
    key,
    ...(base === undefined ? {} : { base }),
    ...(changed === undefined ? {} : { new: changed }),
    ...(change === undefined ? {} : { change }),
  };
}

function estimate(values: readonly number[]): Estimate | undefined {
  const middle = median(values);
  if (middle === undefined) return undefined;
  const interval = medianInterval(values);
  return {
    n: values.length,
    median: middle,
    spread: [Math.min(...values), Math.max(...values)],
    ...(interval === undefined ? {} : { interval }),
  };
}

/** The part by which the second differs from the first; undefined where the first is 0 and the second is not. */
export function changeOf(from: number, to: number): number | undefined {
  if (from === to) return 0;
  return from === 0 ? undefined : (to - from) / Math.abs(from);
}

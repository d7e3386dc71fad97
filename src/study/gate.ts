import { UsageError } from '../errors.js';
import { changeOf } from './compare.js';
import { mannWhitney, smallestChance, smallestSize } from './mann-whitney.js';
import {
  cellName,
  checkOrigin,
  matchPoints,
  type Point,
  type SampledSet,
  valuesAlike,
  valuesOf,
} from './points.js';
import { median, pooledStandardDeviation } from './statistics.js';

/** How often a gate may fire where nothing has changed, all its conditions and cells together. */
export const gateAlpha = 0.01;

/** What a gate looks for, as `throughput < -3%`: that a row has changed by more than this, to this side. */
export interface Condition {
  readonly text: string;
  /** Name of the value. */
  readonly key: string;
  readonly side: '<' | '>';
  /** With its sign. */
  readonly percent: number;
}

/** One condition at one cell. */
export interface Check {
  /** The condition. */
  readonly condition: string;
  readonly key: string;
  /** The cell, as `usemem30: 64k, zstd`. */
  readonly point: string;
  /** Medians. */
  readonly base: number;
  readonly new: number;
  /** As a part of the base's median; not there where that is 0 and the other is not. */
  readonly change?: number;
  /** One-sided, to the side of the condition. */
  readonly p: number;
  /** The standard deviation of equal measurements, in the row's unit. */
  readonly noise: number;
  /** p is below the gate's alpha for each check. */
  readonly significant: boolean;
  /** The medians differ by more than the condition allows. */
  readonly beyondThreshold: boolean;
  /** They differ by more than `noise`. */
  readonly beyondNoise: boolean;
  /** All three. */
  readonly fires: boolean;
}

/** Plain JSON. */
export interface GateResult {
  /** Whether any check does. */
  readonly fires: boolean;
  /** Below which p counts: 0.01 divided by the number of checks (Bonferroni). */
  readonly alpha: number;
  /** Name of the A/A record that the noise is from; not there where it is from the compared records themselves. */
  readonly aa?: string;
  readonly checks: readonly Check[];
}

/** Short names of rows; others are named as the cells name them. */
const rowNames: Readonly<Record<string, string>> = {
  throughput: 'total_throughput_kb_s',
  elapsed: 'elapsed_s',
  sys: 'sys_s',
};

const conditionHint =
  "as 'throughput < -3%' or 'elapsed > 5%'; rows are throughput, elapsed, sys and the names in report --json";

/** Reads a condition. Throws UsageError. */
export function parseCondition(text: string): Condition {
  const fail = (why: string): never => {
    throw new UsageError(`'${text}' is no condition: ${why}`, { hint: conditionHint });
  };
  const parts = /^\s*([\w.-]*?)\s*([<>=!]+)\s*(.*?)\s*$/.exec(text);
  if (parts === null) return fail('expected ROW < -N% or ROW > N%');
  const [, name = '', side = '', threshold = ''] = parts;
  if (name === '') return fail('it names no row');
  if (side !== '<' && side !== '>') return fail(`expected < or >, found ${side}`);
  const number = /^([+-]?\d{1,9}(?:\.\d{1,9})?)\s*(%?)$/.exec(threshold);
  if (number === null) return fail(`expected a percentage, found '${threshold}'`);
  if (number[2] === '') return fail(`the threshold is a percentage: ${threshold}%`);
  const percent = Number(number[1]);
  if (side === '<' && percent > 0) return fail(`a loss has a minus: < -${percent}%`);
  if (side === '>' && percent < 0) return fail(`a gain has no minus: > ${-percent}%`);
  if (percent <= -100) return fail('nothing loses more than 100%');
  return {
    text: text.trim(),
    key: Object.hasOwn(rowNames, name) ? (rowNames[name] ?? name) : name,
    side,
    percent,
  };
}

interface Task {
  readonly condition: Condition;
  readonly point: Point;
  readonly name: string;
  readonly base: readonly number[];
  readonly new: readonly number[];
}

/**
 * Decides whether the change made something worse (or better) than the conditions allow. A check fires when three things
 * hold: a one-sided Mann-Whitney test is below 0.01 divided by the number of checks; the medians differ by more than the
 * threshold; and by more than one standard deviation of equal measurements: those of the A/A record, or else those of each
 * side around its own mean, pooled.
 *
 * Throws UsageError, and lets nothing pass, where it cannot decide: the sides do not compare, the changed side lacks a
 * cell of the base, a side has no values of a cell or of a row that the other has, no cell has the row, the A/A record
 * lacks a cell, or there are too few repetitions for any p to come below that limit.
 */
export function gate(
  conditions: readonly Condition[],
  base: SampledSet,
  changed: SampledSet,
  aa?: SampledSet,
): GateResult {
  const tasks = tasksOf(conditions, base, changed);
  if (aa !== undefined) checkOrigin(base, aa);
  const alpha = gateAlpha / tasks.length;
  checkSizes(tasks, alpha);
  const checks = tasks.map((task) => check(task, alpha, noiseOf(task, aa)));
  return {
    fires: checks.some(({ fires }) => fires),
    alpha,
    ...(aa === undefined ? {} : { aa: aa.name }),
    checks,
  };
}

function tasksOf(conditions: readonly Condition[], base: SampledSet, changed: SampledSet): Task[] {
  if (conditions.length === 0) throw new UsageError('the gate has no condition', { hint: conditionHint });
  const { workloads, onlyBase } = matchPoints(base, changed);
  if (onlyBase.length > 0) {
    throw new UsageError(`${changed.name} lacks cells of ${base.name}: ${onlyBase.join('; ')}`, {
      hint: 'a gate does not pass what was not measured: repeat these cells, or leave them out of the base',
    });
  }
  for (const { workload, points } of workloads) {
    for (const { name, ...sides } of points) {
      const empty = [
        { set: base, cell: sides.base },
        { set: changed, cell: sides.new },
      ].find(({ cell: { samples } }) => Object.values(samples).every((values) => values.length === 0));
      if (empty === undefined) continue;
      throw new UsageError(`${empty.set.name} has no valid repetition of ${cellName(workload, name)}`, {
        hint: 'a gate does not pass what was not measured: repeat this cell',
      });
    }
  }
  return conditions.flatMap((condition) => {
    const { key } = condition;
    const tasks = workloads.flatMap(({ workload, points }) =>
      points.flatMap((point): Task[] => {
        const values = { base: valuesOf(point.base, key), new: valuesOf(point.new, key) };
        const name = cellName(workload, point.name);
        const lacking = [base, changed].filter((_, index) => [values.base, values.new][index]?.length === 0);
        if (lacking.length === 1) {
          throw new UsageError(`${lacking[0]?.name} has no ${key} at ${name}, the other has`);
        }
        return lacking.length === 2 ? [] : [{ condition, point, name, ...values }];
      }),
    );
    if (tasks.length > 0) return tasks;
    const keys = workloads.flatMap(({ points }) =>
      points.flatMap((point) => Object.keys(point.base.samples)),
    );
    throw new UsageError(`'${condition.text}': no cell has ${key}`, {
      hint: `the rows are ${[...new Set(keys)].join(', ')}`,
    });
  });
}

/** Refuses to test what cannot fail. */
function checkSizes(tasks: readonly Task[], alpha: number): void {
  const short = tasks.filter(
    ({ base, new: changed }) => smallestChance(base.length, changed.length) >= alpha,
  );
  const [first] = short;
  if (first === undefined) return;
  const others = short.length === 1 ? '' : ` (and ${short.length - 1} more)`;
  throw new UsageError(
    `too few repetitions for this gate to fire: ${first.name} has ${first.base.length} and ${first.new.length}${others}`,
    {
      hint: `${tasks.length} ${tasks.length === 1 ? 'check takes' : 'checks take'} at least ${smallestSize(alpha)} on both sides`,
    },
  );
}

function noiseOf({ condition: { key }, point, name, ...values }: Task, aa: SampledSet | undefined): number {
  const samples =
    aa === undefined
      ? [values.base, values.new]
      : [point.base, point.new].map((cell) => valuesAlike(aa, point, cell, key));
  const noise = pooledStandardDeviation(samples);
  if (noise === undefined) {
    throw new UsageError(`${aa?.name} has no two values of ${key} for ${name}`, {
      hint: 'an A/A record is made of the same cells as the records that it judges',
    });
  }
  return noise;
}

function check({ condition, name, ...values }: Task, alpha: number, noise: number): Check {
  const { key, side, percent } = condition;
  const { less, greater } = mannWhitney(values.base, values.new);
  const [base = 0, changed = 0] = [median(values.base), median(values.new)];
  const change = changeOf(base, changed);
  const p = side === '<' ? less : greater;
  const moved = side === '<' ? base - changed : changed - base;
  const significant = p < alpha;
  const beyondThreshold = moved * 100 > Math.abs(percent * base);
  const beyondNoise = moved > noise;
  return {
    condition: condition.text,
    key,
    point: name,
    base,
    new: changed,
    ...(change === undefined ? {} : { change }),
    p,
    noise,
    significant,
    beyondThreshold,
    beyondNoise,
    fires: significant && beyondThreshold && beyondNoise,
  };
}

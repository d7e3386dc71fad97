import { ParseError, UsageError } from '../errors.js';
import { isIaaCompressor } from '../kernel/iaa-crypto.js';
import type { CellResult, Values } from './cell.js';
import type { Result } from './record.js';
import { median, medianInterval, smallestWithInterval } from './statistics.js';

/** A cell as tables and `--json` have it, whoever measured it. */
export interface NamedCell {
  /** As usemem30: usemem with 30 processes. */
  readonly workload: string;
  /** As 64k, 2048k. */
  readonly folio: string;
  readonly compressor: string;
  /** A release, or a name as v9. */
  readonly kernel: string;
  /** How zswap stores the pages of a folio, as far as is known. */
  readonly store: 'sequential' | 'batch' | undefined;
  /** Values of the axes that are keys of the experiment, by their paths; not there without such axes. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Mechanisms of the letter's roadmap: the values are projections of a model; not there without. */
  readonly projections?: readonly string[];
  readonly values: Values;
}

export interface CellSet {
  /** hardware, emulated, model; or who published it. */
  readonly source: string;
  readonly cells: readonly NamedCell[];
}

/** All repetitions of a cell, those of other runs too. */
export interface MeasuredCell extends NamedCell {
  /** Name of the experiment. */
  readonly experiment: string;
  /** Whether its compressor is one of IAA's. */
  readonly usesIaa: boolean;
  /** How many were measured: values are medians, those of invalid and failed cells left out. */
  readonly n: number;
  /** Smallest and largest of each value; where n > 1. */
  readonly spread?: Readonly<Record<string, readonly [number, number]>>;
  /** Bootstrap interval of each median, 95%; where n is 6 or more. */
  readonly interval?: Readonly<Record<string, readonly [number, number]>>;
  /** What ran, as `usemem -n 30 10g`. */
  readonly command: string;
  /** Each value of each repetition, in the order they were measured. */
  readonly samples: Readonly<Record<string, readonly number[]>>;
  /** Why cells were left out. */
  readonly invalid: readonly string[];
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
}

export interface MeasuredSet extends CellSet {
  /** The machine in one line. */
  readonly machine: string;
  /** The same without its kernels, with what tells it from others of its kind. */
  readonly hardware: string;
  readonly cells: readonly MeasuredCell[];
}

/**
 * The cells of results in the names of the published data, their repetitions together and warm-ups left out. Throws
 * UsageError for results that do not belong together: of different sources or machines.
 */
export function measuredSet(results: readonly Result[]): MeasuredSet {
  const [first] = results;
  if (first === undefined) throw new UsageError('there are no results', { hint: 'name a run' });
  for (const { source, hardware } of results) {
    if (source === first.source && hardware === first.hardware) continue;
    const what =
      source === first.source
        ? `numbers of two machines (${first.hardware}; ${hardware})`
        : `${first.source} and ${source} numbers`;
    throw new UsageError(`${what} do not belong into one set`, { hint: 'report them one by one' });
  }
  const groups = new Map<string, { result: Result; cells: CellResult[] }>();
  for (const result of results) {
    for (const cell of result.cells.filter(({ cell: { warmUp } }) => !warmUp)) {
      const { folio, compressor, settings } = cell.cell;
      const key = JSON.stringify([
        result.experiment,
        result.workload,
        folio,
        compressor,
        settings,
        cell.kernel,
        cell.batches,
        cell.command,
        cell.projections,
      ]);
      const group = groups.get(key) ?? { result, cells: [] };
      group.cells.push(cell);
      groups.set(key, group);
    }
  }
  const cells = [...groups.values()].map(({ result, cells: same }) => measuredCell(result, same));
  const machine = [...new Set(results.map((result) => result.machine))].join('; ');
  return { source: first.source, machine, hardware: first.hardware, cells };
}

function measuredCell({ experiment, workload }: Result, cells: readonly CellResult[]): MeasuredCell {
  const [first] = cells as readonly [CellResult];
  const good = cells.filter(({ state, invalid }) => state === 'complete' && invalid.length === 0);
  const keys = [...new Set(good.flatMap(({ values }) => Object.keys(values)))];
  const samples = keys.map((key): [string, number[]] => [
    key,
    good.flatMap(({ values }) => values[key] ?? []),
  ]);
  const { compressor, folio, settings } = first.cell;
  return {
    workload,
    folio: folioKey(folio),
    compressor,
    kernel: first.kernel,
    // Only IAA's acomp takes batches, and only with the driver of the patches (v9 11/19).
    store: isIaaCompressor(compressor) && first.batches ? 'batch' : 'sequential',
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
    ...(first.projections === undefined ? {} : { projections: first.projections }),
    values: Object.fromEntries(samples.map(([key, values]) => [key, median(values) ?? Number.NaN])),
    experiment,
    command: first.command,
    usesIaa: isIaaCompressor(compressor),
    n: good.length,
    ...(good.length > 1
      ? {
          spread: Object.fromEntries(
            samples.map(([key, values]) => [key, [Math.min(...values), Math.max(...values)] as const]),
          ),
        }
      : {}),
    ...(good.length >= smallestWithInterval
      ? {
          interval: Object.fromEntries(
            samples.flatMap(([key, values]) => {
              const interval = medianInterval(values);
              return interval === undefined ? [] : [[key, interval] as const];
            }),
          ),
        }
      : {}),
    samples: Object.fromEntries(samples),
    invalid: cells.flatMap(({ invalid }) => invalid),
    failures: cells.flatMap(({ failure }) => failure ?? []),
    warnings: cells.flatMap((cell) => cell.warnings),
  };
}

/** 64kB as the published data has it: 64k. */
export function folioKey(folio: string): string {
  return folio.replace(/kB$/, 'k');
}

/** A set of cells from JSON, as `report --json` prints it. Throws ParseError. */
export function parseCellSet(text: string, path: string): CellSet {
  const fail = (found: unknown, expected: string): never => {
    throw new ParseError({ path, found: String(JSON.stringify(found)).slice(0, 80), expected });
  };
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return fail(text, 'JSON');
  }
  const { source, cells } = object(set) ?? {};
  if (typeof source !== 'string' || !Array.isArray(cells)) return fail(set, '{ source, cells: [...] }');
  return {
    source,
    cells: cells.map((cell): NamedCell => {
      const { workload, folio, compressor, kernel, store, projections, values } = object(cell) ?? {};
      const words = [workload, folio, compressor, kernel];
      const [work = '', size = '', name = '', release = ''] = words.map((word) =>
        typeof word === 'string' ? word : fail(cell, 'a cell with workload, folio, compressor and kernel'),
      );
      if (store !== undefined && store !== 'sequential' && store !== 'batch')
        fail(store, 'sequential or batch');
      const areWords = Array.isArray(projections) && projections.every((word) => typeof word === 'string');
      if (projections !== undefined && !areWords) fail(projections, 'names of projections');
      const numbers = Object.entries(object(values) ?? fail(cell, 'a cell with values'));
      for (const [, value] of numbers) if (!Number.isFinite(value)) fail(value, 'a number');
      return {
        workload: work,
        folio: size,
        compressor: name,
        kernel: release,
        store: store as NamedCell['store'],
        ...(projections === undefined ? {} : { projections: projections as string[] }),
        values: Object.fromEntries(numbers) as Values,
      };
    }),
  };
}

function object(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

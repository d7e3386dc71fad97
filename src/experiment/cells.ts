import { Random } from '../random.js';
import type { Axis } from './matrix.js';
import type { Experiment } from './schema.js';

/** One combination of the matrix, once. */
export interface Cell {
  /** In the order in which they run, from 1. */
  readonly number: number;
  readonly compressor: string;
  /** Kernel's name of the folio size under test, as `64kB`. */
  readonly folio: string;
  /** Name of the kernel it runs on; undefined: whichever is running. */
  readonly kernel?: string;
  /** Names of the values of the other axes, by their paths. */
  readonly settings: Readonly<Record<string, string>>;
  /** From 1; those of warm-ups are counted apart. */
  readonly repetition: number;
  /** Runs before those that count. */
  readonly warmUp: boolean;
}

/** What tells which cells there are; a record's experiment does, too. */
type Plan = Pick<Experiment, 'repetitions' | 'warm_up' | 'order' | 'seed'> & {
  readonly matrix: Pick<Experiment['matrix'], 'compressor' | 'folio' | 'kernel' | 'axes'>;
};

type Point = Pick<Cell, 'compressor' | 'folio' | 'settings'>;

/** The axis that --aa adds: it changes nothing. */
export const aaAxis: Axis = {
  path: 'aa',
  keys: [],
  values: [
    { name: 'A', value: undefined },
    { name: 'B', value: undefined },
  ],
};

/**
 * The cells of an experiment in the order they run. Kernels come one after another, each with its own warm-ups. A round
 * has every point once: all compressors of one folio size, then the next size, then the next values of other axes.
 */
export function cellsOf(experiment: Plan): Cell[] {
  const { matrix, repetitions, warm_up, order, seed } = experiment;
  const points = pointsOf(experiment);
  const cells: Cell[] = [];
  const random = Random.seeded(seed);
  for (const kernel of matrix.kernel ?? [undefined]) {
    const add = (point: Point, repetition: number, warmUp: boolean): void => {
      const on = kernel === undefined ? {} : { kernel: kernel.name };
      cells.push({ number: cells.length + 1, ...point, ...on, repetition, warmUp });
    };
    const rounds = [
      ...Array.from({ length: warm_up }, (_, index) => ({ repetition: index + 1, warmUp: true })),
      ...Array.from({ length: repetitions }, (_, index) => ({ repetition: index + 1, warmUp: false })),
    ];
    if (order === 'grouped') {
      for (const point of points) {
        for (const { repetition, warmUp } of rounds) add(point, repetition, warmUp);
      }
      continue;
    }
    for (const { repetition, warmUp } of rounds) {
      const round = order === 'random' ? shuffled(points, random) : alternated(points, repetition);
      for (const point of round) add(point, repetition, warmUp);
    }
  }
  return cells;
}

function pointsOf({ matrix }: Pick<Experiment, 'matrix'>): Point[] {
  const [twins, others] = [
    matrix.axes.filter(({ keys }) => keys.length === 0),
    matrix.axes.filter(({ keys }) => keys.length > 0),
  ];
  const withAxes = (points: readonly Point[], axes: readonly Axis[]): Point[] =>
    axes.reduce<readonly Point[]>(
      (before, { path, values }) =>
        before.flatMap((point) =>
          values.map(({ name }) => ({ ...point, settings: { ...point.settings, [path]: name } })),
        ),
      points,
    ) as Point[];
  const base = withAxes([{ compressor: '', folio: '', settings: {} }], others);
  const all = base.flatMap((point) =>
    matrix.folio.flatMap((folio) => matrix.compressor.map((compressor) => ({ ...point, folio, compressor }))),
  );
  return withAxes(all, twins);
}

/** Of two that are the same, A and B of --aa, each goes first in every other round: a drift would be taken for a difference. */
function alternated(points: readonly Point[], repetition: number): readonly Point[] {
  if (repetition % 2 === 1 || points[0]?.settings[aaAxis.path] === undefined) return points;
  return points.map((_, index) => points[index % 2 === 0 ? index + 1 : index - 1] as Point);
}

/** Fisher and Yates. */
function shuffled<T>(values: readonly T[], random: Random): T[] {
  const result = [...values];
  for (let end = result.length - 1; end > 0; end--) {
    const other = random.below(end + 1);
    [result[end], result[other]] = [result[other] as T, result[end] as T];
  }
  return result;
}

/** The experiment with a cell's own values of the axes in it. */
export function experimentOf<T extends { readonly matrix: { readonly axes: readonly Axis[] } }>(
  experiment: T,
  { settings }: Pick<Cell, 'settings'>,
): T {
  return experiment.matrix.axes.reduce<T>((result, { path, keys, values }) => {
    const chosen = values.find(({ name }) => name === settings[path]);
    return chosen === undefined || keys.length === 0 ? result : withValue(result, keys, chosen.value);
  }, experiment);
}

/** A copy with one value in it replaced. */
export function withValue<T>(object: T, [key, ...rest]: readonly string[], value: unknown): T {
  if (key === undefined) return value as T;
  const fields = (object ?? {}) as Readonly<Record<string, unknown>>;
  return { ...fields, [key]: withValue(fields[key], rest, value) } as T;
}

/** What a person calls a cell: `zstd, 64kB, vm.page-cluster 0, repetition 2`; the first and only repetition is not told. */
export function cellName(cell: Cell, repetitions = cell.repetition): string {
  return [
    pointName(cell),
    ...(cell.warmUp ? [`warm-up ${cell.repetition}`] : []),
    ...(!cell.warmUp && repetitions > 1 ? [`repetition ${cell.repetition}`] : []),
  ].join(', ');
}

/** The first cell of each point. */
export function pointsIn(cells: readonly Cell[]): Cell[] {
  const points = new Map<string, Cell>();
  for (const cell of cells) {
    const name = pointName(cell);
    if (!points.has(name)) points.set(name, cell);
  }
  return [...points.values()];
}

/** A cell without its repetition. */
export function pointName({ compressor, folio, kernel, settings }: Cell): string {
  return [
    compressor,
    folio,
    ...(kernel === undefined ? [] : [kernel]),
    ...Object.entries(settings).map(([path, name]) => `${path} ${name}`),
  ].join(', ');
}

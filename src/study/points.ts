import { UsageError } from '../errors.js';

/** All values of a cell: one of each repetition that counts, by the names of the published data. */
export interface SampledCell {
  /** As usemem30. */
  readonly workload: string;
  /** As 64k. */
  readonly folio: string;
  readonly compressor: string;
  readonly kernel: string;
  /** Other settings by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What ran, as `usemem -n 30 10g`; where it is known, cells that ran another do not compare. */
  readonly command?: string;
  /** Mechanisms of the letter's roadmap that its model had. */
  readonly projections?: readonly string[];
  readonly samples: Readonly<Record<string, readonly number[]>>;
}

/** What one side of a comparison was measured as. */
export interface SampledSet {
  /** What to call it, as its record's name. */
  readonly name: string;
  /** hardware, emulated or model. */
  readonly source: string;
  /** The machine in one line, without what may change on it, as its kernel. */
  readonly machine: string;
  readonly cells: readonly SampledCell[];
}

/** A cell that both sides have. */
export interface Point {
  /** Where it lies in the matrix, as `64k, zstd`; empty where both sides have one cell, which differ in all of that. */
  readonly name: string;
  readonly base: SampledCell;
  readonly new: SampledCell;
}

/** What the whole base has one value of, and the whole changed side another: what is compared. */
export interface Difference {
  /** kernel, compressor, folio, or the name of a setting. */
  readonly name: string;
  /** `--` where a side does not have the setting. */
  readonly base: string;
  readonly new: string;
}

export interface WorkloadPoints {
  readonly workload: string;
  readonly differences: readonly Difference[];
  readonly points: readonly Point[];
}

export interface Matching {
  readonly workloads: readonly WorkloadPoints[];
  /** Names, with the workload, of cells that the other side does not have. */
  readonly onlyBase: readonly string[];
  readonly onlyNew: readonly string[];
}

/** Something that tells cells of a workload apart. */
interface Factor {
  readonly name: string;
  readonly isSetting: boolean;
  readonly of: (cell: SampledCell) => string | undefined;
}

/**
 * Finds the cells that both sides have. Folio size, compressor, kernel and settings tell the cells of a workload apart;
 * but where each side has one value of such a factor throughout and they are not the same, this is what is compared, and
 * cells match across it. Cells of a side that are alike in everything count as one. Throws UsageError where the sides are
 * of different sources or machines, ran other commands, or have no cell in common.
 */
export function matchPoints(base: SampledSet, changed: SampledSet): Matching {
  checkOrigin(base, changed);
  const workloads: WorkloadPoints[] = [];
  const [onlyBase, onlyNew]: [string[], string[]] = [[], []];
  for (const workload of new Set([...base.cells, ...changed.cells].map((cell) => cell.workload))) {
    const { differences, points, ...only } = matchWorkload(
      base.cells.filter((cell) => cell.workload === workload),
      changed.cells.filter((cell) => cell.workload === workload),
    );
    checkCommands(base, changed, differences, points);
    if (points.length > 0) workloads.push({ workload, differences, points });
    onlyBase.push(...only.base.map((name) => cellName(workload, name)));
    onlyNew.push(...only.new.map((name) => cellName(workload, name)));
  }
  if (workloads.length === 0) throw nothingInCommon(base, changed, onlyBase, onlyNew);
  return { workloads, onlyBase, onlyNew };
}

/** Throws UsageError unless both come from the same machine in the same way. */
export function checkOrigin(base: SampledSet, other: SampledSet): void {
  for (const what of ['source', 'machine'] as const) {
    if (base[what] === other[what]) continue;
    throw new UsageError(
      `${base.name} (${base[what]}) and ${other.name} (${other[what]}) do not compare: another ${what}`,
      { hint: 'measure both on one machine, in one way' },
    );
  }
}

/** A setting of the workload may be what is compared; otherwise both must have run the same. */
function checkCommands(
  base: SampledSet,
  changed: SampledSet,
  differences: readonly Difference[],
  points: readonly Point[],
): void {
  if (differences.some(({ name }) => name.startsWith('workload.'))) return;
  for (const { base: one, new: other } of points) {
    if (one.command === undefined || other.command === undefined || one.command === other.command) continue;
    throw new UsageError(
      `${base.name} and ${changed.name} do not compare: another workload ('${one.command}', '${other.command}')`,
      { hint: 'measure the same workload on both sides' },
    );
  }
}

function nothingInCommon(
  base: SampledSet,
  changed: SampledSet,
  onlyBase: readonly string[],
  onlyNew: readonly string[],
): UsageError {
  const [one, two] = [base, changed].map(({ cells }) => [...new Set(cells.map(({ workload }) => workload))]);
  const sameWorkload = one?.some((workload) => two?.includes(workload)) === true;
  const listed = (names: readonly string[] = []): string => {
    const more = names.length > 4 ? `; ${names.length - 4} more` : '';
    return names.length === 0 ? 'none' : names.slice(0, 4).join('; ') + more;
  };
  return sameWorkload
    ? new UsageError(
        `${base.name} (${listed(onlyBase)}) and ${changed.name} (${listed(onlyNew)}) do not compare: no cell in common`,
        { hint: 'a cell compares with one of the same folio size, compressor, kernel and settings' },
      )
    : new UsageError(
        `${base.name} (${listed(one)}) and ${changed.name} (${listed(two)}) do not compare: another workload`,
        { hint: 'measure the same workload on both sides' },
      );
}

/** As `usemem30: 64k, zstd`. */
export function cellName(workload: string, place: string): string {
  return place === '' ? workload : `${workload}: ${place}`;
}

function matchWorkload(base: readonly SampledCell[], changed: readonly SampledCell[]) {
  const factors = factorsOf([...base, ...changed]);
  const differences: Difference[] = [];
  const shared: Factor[] = [];
  const named: Factor[] = [];
  for (const factor of factors) {
    const [before, after] = [new Set(base.map(factor.of)), new Set(changed.map(factor.of))];
    const all = new Set([...before, ...after]);
    if (before.size === 1 && after.size === 1 && all.size === 2) {
      const [one = '--', two = '--'] = [...all];
      differences.push({ name: factor.name, base: one, new: two });
      continue;
    }
    shared.push(factor);
    // Without these two nobody knows a cell again.
    if (all.size > 1 || factor.name === 'folio' || factor.name === 'compressor') named.push(factor);
  }
  const keyOf = (cell: SampledCell): string => JSON.stringify(shared.map(({ of }) => of(cell) ?? null));
  const nameOf = (cell: SampledCell): string =>
    named.map(({ name, isSetting, of }) => `${isSetting ? `${name}=` : ''}${of(cell) ?? '--'}`).join(', ');
  const [before, after] = [merged(base, keyOf), merged(changed, keyOf)];
  return {
    differences,
    points: [...before].flatMap(([key, cell]): Point[] => {
      const counterpart = after.get(key);
      return counterpart === undefined ? [] : [{ name: nameOf(cell), base: cell, new: counterpart }];
    }),
    base: [...before].flatMap(([key, cell]) => (after.has(key) ? [] : [nameOf(cell)])),
    new: [...after].flatMap(([key, cell]) => (before.has(key) ? [] : [nameOf(cell)])),
  };
}

function factorsOf(cells: readonly SampledCell[]): Factor[] {
  const settings = new Set(cells.flatMap((cell) => Object.keys(cell.settings ?? {})));
  return [
    { name: 'folio', isSetting: false, of: (cell) => cell.folio },
    { name: 'compressor', isSetting: false, of: (cell) => cell.compressor },
    { name: 'kernel', isSetting: false, of: (cell) => cell.kernel },
    ...[...settings].map(
      (name): Factor => ({ name, isSetting: true, of: (cell) => ownValue(cell.settings ?? {}, name) }),
    ),
  ];
}

/** The cells by their keys, those with the same key as one. */
function merged(
  cells: readonly SampledCell[],
  keyOf: (cell: SampledCell) => string,
): Map<string, SampledCell> {
  const byKey = new Map<string, SampledCell>();
  for (const cell of cells) {
    const known = byKey.get(keyOf(cell));
    byKey.set(keyOf(cell), known === undefined ? cell : { ...cell, samples: together([known, cell]) });
  }
  return byKey;
}

function together(cells: readonly SampledCell[]): SampledCell['samples'] {
  const keys = new Set(cells.flatMap(({ samples }) => Object.keys(samples)));
  return Object.fromEntries([...keys].map((key) => [key, cells.flatMap((cell) => valuesOf(cell, key))]));
}

/** The values of a row; empty where the cell does not have it. Throws UsageError for one that is no finite number. */
export function valuesOf({ workload, samples }: SampledCell, key: string): readonly number[] {
  const values = ownValue(samples, key) ?? [];
  const bad = values.find((value) => !Number.isFinite(value));
  if (bad !== undefined) throw new UsageError(`${workload} has ${bad} as a value of ${key}`);
  return values;
}

/** The values of a row in a set's cells that are alike in everything to this one, by the factors that the point has. */
export function valuesAlike(set: SampledSet, point: Point, cell: SampledCell, key: string): number[] {
  const factors = factorsOf([point.base, point.new]);
  return set.cells
    .filter((each) => each.workload === cell.workload && factors.every(({ of }) => of(each) === of(cell)))
    .flatMap((each) => valuesOf(each, key));
}

/** Names come from files and from the command line: `constructor` is none of a record's. */
function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

import type { Recorded } from '../collect/record.js';
import type { ModelPart } from '../experiment/model-schema.js';
import type { Experiment } from '../experiment/schema.js';

type Switches = Recorded<NonNullable<ModelPart['switches']>>;

/** The switches of the letter's roadmap, by what they are called: no kernel has them, so what comes of them are projections. */
const roadmap: readonly (readonly [keyof Switches, string])[] = [
  ['reclaim_batching', 'reclaim batching'],
  ['swapin_batching', 'decompression batching'],
  ['zram', 'zram'],
];

/** Which mechanisms of the letter's roadmap a cell's model has had. */
export function projectionsOf({ model }: Pick<Recorded<Experiment>, 'model'>): string[] {
  return roadmap.flatMap(([name, mechanism]) => (model?.switches?.[name] === true ? [mechanism] : []));
}

/** Where the numbers of these cells are from, as it is printed with them. */
export function printedSource(
  source: string,
  cells: readonly { readonly projections?: readonly string[] }[],
): string {
  const mechanisms = [...new Set(cells.flatMap(({ projections = [] }) => projections))];
  return mechanisms.length === 0 ? source : `${source} (projection: ${mechanisms.join(', ')})`;
}

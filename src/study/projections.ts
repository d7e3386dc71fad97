import type { Recorded } from '../collect/record.js';
import { roadmapSwitches } from '../experiment/model-schema.js';
import type { Experiment } from '../experiment/schema.js';

/** Which mechanisms of the letter's roadmap a cell's model has had: no kernel has them, its numbers are projections. */
export function projectionsOf({ model }: Pick<Recorded<Experiment>, 'model'>): string[] {
  return Object.entries(roadmapSwitches).flatMap(([name, mechanism]) =>
    model?.switches?.[name as keyof typeof roadmapSwitches] === true ? [mechanism] : [],
  );
}

/** Where the numbers of these cells are from, as it is printed with them. */
export function printedSource(
  source: string,
  cells: readonly { readonly projections?: readonly string[] }[],
): string {
  const mechanisms = [...new Set(cells.flatMap(({ projections = [] }) => projections))];
  return mechanisms.length === 0 ? source : `${source} (projection: ${mechanisms.join(', ')})`;
}

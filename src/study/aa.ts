import { aaAxis } from '../experiment/cells.js';
import { type Comparison, compare } from './compare.js';
import type { Result } from './record.js';
import { sampledSet } from './sampled.js';

/** Whether points were measured as if there were two of each: run --aa. */
export function isAa({ cells }: Result): boolean {
  return cells.some(({ cell }) => cell.settings[aaAxis.path] !== undefined);
}

/** The results with A and B as repetitions of one point. */
export function withoutAa(results: readonly Result[]): Result[] {
  return results.map((result) => ({
    ...result,
    cells: result.cells.map((each) => {
      const { [aaAxis.path]: _, ...settings } = each.cell.settings;
      return { ...each, cell: { ...each.cell, settings } };
    }),
  }));
}

/** A beside B: nothing differs between the two but noise. */
export function compareAa(results: readonly Result[]): Comparison {
  const [base, other] = ['A', 'B'].map((side) => {
    const half = results.map((result) => ({
      ...result,
      cells: result.cells.filter(({ cell }) => cell.settings[aaAxis.path] === side),
    }));
    return sampledSet(side, withoutAa(half));
  });
  if (base === undefined || other === undefined) throw new Error('A and B are two');
  return compare(base, other);
}

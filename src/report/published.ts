import type { CellSet } from '../study/cells.js';
import { publishedV9 } from './published-v9.js';
import { isBuild } from './rows.js';
import { letterTables } from './tables.js';

/** Published sets of cells, by the names that `--published` and `--against` take. */
export const published: Readonly<Record<string, CellSet>> = { v9: publishedV9 };

/** A published set as the letter's tables. */
export function publishedTables(set: CellSet): string {
  // With four columns the letter leaves the date of the tree out.
  const cells = set.cells.map((cell) =>
    isBuild(cell.workload) ? { ...cell, kernel: cell.kernel.replace(/-\d.*$/, '') } : cell,
  );
  return letterTables({ ...set, cells });
}

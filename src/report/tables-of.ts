import { compareAa, isAa, withoutAa } from '../study/aa.js';
import { type CellSet, measuredSet } from '../study/cells.js';
import type { Result } from '../study/record.js';
import { compareTables } from './compare-table.js';
import { letterTables } from './tables.js';

/** The tables of runs that belong together; those of run --aa with A beside B. */
export function tablesOf(results: readonly Result[], against?: CellSet): string {
  const twins = results.filter(isAa);
  const tables = letterTables(measuredSet(withoutAa(results)), against);
  return twins.length === 0 ? tables : `${tables}\n${compareTables(compareAa(twins))}`;
}

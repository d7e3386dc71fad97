import type { Cell } from '../../src/experiment/cells.js';
import type { CellResult, Values } from '../../src/study/cell.js';
import type { Result } from '../../src/study/record.js';

export function cellOf(compressor: string, folio = '64kB', more: Partial<Cell> = {}): Cell {
  return { number: 1, compressor, folio, settings: {}, repetition: 1, warmUp: false, ...more };
}

/** A cell that was measured well. */
export function measured(cell: Cell, values: Values, more: Partial<CellResult> = {}): CellResult {
  return {
    cell,
    kernel: '7.3',
    batches: false,
    command: 'usemem 64m',
    state: 'complete',
    failure: undefined,
    values,
    invalid: [],
    warnings: [],
    ...more,
  };
}

export function resultOf(cells: readonly CellResult[], more: Partial<Result> = {}): Result {
  return {
    experiment: 'x',
    source: 'emulated',
    machine: 'Linux 7.3',
    hardware: 'QEMU',
    workload: 'usemem2',
    cells,
    ...more,
  };
}

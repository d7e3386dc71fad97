import type { RunRecord } from '../collect/record.js';
import type { Source } from '../discover/inventory.js';
import { type CellResult, studyCell } from './cell.js';

/** What a record means: where its numbers come from, and each cell's. */
export interface Result {
  readonly experiment: string;
  readonly source: Source;
  /** The machine in one line. */
  readonly machine: string;
  readonly cells: readonly CellResult[];
}

/** Studies a whole record. Pure. */
export function study(record: RunRecord): Result {
  const { manifest } = record;
  const { kernel } = manifest.inventory;
  return {
    experiment: manifest.experiment.name,
    source: manifest.source,
    machine: [kernel.release === undefined ? undefined : `Linux ${kernel.release}`, kernel.cpuModel]
      .filter((part) => part !== undefined)
      .join(', '),
    cells: record.cells.map((cell) => studyCell(cell, manifest.experiment)),
  };
}

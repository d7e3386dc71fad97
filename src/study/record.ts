import type { RunRecord } from '../collect/record.js';
import type { Source } from '../discover/inventory.js';
import { type CellResult, studyCell } from './cell.js';

/** What a record means: where its numbers come from, and each cell's. */
export interface Result {
  readonly experiment: string;
  readonly source: Source;
  /** The machine in one line. */
  readonly machine: string;
  /** As usemem30, in the names of the published data. */
  readonly workload: string;
  /** Release of its kernel. */
  readonly kernel: string;
  /** Whether iaa_crypto has the attributes that come with the batching patches. */
  readonly batches: boolean;
  readonly cells: readonly CellResult[];
}

/** Studies a whole record. Pure. */
export function study(record: RunRecord): Result {
  const { manifest } = record;
  const { kernel, iaa } = manifest.inventory;
  return {
    experiment: manifest.experiment.name,
    source: manifest.source,
    machine: [kernel.release === undefined ? undefined : `Linux ${kernel.release}`, kernel.cpuModel]
      .filter((part) => part !== undefined)
      .join(', '),
    workload: `usemem${manifest.experiment.workload.usemem.processes}`,
    kernel: kernel.release ?? 'unknown',
    batches: Object.keys(iaa?.driverAttributes ?? {}).some((name) => /^g_|^distribute_/.test(name)),
    cells: record.cells.map((cell) => studyCell(cell, manifest.experiment)),
  };
}

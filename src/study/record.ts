import type { RunRecord } from '../collect/record.js';
import type { Source } from '../discover/inventory.js';
import { experimentOf } from '../experiment/cells.js';
import { type CellResult, studyCell } from './cell.js';
import { projectionsOf } from './projections.js';
import { workloadName } from './workload.js';

/** What a record means: where its numbers come from, and each cell's. */
export interface Result {
  readonly experiment: string;
  readonly source: Source;
  /** The machine in one line. */
  readonly machine: string;
  /** The same without its kernels, with what tells it from others of its kind. */
  readonly hardware: string;
  /** As usemem30, in the names of the published data where it is there. */
  readonly workload: string;
  readonly cells: readonly CellResult[];
}

/** Studies a whole record. Pure. */
export function study(record: RunRecord): Result {
  const { experiment, sessions, source } = record.manifest;
  const distinct = (values: readonly (string | undefined)[]): string[] => [
    ...new Set(values.flatMap((value) => value ?? [])),
  ];
  const kernels = sessions.map(({ inventory }) => inventory.kernel);
  const releases = distinct(kernels.map(({ release }) => release));
  return {
    experiment: experiment.name,
    source,
    machine: [
      ...(releases.length === 0 ? [] : [`Linux ${releases.join(' and ')}`]),
      ...distinct(kernels.map(({ cpuModel }) => cpuModel)),
    ].join(', '),
    hardware: [
      ...distinct(kernels.map(({ cpuModel }) => cpuModel)),
      ...distinct(kernels.map(({ machineId }) => machineId?.slice(0, 8))).map((id) => `machine ${id}`),
    ].join(', '),
    workload: workloadName(experiment.workload),
    cells: record.cells.map((cell) => {
      const inventory = sessions[cell.session]?.inventory;
      const own = experimentOf(experiment, cell.cell);
      const projections = projectionsOf(own);
      return {
        ...studyCell(cell, own),
        ...(projections.length === 0 ? {} : { projections }),
        kernel: cell.cell.kernel ?? inventory?.kernel.release ?? 'unknown',
        command: [basename(cell.argv[0] ?? ''), ...cell.argv.slice(1)].join(' '),
        batches: Object.keys(inventory?.iaa?.driverAttributes ?? {}).some((name) =>
          /^g_|^distribute_/.test(name),
        ),
      };
    }),
  };
}

/** node:path is out of reach of what is pure. */
function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

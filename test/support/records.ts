import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CellRecord, RecordWriter, recorded, recordVersion } from '../../src/collect/record.js';
import type { Inventory } from '../../src/discover/inventory.js';
import { cellsOf } from '../../src/experiment/cells.js';
import { parseExperiment } from '../../src/experiment/file.js';

export interface MadeRecord {
  /** Of each repetition, KB/s. */
  readonly throughputs: readonly number[];
  readonly release?: string;
  readonly size?: string;
  readonly cpuModel?: string;
}

/** A record of usemem with one process under lzo, as a run leaves it. Gives its folder. */
export async function makeRecord(
  runs: string,
  name: string,
  { throughputs, release = '7.3.4', size = '64m', cpuModel = 'a CPU' }: MadeRecord,
): Promise<string> {
  const experiment = parseExperiment(
    `name: ${name}
matrix: { compressor: [lzo], folio: [64kB] }
repetitions: ${throughputs.length}
workload: { usemem: { size: ${size} } }
`,
    `${name}.yaml`,
  );
  const startedAt = '2026-11-26T00:00:00.000Z';
  const inventory = {
    schemaVersion: 1,
    source: 'emulated',
    kernel: { release, cpuModel, machineId: '0123456789abcdef' },
    attributes: {},
  } as unknown as Inventory;
  const writer = await RecordWriter.create(runs, {
    schemaVersion: recordVersion,
    id: name,
    startedAt,
    state: 'running',
    source: 'emulated',
    experimentFile: `${name}.yaml`,
    experiment: recorded(experiment),
    sessions: [{ startedAt, tool: { version: '0', commit: 'unknown' }, inventory, environment: {} }],
  });
  for (const cell of cellsOf(experiment)) {
    const throughput = Math.round(throughputs[cell.repetition - 1] ?? 0);
    const directory = await writer.cellDirectory(cell);
    const usecs = 1_000_000;
    writeFileSync(
      join(directory, 'stdout.txt'),
      `${throughput * 1024} bytes / ${usecs} usecs = ${throughput} KB/s\n`,
    );
    const snapshot = { atNs: '0', files: {}, unreadable: {} };
    await writer.writeCell(
      {
        cell,
        session: 0,
        state: 'complete',
        failure: undefined,
        plan: { cgroup: '/sys/fs/cgroup/x' } as unknown as CellRecord['plan'],
        receipts: [],
        argv: ['/opt/usemem', '-n', '1', size],
        exit: {
          exitCode: 0,
          signal: undefined,
          elapsedNs: String(Math.round(1e15 / throughput)),
          userUs: '1',
          systemUs: '2',
          maxRssKiB: 3,
        },
        before: snapshot,
        after: snapshot,
        fullest: undefined,
      },
      undefined,
    );
  }
  await writer.finish('complete');
  return writer.directory;
}

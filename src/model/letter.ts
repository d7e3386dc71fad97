/** The cells of the cover letter ("zswap compression batching" v9) as settings of the model. */
import { spr2s } from './machine.js';
import type { ModelSettings } from './native-config.js';

const gib = 2 ** 30;
const pageBytes = 4096;
const second = 1e9;

/** What a cell of the letter's tables is about. */
export interface LetterCell {
  readonly workload: 'usemem30' | 'kernel-build-allmodconfig';
  readonly folio: '64k' | '2048k';
  readonly compressor: 'deflate-iaa' | 'zstd';
  readonly kernel: 'mm-unstable-4-21-2025' | 'v9';
}

const folioOrders = { '64k': 4, '2048k': 9 } as const;

/** "1 WQ per device", 128 entries; two of 64 for the build. */
const wqs = { usemem30: [{ size: 128 }], 'kernel-build-allmodconfig': [{ size: 64 }, { size: 64 }] };

/**
 * A cell's settings, `part` of its size: usemem's memory, limit and sleep shrink together, so that rates stay the
 * same; of a build only so many processes are run.
 */
export function letterSettings(cell: LetterCell, part = 1): ModelSettings {
  const common = {
    machine: spr2s,
    kernel: cell.kernel,
    compressor: cell.compressor,
    folioOrder: folioOrders[cell.folio],
    wqs: wqs[cell.workload],
  };
  if (cell.workload === 'usemem30') {
    const taskPages = Math.round((10 * gib * part) / pageBytes);
    return {
      ...common,
      // The letter does not say; the default would be too small (experiments/usemem30-64k.yaml).
      maxPoolPercent: 30,
      memoryHighBytes: 150 * gib * part,
      packageSettings: { compWqsPerIaa: 0, distributeComps: true, distributeDecomps: true },
      content: 'counter',
      workload: {
        kind: 'usemem',
        tasks: 30,
        bindInterval: 1,
        taskPages,
        unitPages: taskPages,
        stepBytes: 8,
        sleepNs: Math.round(10 * second * part),
      },
    };
  }
  return {
    ...common,
    maxPoolPercent: 20,
    memoryMaxBytes: 2 * gib,
    packageSettings: { compWqsPerIaa: 1, distributeComps: true, distributeDecomps: true },
    content: 'program',
    workload: { kind: 'build', workers: 32, partPerMillion: Math.round(part * 1e6) },
  };
}

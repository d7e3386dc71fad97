/** A run of the model from its start to its end, and what the workloads themselves print. */
import { UsageError } from '../errors.js';
import { native } from '../native/load.js';
import type { NativeModelConfig, NativeModelResult } from '../native/surface.js';

/** How a run ended. */
export interface ModelRun {
  /** Virtual ns. */
  readonly elapsedNs: number;
  /** By name, as `vmstat.zswpout` (modelCounters() of the addon). */
  readonly counters: Readonly<Record<string, number>>;
  readonly results: readonly NativeModelResult[];
}

/** Runs a configuration to its end; throws UsageError when there is no such machine. */
export async function runModel(config: NativeModelConfig): Promise<ModelRun> {
  const model = native().openModel(config);
  if (typeof model === 'string') throw new UsageError(`the model cannot run this: ${model}`);
  const ended = await model.advance(Number.POSITIVE_INFINITY);
  if (typeof ended === 'string') throw new UsageError(`the model cannot run this: ${ended}`);
  return { elapsedNs: model.now(), counters: model.counters(), results: model.results() };
}

/** usemem's KB/s of each task that did its work: bytes written and an eighth for the allocation (docs/usemem.md). */
export function usememKbPerSecond(run: ModelRun, taskPages: number): number[] {
  const bytes = BigInt(taskPages) * 4096n;
  return run.results.flatMap(({ workedNs }) => {
    if (workedNs === undefined) return [];
    const usecs = BigInt(Math.max(1, Math.floor(workedNs / 1000)));
    return [Number(((bytes + bytes / 8n) * 1_000_000n) / 1024n / usecs)];
  });
}

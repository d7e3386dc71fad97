import { measuredSet } from './cells.js';
import type { SampledSet } from './points.js';
import type { Result } from './record.js';

/** The results of runs as one side of a comparison. Throws UsageError where they do not belong together. */
export function sampledSet(name: string, results: readonly Result[]): SampledSet {
  const { source, hardware, cells } = measuredSet(results);
  return { name, source, machine: hardware, cells };
}

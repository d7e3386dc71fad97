/** Counters of a host read at a fixed rate. */
import { UsageError } from '../errors.js';
import type {
  CounterFormat,
  NativeFailure,
  NativeSampler,
  NativeSamplingStatistics,
} from '../native/surface.js';
import type { HostPath } from './path.js';

/** A file of counters and the form it is in. */
export interface CounterSource {
  readonly path: HostPath;
  readonly format: CounterFormat;
}

export interface SampleSpec {
  readonly sources: readonly CounterSource[];
  /** From one tick to the next, ns: 1 ms to 10 s. */
  readonly intervalNs: number;
  /** How many bytes of rows may wait to be taken (default 8 MiB); beyond them rows are dropped, and counted. */
  readonly bufferBytes?: number;
}

/** One counter; its key within the file is empty where the file is a single number. */
export interface Column {
  readonly path: HostPath;
  readonly key: string;
}

/** A source that is not sampled, and the errno of the reason; ENOENT and the like: this machine does not offer it. */
export interface LeftOut {
  readonly path: HostPath;
  readonly errnoCode: string;
}

export type SamplingStatistics = NativeSamplingStatistics;

/** A sampling under way. */
export interface Sampling {
  readonly columns: readonly Column[];
  readonly leftOut: readonly LeftOut[];
  readonly intervalNs: number;
  /** Host.now() of tick 0. */
  readonly startNs: bigint;
  /** The rows since the last call, encoded (docs/series.md; collect/rows.ts reads them). */
  take(): Uint8Array;
  statistics(): SamplingStatistics;
  /** Ends it; the rows up to then can still be taken. Calling it again does nothing. */
  stop(): void;
}

const shortestNs = 1_000_000;
const longestNs = 10_000_000_000;

// Some 13 s of rows at 1 kHz with every counter of a busy machine in them.
const defaultBufferBytes = 8 * 1024 * 1024;

/** The same with a whole interval; throws UsageError for one out of bounds. */
export function checkedSpec(spec: SampleSpec): SampleSpec {
  const { intervalNs } = spec;
  if (!(intervalNs >= shortestNs && intervalNs <= longestNs)) {
    throw new UsageError(`counters cannot be sampled every ${intervalNs / 1e9} s`, {
      hint: `an interval is ${shortestNs / 1e9} to ${longestNs / 1e9} s`,
    });
  }
  return { ...spec, intervalNs: Math.round(intervalNs) };
}

/** Starts a sampler over a tree; gives the failure when it cannot be. Throws UsageError for an interval out of bounds. */
export function startSampling(
  tree: {
    sample(
      paths: readonly string[],
      formats: readonly CounterFormat[],
      intervalNs: number,
      bufferBytes: number,
    ): NativeSampler | NativeFailure;
  },
  spec: SampleSpec,
): Sampling | NativeFailure {
  const { sources, intervalNs, bufferBytes = defaultBufferBytes } = checkedSpec(spec);
  const sampler = tree.sample(
    sources.map(({ path }) => path),
    sources.map(({ format }) => format),
    intervalNs,
    bufferBytes,
  );
  if ('errno' in sampler) return sampler;
  const columns: Column[] = [];
  const leftOut: LeftOut[] = [];
  for (const [index, file] of sampler.files().entries()) {
    const { path } = sources[index] as CounterSource;
    if (Array.isArray(file)) columns.push(...file.map((key) => ({ path, key })));
    else leftOut.push({ path, errnoCode: file.code });
  }
  return {
    columns,
    leftOut,
    intervalNs,
    startNs: sampler.startNs(),
    take: () => sampler.take(),
    statistics: () => sampler.statistics(),
    stop: () => sampler.stop(),
  };
}

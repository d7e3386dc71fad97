/** How well pages would compress in zswap: a random sample of folios, each page through each compressor. */
import { type Compressor, compressors, openCompressor } from '../codec/compressor.js';
import { zsmallocBytes } from '../kernel/zsmalloc.js';
import { Random } from '../random.js';
import { type PageSource, pageBytes } from './source.js';

export interface EstimateOptions {
  /** Pages of one folio; a power of two. */
  readonly folioPages: number;
  /** Pages to sample at most; of one folio at least. */
  readonly samplePages: number;
  /** The same seed takes the same sample of the same data. */
  readonly seed: number;
  /** Memory limit of the group, bytes. */
  readonly limitBytes?: number | undefined;
  readonly progress?: ((done: number, of: number) => void) | undefined;
}

export interface CompressorEstimate {
  readonly name: string;
  /** Why it could not be tried; the other values are undefined then. */
  readonly absent: string | undefined;
  /** Bytes of the pages that zswap stores over bytes charged; the interval only for more than one folio. */
  readonly ratio: number | undefined;
  readonly ratioLow: number | undefined;
  readonly ratioHigh: number | undefined;
  /** Share of the stored pages that do not get smaller and are kept as they are. */
  readonly incompressibleShare: number | undefined;
  /** Bytes a stored page: charged to the group (compressed length), and taken from the host (zsmalloc). */
  readonly chargedBytesPerPage: number | undefined;
  readonly hostBytesPerPage: number | undefined;
  /** Time to compress one page on this machine by this software, us. */
  readonly microsecondsPerPage: number | undefined;
  /** Under the limit; undefined without one. */
  readonly underLimit: LimitEstimate | undefined;
}

export interface LimitEstimate {
  /** False when even all of it in zswap is more than the limit. */
  readonly possible: boolean;
  /** Bytes that have to go out, before compression. */
  readonly swappedBytes: number;
  /** What they are charged with, and what they take from the host. */
  readonly chargedBytes: number;
  readonly hostBytes: number;
  /** Memory the host gains. */
  readonly savedBytes: number;
}

export interface Estimate {
  readonly sources: readonly string[];
  readonly folioPages: number;
  readonly seed: number;
  /** Folios there are, and those that were read. */
  readonly folios: number;
  readonly sampledFolios: number;
  readonly sampledPages: number;
  /** Folios chosen that were gone when they were to be read. */
  readonly vanishedFolios: number;
  /** Pages of all folios; an estimate unless all were read. */
  readonly pages: number;
  /** Share of the folios that are zero in all pages: zswap never sees them on kernels with a zeromap (6.12). */
  readonly zeroFolioShare: number;
  readonly compressors: readonly CompressorEstimate[];
}

/** `count` different numbers below `limit`, ascending (Floyd's algorithm). */
export function sample(limit: number, count: number, seed: number): number[] {
  const random = Random.seeded(seed);
  const chosen = new Set<number>();
  for (let top = limit - count; top < limit; top++) {
    const number = random.below(top + 1);
    chosen.add(chosen.has(number) ? top : number);
  }
  return [...chosen].sort((a, b) => a - b);
}

/** Where the pages of one sampled folio are in the memory of the sample. */
interface SampledFolio {
  readonly from: number;
  readonly pages: number;
  readonly isZero: boolean;
}

interface Sampled {
  readonly memory: ArrayBuffer;
  readonly folios: readonly SampledFolio[];
  readonly vanished: number;
}

function takeSample(sources: readonly PageSource[], count: number, options: EstimateOptions): Sampled {
  const total = sources.reduce((sum, source) => sum + source.folios, 0);
  const folioBytes = options.folioPages * pageBytes;
  const memory = new ArrayBuffer(count * folioBytes + batch * roomBytes);
  const folios: SampledFolio[] = [];
  let from = 0;
  let vanished = 0;
  let current = 0;
  let first = 0;
  for (const index of sample(total, count, options.seed)) {
    while (index >= first + (sources[current]?.folios ?? 0)) {
      first += sources[current]?.folios ?? 0;
      current += 1;
    }
    const bytes = new Uint8Array(memory, from, folioBytes);
    const pages = sources[current]?.read(index - first, bytes) ?? 0;
    if (pages === 0) {
      vanished += 1;
      continue;
    }
    folios.push({ from, pages, isZero: bytes.subarray(0, pages * pageBytes).every((byte) => byte === 0) });
    from += pages * pageBytes;
  }
  return { memory, folios, vanished };
}

/** Pages compressed at once, as the driver does, and the room for each result (zswap's: two pages). */
const batch = 8;
const roomBytes = 2 * pageBytes;

/** Compressed length of each page of the folios that zswap would see, in order, and the time of one, us. */
function compressAll(compressor: Compressor, { memory, folios }: Sampled, done: () => void) {
  const pages = folios
    .filter(({ isZero }) => !isZero)
    .flatMap((folio) => Array.from({ length: folio.pages }, (_, i) => folio.from + i * pageBytes));
  const room = memory.byteLength - batch * roomBytes;
  const lengths: number[] = [];
  const times: number[] = [];
  for (let at = 0; at < pages.length; at += batch) {
    const slots = pages.slice(at, at + batch).map((from, index) => ({
      from,
      fromBytes: pageBytes,
      to: room + index * roomBytes,
      toBytes: roomBytes,
    }));
    const start = process.hrtime.bigint();
    const outcomes = compressor.compressBatch(memory, slots);
    times.push(Number(process.hrtime.bigint() - start) / 1000 / slots.length);
    // A page that fails or does not get smaller is kept as it is (kernel 6.18; reject_compress_fail before).
    for (const outcome of outcomes) lengths.push(outcome > 0 && outcome < pageBytes ? outcome : pageBytes);
    done();
  }
  // The median: other programs get in between.
  return { lengths, microseconds: times.sort((a, b) => a - b)[times.length >> 1] };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/**
 * Half the width of the 95% interval of the bytes a page: folios are what was drawn, so it is the spread between
 * folios that counts (the ratio estimator of cluster sampling), and nothing is left to chance when all were read.
 */
function margin(bytes: readonly number[], pages: readonly number[], of: number): number | undefined {
  const count = bytes.length;
  if (count === of) return 0;
  if (count < 2) return undefined;
  const mean = sum(bytes) / sum(pages);
  const squares = sum(bytes.map((value, index) => (value - mean * (pages[index] ?? 0)) ** 2));
  const variance = ((1 - count / of) * (count / (count - 1)) * squares) / sum(pages) ** 2;
  return 1.96 * Math.sqrt(variance);
}

/**
 * What has to go out so that what stays and what it is charged with fit under the limit. `share` is the part of the
 * bytes that is not zero, the others cost nothing.
 */
function underLimit(
  total: number,
  limit: number,
  share: number,
  charged: number,
  host: number,
): LimitEstimate {
  const chargedShare = (share * charged) / pageBytes;
  const hostShare = (share * host) / pageBytes;
  const possible = total * chargedShare <= limit;
  const wanted = total <= limit ? 0 : (total - limit) / (1 - chargedShare);
  const swapped = possible ? wanted : total;
  const swappedBytes = Math.round(swapped);
  const hostBytes = Math.round(swapped * hostShare);
  return {
    possible,
    swappedBytes,
    chargedBytes: Math.round(swapped * chargedShare),
    hostBytes,
    savedBytes: swappedBytes - hostBytes,
  };
}

/** Estimates for all compressors. The sources must hold one folio at least. */
export function estimate(sources: readonly PageSource[], options: EstimateOptions): Estimate {
  const folios = sources.reduce((total, source) => total + source.folios, 0);
  const wanted = Math.max(1, Math.floor(options.samplePages / options.folioPages));
  const sampled = takeSample(sources, Math.min(folios, wanted), options);
  const sampledPages = sum(sampled.folios.map((folio) => folio.pages));
  const nonZero = sampled.folios.filter(({ isZero }) => !isZero);
  const nonZeroPages = nonZero.map((folio) => folio.pages);
  const pages = Math.round((folios * sampledPages) / Math.max(1, sampled.folios.length));
  const infos = compressors();
  const rounds =
    Math.ceil(sum(nonZeroPages) / batch) * infos.filter(({ absent }) => absent === undefined).length;
  let done = 0;
  const step = () => options.progress?.(++done, rounds);

  return {
    sources: sources.map(({ name }) => name),
    folioPages: options.folioPages,
    seed: options.seed,
    folios,
    sampledFolios: sampled.folios.length,
    sampledPages,
    vanishedFolios: sampled.vanished,
    pages,
    zeroFolioShare: 1 - nonZero.length / Math.max(1, sampled.folios.length),
    compressors: infos.map(({ name, absent }): CompressorEstimate => {
      const stored = sum(nonZeroPages);
      if (absent !== undefined || stored === 0) {
        return {
          name,
          absent,
          ratio: undefined,
          ratioLow: undefined,
          ratioHigh: undefined,
          incompressibleShare: undefined,
          chargedBytesPerPage: undefined,
          hostBytesPerPage: undefined,
          microsecondsPerPage: undefined,
          underLimit: undefined,
        };
      }
      const { lengths, microseconds } = compressAll(openCompressor(name), sampled, step);
      let at = 0;
      const bytes = nonZeroPages.map((count) => {
        at += count;
        return sum(lengths.slice(at - count, at));
      });
      const charged = sum(lengths) / stored;
      const host = sum(lengths.map(zsmallocBytes)) / stored;
      const half = margin(bytes, nonZeroPages, sampled.folios.length === folios ? nonZero.length : folios);
      return {
        name,
        absent,
        ratio: pageBytes / charged,
        ratioLow: half === undefined ? undefined : pageBytes / (charged + half),
        ratioHigh: half === undefined ? undefined : pageBytes / Math.max(1, charged - half),
        incompressibleShare: lengths.filter((length) => length === pageBytes).length / stored,
        chargedBytesPerPage: charged,
        hostBytesPerPage: host,
        microsecondsPerPage: microseconds,
        underLimit:
          options.limitBytes === undefined
            ? undefined
            : underLimit(pages * pageBytes, options.limitBytes, stored / sampledPages, charged, host),
      };
    }),
  };
}

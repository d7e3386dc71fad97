/**
 * tracefs: probes on kernel functions and histograms of what they see (Documentation/trace/kprobetrace.rst,
 * histogram.rst, events.rst). Used for one thing: how many pages zswap compresses at once, and how long a page takes.
 */
import { ParseError } from '../errors.js';
import { type HostPath, hostPath } from '../host/path.js';

/** Where it is mounted; the second is mounted by the kernel itself once debugfs is. */
export const tracefsMounts: readonly HostPath[] = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'].map(
  (path) => hostPath(path),
);

/** Group of our probes, and the name of our instance. */
export const traceGroup = 'iaa_zswap';

/** A function whose calls are timed, and how many pages each call has. */
export interface BatchProbe {
  /** Names its events: `store_in` at the begin of a call, `store_out` at its end. */
  readonly name: string;
  readonly symbol: string;
  /** What is fetched at the begin (kprobetrace.rst); `req->slen` needs the kernel's BTF (6.6 and later). */
  readonly fetch: string;
  /** The number of pages, of what is fetched; 32 bits, as the field it goes to. */
  readonly pages: string;
  /** Which calls count. */
  readonly filter?: string;
  /** What a call is, for people. */
  readonly what: string;
}

/**
 * In the order of the kernels: the batches of the patches v9 to v14, v9's batch call, and what every kernel has. The
 * length of a request is bytes: bits 12 and up are pages of 4 KiB. PG_head is bit 6 of a folio's flags
 * (include/linux/page-flags.h, since 6.7), without which _nr_pages is none.
 */
export const batchProbes: readonly BatchProbe[] = [
  {
    name: 'pages',
    symbol: 'zswap_store_pages',
    fetch: 'start=$arg2:u32 end=$arg3:u32',
    pages: 'end-start',
    what: 'a batch of a folio that zswap stores',
  },
  {
    name: 'batch',
    symbol: 'crypto_acomp_batch_compress',
    fetch: 'nr=$arg6:u32',
    pages: 'nr',
    what: 'a batch that a compressor gets',
  },
  {
    name: 'compress',
    symbol: 'crypto_acomp_compress',
    fetch: 'nr=req->slen:b20@12/32',
    pages: 'nr',
    what: 'a request that a compressor gets',
  },
  {
    name: 'store',
    symbol: 'zswap_store',
    fetch: 'nr=folio->_nr_pages:u32 head=+0($arg1):b1@6/64',
    pages: 'nr',
    filter: 'head == 1',
    what: 'a large folio that zswap stores',
  },
];

/** ns a page in one bucket of a histogram. */
export const bucketNs = 50;

/** Entries of a histogram; what finds no room is counted as dropped. At this size its text stays below 1 MiB. */
const histogramSize = 8192;

/** What is written for a probe, each line to a file of its own: events are the machine's, triggers our instance's. */
export function probeLines({ name, symbol, fetch, pages, filter }: BatchProbe) {
  const condition = filter === undefined ? '' : ` if ${filter}`;
  return {
    begin: `p:${traceGroup}/${name}_in ${symbol} ${fetch}`,
    end: `r:${traceGroup}/${name}_out ${symbol}`,
    synthetic: `${traceGroup}_${name} u32 pages; u64 ns`,
    // Of one thread only one call runs at a time.
    beginTrigger: `hist:keys=common_pid:t=common_timestamp,p=${pages}${condition}`,
    endTrigger:
      `hist:keys=common_pid:n=$p,d=common_timestamp-$t:` +
      `onmatch(${traceGroup}.${name}_in).trace(${traceGroup}_${name},$n,$d)`,
    histogram: `hist:keys=pages,ns/pages/${bucketNs}:size=${histogramSize}`,
  };
}

/** The directories of a probe's events below `events`, in the order in which their triggers may go. */
export function probeEvents(name: string): { end: string; begin: string; synthetic: string } {
  return {
    end: `${traceGroup}/${name}_out`,
    begin: `${traceGroup}/${name}_in`,
    synthetic: `synthetic/${traceGroup}_${name}`,
  };
}

/** How often calls with so many pages took so long. */
export interface BatchBucket {
  readonly pages: number;
  /** Smallest ns a page that falls into it. */
  readonly nsPerPage: number;
  readonly calls: number;
}

/** A histogram of pages a call and ns a page. */
export interface BatchHistogram {
  /** Ascending by pages, then by time. */
  readonly buckets: readonly BatchBucket[];
  /** Calls that found no room in it. */
  readonly dropped: number;
}

/** Parses the text of a histogram that probeLines asked for; throws ParseError. */
export function parseBatchHistogram(text: string, path: string): BatchHistogram {
  const buckets: BatchBucket[] = [];
  let dropped: number | undefined;
  const pattern = new RegExp(`^\\{ pages: +(\\d+), ns/pages/${bucketNs}: +(\\d+) *\\} hitcount: +(\\d+)$`);
  for (const [index, line] of text.split('\n').entries()) {
    const match = pattern.exec(line);
    if (match !== null) {
      const [pages = 0, bucket = 0, calls = 0] = match.slice(1).map(Number);
      buckets.push({ pages, nsPerPage: bucket * bucketNs, calls });
      continue;
    }
    if (line.startsWith('{')) {
      const expected = 'pages, time and hitcount of one entry';
      throw new ParseError({ path, line: index + 1, found: line, expected });
    }
    const found = /^ {4}Dropped: (\d+)$/.exec(line)?.[1];
    if (found !== undefined) dropped = Number(found);
  }
  if (dropped === undefined) {
    throw new ParseError({ path, found: text, expected: 'a histogram with its totals' });
  }
  buckets.sort((a, b) => a.pages - b.pages || a.nsPerPage - b.nsPerPage);
  return { buckets, dropped };
}

/** What calls of one size took; times are the lower ends of their buckets, ns a page. */
export interface BatchSummary {
  readonly pages: number;
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
}

/** One line for each number of pages, ascending. */
export function summarizeBatches({ buckets }: BatchHistogram): BatchSummary[] {
  const sizes = [...new Set(buckets.map(({ pages }) => pages))];
  return sizes.map((pages) => {
    const own = buckets.filter((bucket) => bucket.pages === pages);
    const calls = own.reduce((sum, bucket) => sum + bucket.calls, 0);
    const quantile = (share: number): number => {
      let seen = 0;
      for (const bucket of own) {
        seen += bucket.calls;
        if (seen >= share * calls) return bucket.nsPerPage;
      }
      return 0;
    };
    return { pages, calls, p50: quantile(0.5), p99: quantile(0.99) };
  });
}

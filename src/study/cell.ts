import type { CellData, Recorded } from '../collect/record.js';
import type { Snapshot } from '../collect/snapshot.js';
import type { Cell } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import { chomp } from '../host/codecs.js';
import { type Counters, parseFlatKeyed } from '../kernel/flat-keyed.js';
import { iaaLog, isIaaCompressor, parseIaaStatistics } from '../kernel/iaa-crypto.js';
import { studyWorkload } from './workload.js';

/** A cell's numbers, by the names of the published data; a counter that the kernel does not have is not there. */
export type Values = Readonly<Record<string, number>>;

/** What a cell's raw record means. */
export interface CellResult {
  readonly cell: Cell;
  /** Its name in the experiment, else its release. */
  readonly kernel: string;
  /** Whether iaa_crypto has the attributes that come with the batching patches. */
  readonly batches: boolean;
  /** What ran, as `usemem -n 30 10g`. */
  readonly command: string;
  /** Mechanisms of the letter's roadmap that the model had; not there without. */
  readonly projections?: readonly string[];
  readonly state: CellData['state'];
  readonly failure: string | undefined;
  readonly values: Values;
  /** Reasons why the numbers are not what the cell was to measure: never print them as a result. */
  readonly invalid: readonly string[];
  /** What a reader should know beside valid numbers. */
  readonly warnings: readonly string[];
}

const pageBytes = 4096;
const zswap = '/sys/kernel/debug/zswap';
const parameters = '/sys/module/zswap/parameters';
const thp = '/sys/kernel/mm/transparent_hugepage';

/** More zswap traffic from outside the group than this part of it all makes machine-wide counters doubtful. */
const foreignLimit = 0.01;

/** Studies one cell. Pure: an old record can be studied again. */
export function studyCell(
  data: CellData,
  experiment: Recorded<Experiment>,
): Omit<CellResult, 'kernel' | 'batches' | 'command' | 'projections'> {
  const { cell, state, failure } = data;
  const result = { cell, state, failure };
  if (data.before === undefined || data.after === undefined || data.exit === undefined) {
    return { ...result, values: {}, invalid: [], warnings: [] };
  }
  const counters = new Difference(data.before, data.after);
  const group = data.plan.cgroup;
  const workload = studyWorkload(data, experiment.workload);
  const values = {
    ...defined(workload.values),
    ...counterValues(counters, group, cell.folio),
    ...derivedValues(data, counters, group),
    ...iaaValues(data, counters),
  };
  return {
    ...result,
    values,
    invalid: [...workload.invalid, ...invalidReasons(data, counters, experiment)],
    warnings: [...workload.warnings, ...warnings(data, values)],
  };
}

/** Counters by which a file grew between two snapshots; undefined where either lacks it. */
class Difference {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly #parsed = new Map<string, [Counters, Counters] | undefined>();

  constructor(before: Snapshot, after: Snapshot) {
    this.before = before;
    this.after = after;
  }

  /** Of a file with one number. */
  ofFile(path: string): number | undefined {
    const [from, to] = [this.before.files[path], this.after.files[path]];
    if (from === undefined || to === undefined) return undefined;
    return Number(BigInt(chomp(to)) - BigInt(chomp(from)));
  }

  /** Of one line `key value` of a file. */
  ofKey(path: string, key: string): number | undefined {
    if (!this.#parsed.has(path)) {
      const [from, to] = [this.before.files[path], this.after.files[path]];
      this.#parsed.set(
        path,
        from === undefined || to === undefined
          ? undefined
          : [parseFlatKeyed(from, path), parseFlatKeyed(to, path)],
      );
    }
    const [from, to] = this.#parsed.get(path) ?? [];
    const [a, b] = [from?.get(key), to?.get(key)];
    return a === undefined || b === undefined ? undefined : Number(b - a);
  }
}

/** The letter's rows and where each comes from. */
function counterValues(counters: Difference, group: string, folio: string): Values {
  const vmstat = (key: string) => counters.ofKey('/proc/vmstat', key);
  const size = (name: string) => counters.ofFile(`${thp}/hugepages-${folio}/stats/${name}`);
  return defined({
    memcg_high: counters.ofKey(`${group}/memory.events`, 'high'),
    memcg_swap_fail: counters.ofKey(`${group}/memory.swap.events`, 'fail'),
    zswpout: vmstat('zswpout'),
    zswpin: vmstat('zswpin'),
    pswpout: vmstat('pswpout'),
    pswpin: vmstat('pswpin'),
    thp_swpout: vmstat('thp_swpout'),
    thp_swpout_fallback: vmstat('thp_swpout_fallback'),
    [`${folio}_swpout_fallback`]: size('swpout_fallback'),
    pgmajfault: vmstat('pgmajfault'),
    [`ZSWPOUT-${folio}`]: size('zswpout'),
    [`SWPOUT-${folio}`]: size('swpout'),
  });
}

/** Rows that the letter does not have. */
function derivedValues(data: CellData, counters: Difference, group: string): Values {
  const high = counters.ofKey(`${group}/memory.events`, 'high');
  const own = counters.ofKey(`${group}/memory.stat`, 'zswpout');
  const all = counters.ofKey('/proc/vmstat', 'zswpout');
  const stat = data.fullest?.files[`${group}/memory.stat`];
  const fullest = stat === undefined ? undefined : parseFlatKeyed(stat, `${group}/memory.stat`);
  const [compressed, original] = [fullest?.get('zswap'), fullest?.get('zswapped')];
  return defined({
    pages_per_memcg_high: high && own !== undefined ? own / high : undefined,
    compressed_bytes_per_page:
      compressed !== undefined && original ? (Number(compressed) / Number(original)) * pageBytes : undefined,
    foreign_zswpout: own !== undefined && all !== undefined ? Math.max(0, all - own) : undefined,
  });
}

const iaaStatistics = /^\/sys\/kernel\/debug\/iaa[_-]crypto\/(\w+)$/;

/** What the letter says of IAA in words: whether the driver gave up on the device, or did its work in software. */
function iaaValues(data: CellData, counters: Difference): Values {
  if (!isIaaCompressor(data.cell.compressor)) return {};
  const sum = (name: string): number | undefined => {
    const [from, to] = [counters.before, counters.after].map((snapshot) => iaaCounter(snapshot, name));
    return from === undefined || to === undefined ? undefined : to - from;
  };
  const compressed = sum('total_sw_comp_calls');
  const decompressed = sum('total_sw_decomp_calls');
  return defined({
    iaa_timeouts: sum('total_completion_timeout_errors'),
    iaa_sw_fallbacks: decompressed === undefined ? undefined : decompressed + (compressed ?? 0),
    iaa_disabled: data.dmesg === undefined ? undefined : timesDisabled(data.dmesg),
  });
}

/** One of the driver's global counters; undefined where it keeps none, or not this one. */
function iaaCounter({ files }: Snapshot, name: string): number | undefined {
  for (const [path, text] of Object.entries(files)) {
    const file = iaaStatistics.exec(path)?.[1];
    // Until 6.9 some were files of their own.
    if (file === name) return Number(chomp(text));
    if (file !== 'global_stats' && file !== 'wq_stats') continue;
    const found = parseIaaStatistics(text, path).global.get(name);
    if (found !== undefined) return Number(found);
  }
  return undefined;
}

/** How often iaa_crypto gave up on the hardware, or was without WQs at the end. */
function timesDisabled(dmesg: string): number {
  const { broken, last } = iaaLog(dmesg);
  return broken > 0 ? broken : Number(last === 'disabled');
}

function invalidReasons(data: CellData, counters: Difference, experiment: Recorded<Experiment>): string[] {
  const reasons: string[] = [];
  const used = data.after?.files[`${parameters}/compressor`];
  if (used !== undefined && chomp(used) !== data.cell.compressor)
    reasons.push(`zswap's compressor was ${chomp(used)} at the end`);
  const enabled = data.after?.files[`${parameters}/enabled`];
  if (enabled !== undefined && chomp(enabled) !== 'Y') reasons.push('zswap was disabled at the end');

  const gauge = (snapshot: Snapshot | undefined) =>
    Number(snapshot?.files[`${zswap}/stored_incompressible_pages`] ?? 0);
  const incompressible = Math.max(gauge(data.fullest), gauge(data.after)) - gauge(data.before);
  const stat = data.fullest?.files[`${data.plan.cgroup}/memory.stat`];
  const groupIncompressible =
    stat === undefined ? 0n : (parseFlatKeyed(stat, 'memory.stat').get('zswap_incomp') ?? 0n);
  if (incompressible > 0 || groupIncompressible > 0n) {
    reasons.push(`${Math.max(incompressible, Number(groupIncompressible))} pages were stored uncompressed`);
  }
  for (const path of Object.keys(counters.after.files).filter((each) =>
    each.startsWith(`${zswap}/reject_`),
  )) {
    const count = counters.ofFile(path);
    if (count !== undefined && count > 0) reasons.push(`${path.slice(zswap.length + 1)} rose by ${count}`);
  }
  if (data.dmesg !== undefined && isIaaCompressor(data.cell.compressor) && timesDisabled(data.dmesg) > 0)
    reasons.push('iaa_crypto was DISABLED: what it was to compress is not in these numbers');
  const full = counters.ofFile(`${zswap}/pool_limit_hit`);
  const bound = experiment.bounds.pool_limit_hit;
  if (full !== undefined && full > bound)
    reasons.push(`pool_limit_hit rose by ${full}, the experiment allows ${bound}`);
  return reasons;
}

function warnings(data: CellData, values: Values): string[] {
  const found: string[] = [];
  if (data.after?.files[`${zswap}/stored_pages`] === undefined) {
    found.push('debugfs/zswap was not readable: rejected and incompressible pages are not observable');
  }
  const { foreign_zswpout: foreign, zswpout } = values;
  if (foreign !== undefined && zswpout !== undefined && foreign > zswpout * foreignLimit) {
    found.push(
      `${foreign} of ${zswpout} pages went to zswap from outside the group: something else on this machine swaps`,
    );
  }
  return found;
}

function defined(values: Readonly<Record<string, number | undefined>>): Values {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

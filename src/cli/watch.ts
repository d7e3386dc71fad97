/** What `status --watch` shows: counters per second, as they are sampled. */
import { setTimeout as delay } from 'node:timers/promises';
import { counterSources } from '../collect/counters.js';
import { RowDecoder } from '../collect/rows.js';
import type { Host } from '../host/host.js';
import type { HostPath } from '../host/path.js';
import type { Column, Sampling, SamplingStatistics } from '../host/sampling.js';
import { bytes, eventNames, grouped } from './status.js';

/** What a value is: events since boot, microseconds since boot, or how much there is now. */
type Kind = 'events' | 'microseconds' | 'bytes' | 'pages';

interface Measure {
  readonly section: string;
  readonly name: string;
  readonly kind: Kind;
  readonly column: number;
}

/** A measure at one time; `perSecond` since the time before, of what only ever grows. */
export interface Reading {
  readonly kind: Kind;
  /** Undefined: the kernel did not say it. */
  readonly now: bigint | undefined;
  readonly perSecond: number | undefined;
}

/** All measures at one time, by section and name, in the order they are shown. */
export interface Watched {
  /** Number of the tick, from 0. */
  readonly tick: number;
  /** The tick's time of day. */
  readonly time: Date;
  /** Since the time before; 0 at the first. */
  readonly seconds: number;
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, Reading>>;
}

const vmstatNames: ReadonlySet<string> = new Set(eventNames);

const folioNames: ReadonlySet<string> = new Set([
  'anon_fault_alloc',
  'anon_fault_fallback',
  'zswpout',
  'swpin',
  'swpout',
  'swpout_fallback',
]);

/** Files of debugfs that say how much there is now; the others count events. */
const zswapAmounts: Readonly<Record<string, Kind>> = {
  stored_pages: 'pages',
  stored_incompressible_pages: 'pages',
  pool_total_size: 'bytes',
};

/** Of a cgroup's flat files, what belongs to swap and zswap. */
const groupKeys: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  'memory.stat': {
    anon: 'bytes',
    zswap: 'bytes',
    zswapped: 'bytes',
    zswpout: 'events',
    zswpin: 'events',
    zswpwb: 'events',
    pswpout: 'events',
    pswpin: 'events',
    pgmajfault: 'events',
  },
  'memory.events': { high: 'events', max: 'events', oom_kill: 'events' },
  'memory.swap.events': { max: 'events', fail: 'events' },
  'cpu.stat': { user_usec: 'microseconds', system_usec: 'microseconds' },
};

/** Where a column is shown, if it is. */
function placeOf({ path, key }: Column): Omit<Measure, 'column'> | undefined {
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (path === '/proc/vmstat') {
    return vmstatNames.has(key) ? { section: 'vmstat', name: key, kind: 'events' } : undefined;
  }
  const size = /\/hugepages-(\w+)\/stats\//.exec(path)?.[1];
  if (size !== undefined) {
    return folioNames.has(file) ? { section: size, name: file, kind: 'events' } : undefined;
  }
  if (path.startsWith('/proc/pressure/')) {
    return { section: 'pressure', name: `${file} ${key.replace(/\.total$/, '')}`, kind: 'microseconds' };
  }
  if (path.startsWith('/sys/kernel/debug/zswap/')) {
    return { section: 'zswap', name: file, kind: zswapAmounts[file] ?? 'events' };
  }
  if (path.startsWith('/sys/kernel/debug/iaa')) {
    // Until 6.9 there are also max_*_delay_ns, which neither grow by events nor are an amount.
    if (file.startsWith('max_')) return undefined;
    return { section: 'iaa_crypto', name: key === '' ? file : key, kind: 'events' };
  }
  if (key === '') return { section: 'cgroup', name: file, kind: 'bytes' };
  if (file.endsWith('.pressure')) {
    return { section: 'cgroup', name: `${file} ${key.replace(/\.total$/, '')}`, kind: 'microseconds' };
  }
  const kind = groupKeys[file]?.[key];
  return kind && { section: 'cgroup', name: `${file} ${key}`, kind };
}

/** Turns a sampling's rows into readings. */
export class Watch {
  readonly #measures: readonly Measure[];
  readonly #decoder: RowDecoder;
  readonly #intervalNs: number;
  readonly #startedAt: Date;
  /** The last time that was given out. */
  #before: { readonly ns: number; readonly values: readonly (bigint | undefined)[] } | undefined;

  /** `startedAt`: the time of day of tick 0. */
  constructor({ columns, intervalNs }: Pick<Sampling, 'columns' | 'intervalNs'>, startedAt: Date) {
    this.#startedAt = startedAt;
    this.#measures = columns.flatMap((each, column) => {
      const place = placeOf(each);
      return place === undefined ? [] : [{ ...place, column }];
    });
    this.#decoder = new RowDecoder(columns.length);
    this.#intervalNs = intervalNs;
  }

  /** The readings of each row, or of the last of them alone. */
  *take(rows: Uint8Array, which: 'each' | 'last'): Generator<Watched> {
    let last: { tick: number; ns: number; values: (bigint | undefined)[] } | undefined;
    for (const row of this.#decoder.decode(rows)) {
      const ns = row.tick * this.#intervalNs + row.lateNs;
      last = { tick: row.tick, ns, values: this.#measures.map(({ column }) => row.value(column)) };
      if (which === 'each') yield this.#read(last);
    }
    if (which === 'last' && last !== undefined) yield this.#read(last);
  }

  #read(row: { tick: number; ns: number; values: (bigint | undefined)[] }): Watched {
    const before = this.#before;
    const seconds = before === undefined ? 0 : (row.ns - before.ns) / 1e9;
    const sections = new Map<string, Map<string, Reading>>();
    for (const [index, { section, name, kind }] of this.#measures.entries()) {
      const now = row.values[index];
      const then = before?.values[index];
      const grows = kind === 'events' || kind === 'microseconds';
      const perSecond =
        grows && now !== undefined && then !== undefined && seconds > 0
          ? Number(now - then) / seconds
          : undefined;
      const readings = sections.get(section) ?? new Map<string, Reading>();
      sections.set(section, readings.set(name, { kind, now, perSecond }));
    }
    this.#before = { ns: row.ns, values: row.values };
    const time = new Date(this.#startedAt.getTime() + (row.tick * this.#intervalNs) / 1e6);
    return { tick: row.tick, time, seconds, sections };
  }
}

/** One line of NDJSON: `{time, tick, seconds, vmstat: {zswpout: {now, perSecond}, ...}, ...}`. */
export function watchedLine({ tick, time, seconds, sections }: Watched): string {
  const plain = (value: bigint | undefined): number | string | null => {
    if (value === undefined) return null;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  };
  const named = [...sections].map(([section, readings]) => [
    section,
    Object.fromEntries(
      [...readings].map(([name, { now, perSecond }]) => [
        name,
        { now: plain(now), ...(perSecond === undefined ? {} : { perSecond }) },
      ]),
    ),
  ]);
  return JSON.stringify({ time, tick, seconds, ...Object.fromEntries(named) });
}

const nameWidth = 28;
const numberWidth = 18;

/** The readings for people. Rows that were never anything else than zero are left out, but for those of vmstat. */
export function renderWatched(
  { tick, seconds, sections }: Watched,
  { name, intervalNs }: { readonly name: string; readonly intervalNs: number },
  { lateNs, missed, dropped }: SamplingStatistics,
): string {
  const head = [
    `${name}, every ${intervalNs / 1e9} s, for ${((tick * intervalNs) / 1e9).toFixed(1)} s`,
    `late ${(lateNs.p99 / 1e6).toFixed(2)} ms (p99)`,
    ...(missed > 0 ? [`${grouped(missed)} ticks missed`] : []),
    ...(dropped > 0 ? [`${grouped(dropped)} rows dropped`] : []),
  ].join(', ');
  const lines = [head];
  for (const [section, readings] of sections) {
    const rows = [...readings].filter(
      ([, { kind, now }]) =>
        now !== undefined && (section === 'vmstat' || now > 0n || kind === 'bytes' || kind === 'pages'),
    );
    if (rows.length === 0) continue;
    lines.push('', line(section, seconds === 0 ? '' : 'per second', 'now'));
    lines.push(...rows.map(([row, reading]) => line(`  ${row}`, rateText(reading), nowText(reading))));
    const ratio = ratioText(readings);
    if (ratio !== undefined) lines.push(line('  ratio', '', ratio));
  }
  return lines.join('\n');
}

function line(name: string, rate: string, now: string): string {
  return `${name.padEnd(nameWidth)}${rate.padStart(numberWidth)}${now.padStart(numberWidth)}`;
}

function rateText({ kind, perSecond }: Reading): string {
  if (perSecond === undefined) return '';
  if (kind === 'microseconds') return `${(perSecond / 1e4).toFixed(1)}%`;
  return perSecond === 0 || perSecond >= 10 ? grouped(Math.round(perSecond)) : perSecond.toFixed(1);
}

function nowText({ kind, now }: Reading): string {
  if (now === undefined) return '';
  if (kind === 'bytes') return bytes(Number(now));
  if (kind === 'microseconds') return `${(Number(now) / 1e6).toFixed(1)} s`;
  return grouped(now);
}

/** zswap counts base pages; IAA machines are x86-64, where those are always 4 KiB. */
const pageBytes = 4096;

/** How well what is stored now is compressed: of the machine, or of a cgroup. */
function ratioText(readings: ReadonlyMap<string, Reading>): string | undefined {
  const of = (name: string): number => Number(readings.get(name)?.now ?? 0n);
  const [stored, compressed] = readings.has('stored_pages')
    ? [of('stored_pages') * pageBytes, of('pool_total_size')]
    : [of('memory.stat zswapped'), of('memory.stat zswap')];
  return compressed > 0 ? (stored / compressed).toFixed(2) : undefined;
}

/** Rows are looked for no more often than this (ms). */
const shortestLookMs = 100;

/** A look comes a little after the tick whose row it is for (ms). */
const afterTickMs = 20;

export interface WatchOptions {
  readonly cgroup: HostPath | undefined;
  readonly intervalNs: number;
  /** Each row's readings, or one of all that came since the last look. */
  readonly which: 'each' | 'last';
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly onReadings: (watched: Watched, statistics: SamplingStatistics) => void;
}

/** Watches a host until `signal` is aborted. Throws what Host.sample does. */
export async function watch(host: Host, options: WatchOptions): Promise<void> {
  const { intervalNs, signal } = options;
  const sampling = await host.sample({
    sources: await counterSources(host, options.cgroup),
    intervalNs,
  });
  try {
    const readings = new Watch(sampling, new Date());
    const periodMs = Math.max(intervalNs / 1e6, shortestLookMs);
    const begin = performance.now();
    for (let look = 0; !signal.aborted; look += 1) {
      const waitMs = begin + look * periodMs + afterTickMs - performance.now();
      await delay(Math.max(waitMs, 0), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      for (const watched of readings.take(sampling.take(), options.which)) {
        options.onReadings(watched, sampling.statistics());
      }
    }
  } finally {
    sampling.stop();
  }
}

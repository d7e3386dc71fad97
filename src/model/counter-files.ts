/** The model's counters as text of the files in which a kernel has them. */
import {
  globalStatsText,
  iaaStatisticsDirectory,
  parseGlobalStats,
  parseWqStats,
  wqStatsText,
} from '../host/reactions/iaa-statistics.js';
import { type KernelTree, realPath, type TreeUpdate } from '../host/reactions/tree.js';
import type { NativeModel } from '../native/surface.js';

/** Counters of the model by name, as `vmstat.zswpout`. */
export type ModelCounters = Readonly<Record<string, number>>;

interface Counter {
  readonly path: string;
  /** Empty for a file that is a single number. */
  readonly key: string;
  readonly value: (counters: ModelCounters) => number;
  /** It says how much there is, not how often something happened. */
  readonly isGauge?: boolean;
}

const vmstat = '/proc/vmstat';
const zswap = '/sys/kernel/debug/zswap';
const globalStats = `${iaaStatisticsDirectory}/global_stats`;
const wqStats = `${iaaStatisticsDirectory}/wq_stats`;

const gauges =
  /^(zswap\.(pool_total_size|stored_\w+)|memory\.(current|swap\.current|stat\.\w+)|hugepages\.nr_anon)$/;

/** Where a counter of the model is in a kernel's files; undefined for what no kernel counts. */
function placeOf(name: string, group: string, folio: string): { path: string; key: string } | undefined {
  const in_ = (prefix: string, path: string): { path: string; key: string } | undefined =>
    name.startsWith(prefix) ? { path, key: name.slice(prefix.length) } : undefined;
  const file = (prefix: string, directory: string): { path: string; key: string } | undefined =>
    name.startsWith(prefix) ? { path: `${directory}/${name.slice(prefix.length)}`, key: '' } : undefined;
  return (
    in_('vmstat.', vmstat) ??
    in_('memory.events.', `${group}/memory.events`) ??
    in_('memory.swap.events.', `${group}/memory.swap.events`) ??
    in_('memory.stat.', `${group}/memory.stat`) ??
    in_('iaa_crypto.', globalStats) ??
    file('hugepages.', `/sys/kernel/mm/transparent_hugepage/hugepages-${folio}/stats`) ??
    file('zswap.', zswap) ??
    (name.startsWith('memory.') ? { path: `${group}/${name}`, key: '' } : undefined)
  );
}

/** Those of the group's files that repeat what others say. */
function derived(group: string): Counter[] {
  const of = (path: string, key: string, name: string, isGauge = false): Counter => ({
    path: `${group}/${path}`,
    key,
    value: (counters) => counters[name] ?? 0,
    isGauge,
  });
  const usec = (key: string, ...names: string[]): Counter => ({
    path: `${group}/cpu.stat`,
    key,
    value: (counters) => names.reduce((sum, name) => sum + Math.floor((counters[name] ?? 0) / 1000), 0),
  });
  return [
    of('memory.zswap.current', '', 'memory.stat.zswap', true),
    ...['pgfault', 'pgmajfault', 'zswpin', 'zswpout', 'zswpwb'].map((key) =>
      of('memory.stat', key, `vmstat.${key}`),
    ),
    usec('usage_usec', 'cpu.user_ns', 'cpu.system_ns'),
    usec('user_usec', 'cpu.user_ns'),
    usec('system_usec', 'cpu.system_ns'),
  ];
}

/** A WQ's place in wq_stats: the number of its device, and which of that device's WQs it is. */
export interface WqPlace {
  readonly device: number;
  readonly index: number;
}

/** Files of a tree whose counters go on from what they are now. */
export class CounterFiles {
  readonly #tree: KernelTree;
  readonly #wqs: readonly WqPlace[];
  /** Texts as they were, by path, with the counters in them. */
  readonly #files = new Map<
    string,
    { readonly text: string; readonly mode: number; readonly counters: Counter[] }
  >();

  /** `names`: modelCounters() of the addon; `group`: the workload's cgroup; `wqs`: those of the model, in its order. */
  constructor(
    tree: KernelTree,
    names: readonly string[],
    {
      group,
      folio,
      wqs,
    }: { readonly group: string; readonly folio: string; readonly wqs: readonly WqPlace[] },
  ) {
    this.#tree = tree;
    this.#wqs = wqs;
    for (const name of names) {
      const place = placeOf(name, group, folio);
      if (place === undefined) continue;
      this.#add({ ...place, value: (counters) => counters[name] ?? 0, isGauge: gauges.test(name) });
    }
    for (const counter of derived(group)) this.#add(counter);
    this.#add({ path: wqStats, key: '', value: () => 0 });
  }

  /** Only files that the tree has: what this kernel does not offer does not appear. */
  #add(counter: Counter): void {
    const real = realPath(this.#tree, counter.path);
    if (typeof real === 'string') return;
    const known = this.#files.get(real.path);
    if (known !== undefined) {
      known.counters.push(counter);
      return;
    }
    const node = this.#tree.node(real.path);
    if (node?.kind !== 'file') return;
    this.#files.set(real.path, { text: node.read().toString('utf8'), mode: node.mode, counters: [counter] });
  }

  /** The files as they are with these counters. `wqCounters` in the order of the WQs; `gone`: nothing is there any more. */
  updates(
    counters: ModelCounters,
    wqCounters: ReturnType<NativeModel['wqCounters']>,
    gone = false,
  ): TreeUpdate[] {
    return [...this.#files].map(([path, { text, mode, counters: inFile }]) => ({
      kind: 'file',
      path,
      mode,
      text:
        path === wqStats
          ? this.#wqStatsText(text, wqCounters)
          : textWith(
              path,
              text,
              new Map(inFile.map(({ key, value, isGauge }) => [key, gone && isGauge ? 0 : value(counters)])),
            ),
    }));
  }

  /** What a column of a series adds to what it was at the begin; 0 for one that the model does not move. */
  added(path: string, key: string): (counters: ModelCounters) => number {
    return (
      this.#files.get(path)?.counters.find((counter) => counter.key === key && path !== wqStats)?.value ??
      (() => 0)
    );
  }

  #wqStatsText(text: string, wqCounters: ReturnType<NativeModel['wqCounters']>): string {
    const devices = parseWqStats(text);
    return wqStatsText(
      devices.map(({ id, wqs }) => ({
        id,
        wqs: wqs.map(({ label, counts }, index) => {
          const at = this.#wqs.findIndex((wq) => wq.device === id && wq.index === index);
          const more = wqCounters[at];
          return {
            label,
            counts: {
              comp_calls: counts.comp_calls + (more?.compCalls ?? 0),
              comp_bytes: counts.comp_bytes + (more?.compBytes ?? 0),
              decomp_calls: counts.decomp_calls + (more?.decompCalls ?? 0),
              decomp_bytes: counts.decomp_bytes + (more?.decompBytes ?? 0),
            },
          };
        }),
      })),
    );
  }
}

/** A file's text with numbers added to those in it; a key that it does not have stays away. */
function textWith(path: string, text: string, added: ReadonlyMap<string, number>): string {
  if (path === globalStats) {
    const was = parseGlobalStats(text);
    return globalStatsText(
      Object.fromEntries(Object.entries(was).map(([key, value]) => [key, value + (added.get(key) ?? 0)])),
    );
  }
  const single = added.get('');
  if (single !== undefined) return `${Number(text) + single}\n`;
  return text.replace(/^(\S+) (\d+)$/gm, (line, key: string, value: string) => {
    const more = added.get(key);
    return more === undefined ? line : `${key} ${Number(value) + more}`;
  });
}

/** Series of a modelled machine's counters: rows at ticks of the virtual clock, in the encoding of docs/series.md. */

import { parseGlobalStats } from '../host/reactions/iaa-statistics.js';
import { type KernelTree, realPath } from '../host/reactions/tree.js';
import type { Column, CounterSource, LeftOut, SampleSpec, Sampling } from '../host/sampling.js';
import type { CounterFiles, ModelCounters } from './counter-files.js';

/**
 * Bytes of rows, all of which are handed out at the end: a file of them does not depend on when they are asked for. A
 * frame of a series holds so many.
 */
const mostBytes = 60 * 1024 * 1024;

/** The counters of a text by key; undefined where it has none of this form. wq_stats are not sampled. */
function countersOf({ path, format }: CounterSource, text: string): Map<string, bigint> | undefined {
  const found = new Map<string, bigint>();
  switch (format) {
    case 'number':
      if (/^\d+\n$/.test(text)) found.set('', BigInt(text));
      break;
    case 'flat':
      for (const [, key = '', value = ''] of text.matchAll(/^(\S+) (\d+)$/gm)) found.set(key, BigInt(value));
      break;
    case 'nested':
      for (const [, label = '', rest = ''] of text.matchAll(/^(\S+) (.*)$/gm)) {
        for (const [, key = '', value = ''] of rest.matchAll(/(\w+)=(\d+)(?= |$)/g))
          found.set(`${label}.${key}`, BigInt(value));
      }
      break;
    case 'iaa-statistics':
      if (path.endsWith('/wq_stats')) return undefined;
      for (const [key, value] of Object.entries(parseGlobalStats(text))) found.set(key, BigInt(value));
  }
  return found.size === 0 ? undefined : found;
}

export class ModelSampling implements Sampling {
  readonly columns: Column[] = [];
  readonly leftOut: LeftOut[] = [];
  readonly intervalNs: number;
  readonly startNs: bigint;
  readonly #tree: KernelTree;
  readonly #sources: readonly CounterSource[];
  readonly #real: string[] = [];
  readonly #before: (bigint | undefined)[] = [];
  readonly #waiting: Uint8Array[] = [];
  #bytes = 0;
  #tick = -1;
  #rows = 0;
  #dropped = 0;
  #mostLateNs = 0;
  #stopped = false;

  constructor(tree: KernelTree, { sources, intervalNs }: SampleSpec, nowNs: bigint) {
    this.#tree = tree;
    this.intervalNs = Math.round(intervalNs);
    this.startNs = nowNs;
    const kept: CounterSource[] = [];
    for (const source of sources) {
      const real = realPath(tree, source.path);
      const node = typeof real === 'string' ? undefined : tree.node(real.path);
      const counters = node?.kind === 'file' ? countersOf(source, node.read().toString('utf8')) : undefined;
      if (typeof real === 'string' || counters === undefined) {
        this.leftOut.push({ path: source.path, errnoCode: typeof real === 'string' ? real : 'EOPNOTSUPP' });
        continue;
      }
      kept.push(source);
      for (const key of counters.keys()) {
        this.columns.push({ path: source.path, key });
        this.#real.push(real.path);
      }
    }
    this.#sources = kept;
    this.#before = this.columns.map(() => undefined);
    this.passed(nowNs);
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Time has passed while nothing ran: the files are as they were. */
  passed(nowNs: bigint): void {
    const last = Number((nowNs - this.startNs) / BigInt(this.intervalNs));
    if (this.#stopped || last <= this.#tick) return;
    const values = this.#read();
    for (let tick = this.#tick + 1; tick <= last; tick += 1) this.#encode(tick, 0, values);
  }

  /** What adds counters of the model to the files as they are now. */
  follow(files: CounterFiles): (atNs: bigint, counters: ModelCounters) => void {
    const base = this.#read();
    const added = this.columns.map(({ key }, column) => files.added(this.#real[column] ?? '', key));
    return (atNs, counters) => {
      const since = atNs - this.startNs;
      const tick = Number(since / BigInt(this.intervalNs));
      if (this.#stopped || tick <= this.#tick) return;
      const values = base.map((value, column) =>
        value === undefined ? undefined : value + BigInt(added[column]?.(counters) ?? 0),
      );
      this.#encode(tick, Number(since % BigInt(this.intervalNs)), values);
    };
  }

  take(): Uint8Array {
    return this.#stopped ? Buffer.concat(this.#waiting.splice(0)) : new Uint8Array();
  }

  statistics(): ReturnType<Sampling['statistics']> {
    const none = { p50: 0, p99: 0, max: 0 };
    // A workload that began between two ticks is as late at all of them.
    const late = this.#mostLateNs;
    const lateNs = { p50: late, p99: late, max: late };
    return { rows: this.#rows, dropped: this.#dropped, missed: 0, lateNs, readingNs: none };
  }

  stop(): void {
    this.#stopped = true;
  }

  #read(): (bigint | undefined)[] {
    return this.#sources.flatMap((source) => {
      const columns = this.columns.filter(({ path }) => path === source.path);
      const real = realPath(this.#tree, source.path);
      const node = typeof real === 'string' ? undefined : this.#tree.node(real.path);
      const counters = node?.kind === 'file' ? countersOf(source, node.read().toString('utf8')) : undefined;
      return columns.map(({ key }) => counters?.get(key));
    });
  }

  #encode(tick: number, lateNs: number, values: readonly (bigint | undefined)[]): void {
    if (this.#bytes >= mostBytes) {
      this.#dropped += 1;
      return;
    }
    const bytes: number[] = [];
    const number = (value: bigint): void => {
      let rest = value;
      for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
      bytes.push(Number(rest));
    };
    const changed = values.flatMap((value, column) => (value === this.#before[column] ? [] : [column]));
    for (const head of [tick - this.#tick, lateNs, 0, changed.length]) number(BigInt(head));
    let at = -1;
    for (const column of changed) {
      const value = values[column];
      number(BigInt((column - at) * 2 + (value === undefined ? 1 : 0)));
      at = column;
      if (value === undefined) continue;
      const difference = BigInt.asIntN(64, value - (this.#before[column] ?? 0n));
      number(BigInt.asUintN(64, (difference << 1n) ^ (difference >> 63n)));
    }
    for (const column of changed) this.#before[column] = values[column];
    this.#tick = tick;
    this.#rows += 1;
    this.#mostLateNs = Math.max(this.#mostLateNs, lateNs);
    this.#waiting.push(Uint8Array.from(bytes));
    this.#bytes += bytes.length;
  }
}

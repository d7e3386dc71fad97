/** Host.sample on hosts of files, and the series it is recorded to. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { counterSources } from '../../src/collect/counters.js';
import { RowDecoder } from '../../src/collect/rows.js';
import { SeriesReader, SeriesRecorder } from '../../src/collect/series.js';
import { RequirementError, UsageError } from '../../src/errors.js';
import type { Host } from '../../src/host/host.js';
import { openHost } from '../../src/host/open.js';
import { hostPath } from '../../src/host/path.js';
import type { CounterSource, Sampling } from '../../src/host/sampling.js';
import { tempDirectory } from '../support/temp-directory.js';

const vmstat: CounterSource = { path: hostPath('/proc/vmstat'), format: 'flat' };
const current: CounterSource = { path: hostPath('/sys/fs/cgroup/g/memory.current'), format: 'number' };

function machine(t: TestContext): string {
  const directory = tempDirectory(t);
  mkdirSync(join(directory, 'proc'));
  mkdirSync(join(directory, 'sys/fs/cgroup/g'), { recursive: true });
  writeFileSync(join(directory, 'proc/vmstat'), 'zswpin 1\nzswpout 2\n');
  writeFileSync(join(directory, current.path), '18446744073709551615\n');
  return directory;
}

async function opened(t: TestContext, spec: string): Promise<Host> {
  const host = await openHost(spec, { writable: false });
  t.after(() => host.close());
  return host;
}

/** Reads the rows of one sampling as they come. */
class Rows {
  readonly #sampling: Sampling;
  readonly #decoder: RowDecoder;
  readonly all: (bigint | undefined)[][] = [];

  constructor(sampling: Sampling) {
    this.#sampling = sampling;
    this.#decoder = new RowDecoder(sampling.columns.length);
  }

  /** Waits until the last row is as wanted; throws when it is not within some seconds. */
  async until(wanted: (last: (bigint | undefined)[]) => boolean): Promise<void> {
    for (let tries = 0; tries < 1000; tries += 1) {
      for (const row of this.#decoder.decode(this.#sampling.take())) {
        this.all.push(this.#sampling.columns.map((_, column) => row.value(column)));
      }
      const last = this.all.at(-1);
      if (last !== undefined && wanted(last)) return;
      await delay(5);
    }
    assert.fail(`the last of ${this.all.length} rows is ${this.all.at(-1)}`);
  }
}

for (const kind of ['root', 'mock']) {
  test(`a ${kind}: host is sampled, from its own tree alone`, async (t) => {
    const directory = machine(t);
    const host = await opened(t, `${kind}:${directory}`);
    const sampling = await host.sample({
      sources: [vmstat, current, { path: hostPath('/none'), format: 'flat' }],
      intervalNs: 2e6,
    });
    t.after(() => sampling.stop());
    assert.deepEqual(sampling.columns, [
      { path: vmstat.path, key: 'zswpin' },
      { path: vmstat.path, key: 'zswpout' },
      { path: current.path, key: '' },
    ]);
    assert.deepEqual(sampling.leftOut, [{ path: '/none', errnoCode: 'ENOENT' }]);
    const rows = new Rows(sampling);
    await rows.until((last) => isDeepStrictEqual(last, [1n, 2n, 2n ** 64n - 1n]));

    writeFileSync(join(directory, 'proc/vmstat'), 'other 9\nzswpout 3000000000000\n');
    writeFileSync(join(directory, current.path), '0\n');
    await rows.until((last) => isDeepStrictEqual(last, [undefined, 3000000000000n, 0n]));
  });
}

test('the live machine is sampled without root', async (t) => {
  const host = await opened(t, 'live');
  const sources = await counterSources(host);
  const sampling = await host.sample({ sources, intervalNs: 10e6 });
  const rows = new Rows(sampling);
  await rows.until(() => rows.all.length >= 3);
  sampling.stop();
  const faults = sampling.columns.findIndex(({ key }) => key === 'pgfault');
  const [first, last] = [rows.all[0]?.[faults], rows.all.at(-1)?.[faults]];
  assert.ok(first !== undefined && last !== undefined && first > 0n && last >= first);
  const { rows: count, lateNs, missed } = sampling.statistics();
  assert.ok(count >= 3 && missed >= 0);
  assert.ok(lateNs.p50 <= lateNs.p99 && lateNs.p99 <= lateNs.max);
  assert.ok(sampling.startNs <= host.now());
});

test('an interval that is too short, too long or no number is a usage error', async (t) => {
  const host = await opened(t, `root:${machine(t)}`);
  for (const intervalNs of [0, 999_999, 10_000_000_001, -1, Number.NaN]) {
    await assert.rejects(host.sample({ sources: [vmstat], intervalNs }), UsageError);
  }
});

test('a trace cannot be sampled, and a sampling is in the trace', async (t) => {
  const directory = machine(t);
  const trace = join(tempDirectory(t), 'trace');
  const host = await openHost(`root:${directory}`, { writable: false, trace });
  (await host.sample({ sources: [vmstat], intervalNs: 1e9 })).stop();
  await host.close();
  const line = JSON.parse(readFileSync(trace, 'utf8').split('\n')[1] ?? '');
  assert.deepEqual(
    { op: line.op, paths: line.paths, intervalNs: line.intervalNs, columns: line.columns },
    { op: 'sample', paths: ['/proc/vmstat'], intervalNs: 1e9, columns: 2 },
  );
  const again = await opened(t, `root:${trace}`);
  await assert.rejects(again.sample({ sources: [vmstat], intervalNs: 1e9 }), RequirementError);
});

async function lastOf(path: string) {
  const reader = await SeriesReader.open(path);
  let count = 0;
  let tick = -1;
  let values: (bigint | undefined)[] = [];
  for await (const row of reader.rows()) {
    count += 1;
    assert.ok(row.tick > tick);
    tick = row.tick;
    values = reader.columns.map((_, column) => row.value(column));
  }
  return { count, values, end: reader.end, header: reader.header };
}

test('a series on disk gives back every row, and what is left of one that was cut off', async (t) => {
  const directory = machine(t);
  const host = await opened(t, `root:${directory}`);
  const path = join(tempDirectory(t), 'series');
  const recorder = await SeriesRecorder.start(host, [vmstat, current], path, { intervalNs: 2e6 });
  await delay(1200);
  writeFileSync(join(directory, 'proc/vmstat'), 'zswpin 1\nzswpout 3\n');
  await delay(100);
  const end = await recorder.end();
  assert.equal(end.failure, undefined);
  assert.equal(end.dropped, 0);

  const whole = await lastOf(path);
  assert.equal(whole.count, end.rows);
  assert.deepEqual(whole.values, [1n, 3n, 2n ** 64n - 1n]);
  assert.deepEqual(whole.end, end);
  assert.equal(whole.header.intervalNs, 2e6);

  // Cut anywhere behind the first line: an end is missing, the rows of whole frames are there.
  const { length } = readFileSync(path);
  const headEnd = readFileSync(path).indexOf('\n') + 1;
  let before = whole.count;
  for (let size = length - 1; size >= headEnd; size -= 97) {
    truncateSync(path, size);
    const cut = await lastOf(path);
    assert.equal(cut.end, undefined);
    assert.ok(cut.count <= before);
    before = cut.count;
  }
  truncateSync(path, headEnd);
  assert.equal((await lastOf(path)).count, 0);
});

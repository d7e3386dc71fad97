import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderWatched, Watch, type Watched, watchedLine } from '../../../src/cli/watch.js';
import { hostPath } from '../../../src/host/path.js';
import type { SamplingStatistics } from '../../../src/host/sampling.js';

const debug = '/sys/kernel/debug';
const group = '/sys/fs/cgroup/g';
const columns = [
  ['/proc/vmstat', 'nr_free_pages'],
  ['/proc/vmstat', 'zswpout'],
  ['/proc/pressure/memory', 'some.total'],
  ['/sys/kernel/mm/transparent_hugepage/hugepages-64kB/stats/zswpout', ''],
  ['/sys/kernel/mm/transparent_hugepage/hugepages-64kB/stats/nr_anon', ''],
  [`${debug}/zswap/stored_pages`, ''],
  [`${debug}/zswap/pool_total_size`, ''],
  [`${debug}/zswap/reject_compress_fail`, ''],
  [`${debug}/iaa_crypto/wq_stats`, 'iax1.comp_calls'],
  [`${debug}/iaa_crypto/max_comp_delay_ns`, ''],
  [`${group}/memory.current`, ''],
  [`${group}/memory.stat`, 'zswapped'],
  [`${group}/memory.events`, 'high'],
  [`${group}/cpu.stat`, 'user_usec'],
].map(([path = '', key = '']) => ({ path: hostPath(path), key }));

/** A row of small values: each column's difference to the row before, all present. */
function row(ticks: number, lateNs: number, differences: readonly number[]): number[] {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
  return [
    ticks,
    lateNs,
    0,
    differences.length,
    ...differences.flatMap((each) => [2, ...varint(2 * each)]),
  ].flatMap((value, index) => (index < 4 ? varint(value) : [value]));
}

const first = row(1, 0, [7, 100, 5_000_000, 3, 4, 1000, 2_048_000, 0, 50, 9, 4096, 8192, 2, 1_000_000]);
const second = row(1, 0, [1, 50, 250_000, 0, 0, 24, 0, 0, 5, 0, 4096, 0, 1, 500_000]);
const statistics: SamplingStatistics = {
  rows: 2,
  dropped: 0,
  missed: 1,
  lateNs: { p50: 1, p99: 1_230_000, max: 3 },
  readingNs: { p50: 1, p99: 2, max: 3 },
};

function watched(...rows: number[][]): Watched[] {
  const watch = new Watch({ columns, intervalNs: 5e8 }, new Date('2026-01-01T00:00:00Z'));
  return [...watch.take(Uint8Array.from(rows.flat()), 'each')];
}

test('counters are told per second, amounts as they are', () => {
  const [, second_] = watched(first, second);
  assert.ok(second_ !== undefined);
  assert.equal(
    renderWatched(second_, { name: 'live', intervalNs: 5e8 }, statistics),
    [
      'live, every 0.5 s, for 0.5 s, late 1.23 ms (p99), 1 ticks missed',
      '',
      'vmstat                              per second               now',
      '  zswpout                                  100               150',
      '',
      'pressure                            per second               now',
      '  memory some                            50.0%             5.3 s',
      '',
      '64kB                                per second               now',
      '  zswpout                                    0                 3',
      '',
      'zswap                               per second               now',
      '  stored_pages                                             1,024',
      '  pool_total_size                                        2.0 MiB',
      '  ratio                                                     2.05',
      '',
      'iaa_crypto                          per second               now',
      '  iax1.comp_calls                           10                55',
      '',
      'cgroup                              per second               now',
      '  memory.current                                           8 KiB',
      '  memory.stat zswapped                                     8 KiB',
      '  memory.events high                       2.0                 3',
      '  cpu.stat user_usec                    100.0%             1.5 s',
    ].join('\n'),
  );
});

test('the first time has no rates', () => {
  const [only] = watched(first);
  assert.ok(only !== undefined);
  assert.equal(only.seconds, 0);
  const text = renderWatched(only, { name: 'live', intervalNs: 5e8 }, { ...statistics, missed: 0 });
  assert.match(text, /^live, every 0\.5 s, for 0\.0 s, late 1\.23 ms \(p99\)\n/);
  assert.match(text, /^ {2}zswpout {52}100$/m);
  assert.doesNotMatch(text, /per second/);
});

test('a line of JSON has what is shown, by section and name', () => {
  const [before, after] = watched(first, row(2, 100_000, [0, 50]), second).map((each) =>
    JSON.parse(watchedLine(each)),
  );
  assert.equal(before.time, '2026-01-01T00:00:00.000Z');
  assert.deepEqual(before.vmstat, { zswpout: { now: 100 } });
  assert.equal(after.time, '2026-01-01T00:00:01.000Z');
  // Two ticks later, and 0.1 ms late: rates are over the time that passed.
  assert.deepEqual([after.tick, after.seconds], [2, 1.0001]);
  assert.deepEqual(after.vmstat.zswpout, { now: 150, perSecond: 50 / 1.0001 });
  assert.deepEqual(after.zswap.stored_pages, { now: 1000 });
  assert.deepEqual(Object.keys(after), [
    ...['time', 'tick', 'seconds', 'vmstat', 'pressure', '64kB', 'zswap', 'iaa_crypto', 'cgroup'],
  ]);
});

test('of several rows the last is told, with rates since the last that was told', () => {
  const watch = new Watch({ columns, intervalNs: 5e8 }, new Date(0));
  const [one, ...none] = [...watch.take(Uint8Array.from(first), 'last')];
  assert.ok(one !== undefined && none.length === 0);
  const [later, ...others] = [...watch.take(Uint8Array.from([...second, ...second]), 'last')];
  assert.equal(others.length, 0);
  assert.deepEqual(later?.sections.get('vmstat')?.get('zswpout'), {
    kind: 'events',
    now: 200n,
    perSecond: 100,
  });
  assert.deepEqual([...watch.take(new Uint8Array(), 'last')], []);
});

test('what the kernel does not say is null and not shown', () => {
  const watch = new Watch({ columns: columns.slice(0, 2), intervalNs: 5e8 }, new Date(0));
  // The second column of the second row is empty.
  const bytes = [...row(1, 0, [7, 100]), 1, 0, 0, 1, 2 * 2 + 1];
  const [, empty] = [...watch.take(Uint8Array.from(bytes), 'each')];
  assert.ok(empty !== undefined);
  assert.deepEqual(JSON.parse(watchedLine(empty)).vmstat, { zswpout: { now: null } });
  assert.doesNotMatch(renderWatched(empty, { name: 'live', intervalNs: 5e8 }, statistics), /zswpout/);
});

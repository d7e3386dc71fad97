import assert from 'node:assert/strict';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';
import { guestTest, output, textOf } from '../support/guest.js';

interface Sampled {
  rows: number;
  columns: Record<string, { first: string | null; last: string | null; empty: number }>;
  leftOut: { path: string; errnoCode: string }[];
  statistics: { rows: number; missed: number; dropped: number };
}

guestTest('every kind of counter of a kernel is sampled, each at every tick', async (guest) => {
  const program = join(packageRoot(), 'build/test/test/vm/programs/sample.js');
  const sampled = JSON.parse(await output(guest, process.execPath, program)) as Sampled;
  const columns = Object.entries(sampled.columns);
  assert.ok(columns.length > 300, `${columns.length} columns`);
  assert.deepEqual(
    columns.filter(([, { empty }]) => empty > 0),
    [],
  );
  assert.ok(sampled.statistics.rows >= 50 && sampled.statistics.dropped === 0);
  // The root group has no memory.current and the like; nothing else may be missing.
  assert.deepEqual(
    sampled.leftOut.filter(
      ({ path, errnoCode }) => errnoCode !== 'ENOENT' || !path.startsWith('/sys/fs/cgroup/'),
    ),
    [],
  );

  const value = (name: string): bigint => BigInt(sampled.columns[name]?.last ?? -1n);
  assert.equal(
    value('/sys/kernel/debug/sched/nr_migrate '),
    BigInt(await textOf(guest, '/sys/kernel/debug/sched/nr_migrate')),
  );
  const vmstat = await textOf(guest, '/proc/vmstat');
  const faults = BigInt(/^pgfault (\d+)$/m.exec(vmstat)?.[1] ?? -1);
  const first = BigInt(sampled.columns['/proc/vmstat pgfault']?.first ?? -1n);
  assert.ok(first > 0n && first <= value('/proc/vmstat pgfault') && value('/proc/vmstat pgfault') <= faults);
  assert.ok(value('/proc/pressure/cpu some.total') > 0n);
  assert.ok(value('/sys/fs/cgroup/memory.stat pgfault') > 0n);
});

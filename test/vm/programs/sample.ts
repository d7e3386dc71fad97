/** Samples kernel files of each kind for 50 ticks; prints first and last value of each column, and how it went. */
import { counterSources } from '../../../src/collect/counters.js';
import { RowDecoder } from '../../../src/collect/rows.js';
import { openHost } from '../../../src/host/open.js';
import { hostPath } from '../../../src/host/path.js';

const host = await openHost('live', { writable: false });
const sampling = await host.sample({
  sources: [
    ...(await counterSources(host, hostPath('/sys/fs/cgroup'))),
    // A number of debugfs that is there in every kernel: its descriptor is a stream.
    { path: hostPath('/sys/kernel/debug/sched/nr_migrate'), format: 'number' },
  ],
  intervalNs: 20e6,
});
const decoder = new RowDecoder(sampling.columns.length);
const seen = new Map<string, { first: string | null; last: string | null; empty: number }>();
const names = sampling.columns.map(({ path, key }) => `${path} ${key}`);
let rows = 0;
while (rows < 50) {
  await host.delay(100);
  for (const row of decoder.decode(sampling.take())) {
    rows += 1;
    for (const [column, name] of names.entries()) {
      const value = row.value(column)?.toString() ?? null;
      const before = seen.get(name) ?? { first: value, last: value, empty: 0 };
      seen.set(name, { ...before, last: value, empty: before.empty + (value === null ? 1 : 0) });
    }
  }
}
sampling.stop();
console.log(
  JSON.stringify({
    rows,
    columns: Object.fromEntries(seen),
    leftOut: sampling.leftOut,
    statistics: sampling.statistics(),
  }),
);
await host.close();

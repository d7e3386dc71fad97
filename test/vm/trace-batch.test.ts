import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Gathered } from '../../src/experiment/gather.js';
import { parseBatchHistogram } from '../../src/kernel/tracefs.js';
import { packageRoot } from '../../src/native/load.js';
import type { Guest } from '../../src/vm/index.js';
import { guestTest, output, textOf } from '../support/guest.js';

const program = join(packageRoot(), 'dist/cli.js');
const experiment = join(packageRoot(), 'test/vm/programs/traced.yaml');
const tracing = '/sys/kernel/debug/tracing';

/** What the machine traces. */
async function traced(guest: Guest): Promise<string> {
  return output(
    guest,
    '/bin/sh',
    '-c',
    `ls ${tracing}/instances; cat ${tracing}/kprobe_events ${tracing}/synthetic_events; grep -c . ${tracing}/enabled_functions`,
  ).catch((error: Error) => error.message);
}

guestTest('a cell has its time series, what tools say, and a histogram of its batches', async (guest) => {
  const before = await traced(guest);
  const state = '/run/traced';
  try {
    const argv = [process.execPath, program, 'run', '--yes', '--trace-batch', '--state', state, experiment];
    const { exitCode, stderr } = await guest.run(argv);
    assert.equal(exitCode, 0, stderr.toString());
    assert.match(
      stderr.toString(),
      /crypto_acomp_compress, a request that a compressor gets\n {7}1 page +[\d,]+ calls {2}p50 /,
    );
    assert.match(
      stderr.toString(),
      /zswap_store, a large folio that zswap stores\n {5}16 pages +[\d,]+ calls {2}p50 /,
    );
    assert.equal(await traced(guest), before);

    const directory = (await output(guest, '/bin/sh', '-c', `echo ${state}/runs/*/001-*`)).trim();
    const cell = JSON.parse(await textOf(guest, `${directory}/cell.json`)) as {
      gathered: Gathered;
      after: { files: Record<string, string> };
      before: { files: Record<string, string> };
    };
    const { series, tools, batches } = cell.gathered;
    assert.ok('rows' in series && series.rows > 5 && series.dropped === 0, JSON.stringify(series));
    assert.deepEqual(batches, { symbols: ['crypto_acomp_compress', 'zswap_store'], leftOut: [] });
    assert.deepEqual(tools['perf'], { ended: 'SIGINT' });
    assert.match(await textOf(guest, `${directory}/perf.csv`), /,task-clock,/);
    // It is for real machines, and needs not be installed here.
    assert.ok(tools['turbostat'] !== undefined);

    // Each page that zswap stored was one request.
    const histogram = async (symbol: string) =>
      parseBatchHistogram(await textOf(guest, `${directory}/trace-batch-${symbol}.txt`), symbol);
    const calls = ({ buckets }: Awaited<ReturnType<typeof histogram>>): number =>
      buckets.reduce((sum, bucket) => sum + bucket.calls, 0);
    const counted = (name: string): number => {
      const of = (files: Record<string, string>): number =>
        Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(files['/proc/vmstat'] ?? '')?.[1]);
      return of(cell.after.files) - of(cell.before.files);
    };
    const compressed = await histogram('crypto_acomp_compress');
    const stored = counted('zswpout');
    assert.ok(stored > 1000);
    assert.ok(
      Math.abs(calls(compressed) + compressed.dropped - stored) <= stored * 0.02,
      `${calls(compressed)} of ${stored}`,
    );
    assert.deepEqual([...new Set(compressed.buckets.map(({ pages }) => pages))], [1]);
    const folios = await histogram('zswap_store');
    assert.deepEqual([...new Set(folios.buckets.map(({ pages }) => pages))], [16]);
    assert.ok(calls(folios) * 16 <= stored * 1.02);
  } finally {
    await output(guest, 'rm', '-rf', state);
  }
});

guestTest('probes of a run that was killed are removed by restore', async (guest) => {
  const before = await traced(guest);
  const state = '/run/traced-killed';
  try {
    const script = `
      "$@" & pid=$!
      while ! grep -q . ${tracing}/instances/iaa_zswap/events/synthetic/iaa_zswap_store/trigger; do sleep 0.05; done
      kill -9 $pid`;
    const words = [process.execPath, program, 'run', '--yes', '--trace-batch', '--state', state, experiment];
    await output(guest, '/bin/sh', '-c', script, 'sh', ...words);
    assert.match(await textOf(guest, `${tracing}/kprobe_events`), /iaa_zswap\/store_in/);
    await output(guest, process.execPath, program, 'restore', '--state', state);
    assert.equal(await traced(guest), before);
  } finally {
    await output(guest, 'rm', '-rf', state);
  }
});

import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Journal } from '../../../src/apply/journal.js';
import { batchLines } from '../../../src/cli/batches.js';
import { Gathering, gatheredFiles } from '../../../src/experiment/gather.js';
import { hostPath } from '../../../src/host/path.js';
import { MemoryHost } from '../../support/memory-host.js';
import { tempDirectory } from '../../support/temp-directory.js';
import { TracefsHost } from '../../support/tracefs-host.js';

function journalOf(t: TestContext): Journal {
  const header = { schemaVersion: 1, host: 'x', machineId: '', bootId: '', startedAt: '', tool: '' } as const;
  return Journal.create(tempDirectory(t), header);
}

test('what cannot be gathered is told, and is no failure', async (t) => {
  const directory = tempDirectory(t);
  const gathering = await Gathering.begin(new MemoryHost(), hostPath('/g'), directory, journalOf(t), {
    perf: ['cycles'],
    turbostat: true,
    traceBatch: true,
  });
  const gathered = await gathering.end();
  assert.deepEqual(gathered.series, { absent: 'nothing is sampled in memory' });
  assert.deepEqual(Object.keys(gathered.tools), ['perf', 'turbostat']);
  for (const outcome of Object.values(gathered.tools))
    assert.match(JSON.stringify(outcome), /no such program/);
  assert.match(JSON.stringify(gathered.batches), /no tracefs is mounted/);
});

test('what is not asked for is not run', async (t) => {
  const host = new TracefsHost(['zswap_store']);
  host.onStart = () => assert.fail('no tool was asked for');
  const directory = tempDirectory(t);
  const gathering = await Gathering.begin(host, hostPath('/g'), directory, journalOf(t), {
    traceBatch: false,
  });
  assert.deepEqual(await gathering.end(), {
    series: { absent: 'nothing is sampled in memory' },
    tools: {},
    batches: undefined,
  });
});

test('histograms are kept as the kernel wrote them, and shown', async (t) => {
  const host = new TracefsHost(['zswap_store', 'crypto_acomp_compress']);
  const record = tempDirectory(t);
  const cell = join(record, '001-x');
  mkdirSync(cell);
  const gathering = await Gathering.begin(host, hostPath('/g'), cell, journalOf(t), { traceBatch: true });
  const totals = '\nTotals:\n    Hits: 3\n    Entries: 2\n    Dropped: 1\n';
  const text = `{ pages:         16, ns/pages/50:       2405 } hitcount:       1000\n${totals}`;
  for (const name of ['store', 'compress']) {
    const path = `/sys/kernel/tracing/instances/iaa_zswap/events/synthetic/iaa_zswap_${name}/hist`;
    host.files.set(path, text);
  }
  const { batches } = await gathering.end();
  assert.deepEqual(batches, { symbols: ['crypto_acomp_compress', 'zswap_store'], leftOut: [] });
  assert.deepEqual(readdirSync(cell).sort(), [
    gatheredFiles.batches('crypto_acomp_compress'),
    gatheredFiles.batches('zswap_store'),
  ]);
  assert.equal(readFileSync(join(cell, gatheredFiles.batches('zswap_store')), 'utf8'), text);
  assert.deepEqual((await batchLines(record)).slice(3), [
    '001-x: zswap_store, a large folio that zswap stores',
    '     16 pages          1,000 calls  p50 120,250 ns, p99 120,250 ns a page',
    '  1 calls had no room in the histogram',
  ]);
});

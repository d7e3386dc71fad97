import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startBatchTrace } from '../../../src/apply/batch-trace.js';
import { Journal } from '../../../src/apply/journal.js';
import { restore } from '../../../src/apply/restore.js';
import type { Host } from '../../../src/host/host.js';
import { hostPath } from '../../../src/host/path.js';
import { batchProbes, probeLines } from '../../../src/kernel/tracefs.js';
import { faultyHost } from '../../support/faulty-host.js';
import { MemoryHost } from '../../support/memory-host.js';
import { tempDirectory } from '../../support/temp-directory.js';
import { TracefsHost } from '../../support/tracefs-host.js';

const mainline = ['zswap_store', 'crypto_acomp_compress'];

function journalOf(t: TestContext): Journal {
  const header = { schemaVersion: 1, host: 'x', machineId: '', bootId: '', startedAt: '', tool: '' } as const;
  return Journal.create(tempDirectory(t), header);
}

function stateOf(host: MemoryHost): Record<string, string> {
  // What is said of mistakes stays.
  return Object.fromEntries([...host.files].filter(([path]) => !path.endsWith('error_log')).sort());
}

async function traced(host: Host, journal: Journal) {
  const trace = await startBatchTrace(host, journal);
  assert.ok(!('absent' in trace), JSON.stringify(trace));
  return trace;
}

for (const [kernel, symbols] of [
  ['mainline', mainline],
  ['v9', batchProbes.map(({ symbol }) => symbol)],
] as const) {
  test(`the functions of ${kernel} are traced, and nothing of it is left`, async (t) => {
    const host = new TracefsHost(symbols);
    const journal = journalOf(t);
    const before = stateOf(host);
    const trace = await traced(host, journal);
    assert.deepEqual([...trace.symbols].sort(), [...symbols].sort());
    assert.deepEqual(trace.leftOut, []);
    assert.match(host.text('kprobe_events'), /^p:others\/x vfs_read\n/);
    const store = batchProbes.find(({ symbol }) => symbol === 'zswap_store');
    assert.ok(store !== undefined);
    assert.ok(host.text('kprobe_events').includes(`\n${probeLines(store).begin}\n`));
    assert.equal(
      host.text('instances/iaa_zswap/events/iaa_zswap/store_in/trigger'),
      `${probeLines(store).beginTrigger}\n`,
    );
    assert.equal((await trace.read())['zswap_store'], 'hist of synthetic/iaa_zswap_store\n');
    const [entry] = journal.entries;
    assert.deepEqual([entry?.affects, entry?.change.kind, entry?.done], ['run', 'tracing', true]);

    const restored = await restore(host, journal, { only: 'run' });
    assert.deepEqual(restored.problems, []);
    assert.deepEqual(stateOf(host), before);
    assert.deepEqual((await restore(host, journal)).undone, []);
  });
}

test('a probe that the kernel refuses is left out with its words; the others are made', async (t) => {
  const host = new TracefsHost(mainline);
  const [compress] = batchProbes.filter(({ symbol }) => symbol === 'crypto_acomp_compress');
  assert.ok(compress !== undefined);
  host.refused = { [probeLines(compress).begin]: 'This field is not found.' };
  const journal = journalOf(t);
  const before = stateOf(host);
  const trace = await traced(host, journal);
  assert.deepEqual(trace.symbols, ['zswap_store']);
  assert.deepEqual(trace.leftOut, [
    { symbol: 'crypto_acomp_compress', why: 'EINVAL: This field is not found.' },
  ]);
  await restore(host, journal);
  assert.deepEqual(stateOf(host), before);
});

test('a trigger that is refused leaves its probe out, and all is undone', async (t) => {
  const host = new TracefsHost(['zswap_store']);
  const [store] = batchProbes.filter(({ symbol }) => symbol === 'zswap_store');
  assert.ok(store !== undefined);
  host.refused = { [probeLines(store).endTrigger]: "Couldn't find field" };
  const journal = journalOf(t);
  const before = stateOf(host);
  assert.deepEqual(await startBatchTrace(host, journal), {
    absent: "no function can be traced: zswap_store: EINVAL: Couldn't find field",
  });
  assert.deepEqual((await restore(host, journal)).problems, []);
  assert.deepEqual(stateOf(host), before);
});

test('wherever the process dies, restore removes what was made', async (t) => {
  for (let number = 1; ; number++) {
    for (const when of ['before', 'after'] as const) {
      const host = new TracefsHost(mainline);
      const before = stateOf(host);
      const journal = journalOf(t);
      let died = false;
      const dying = faultyHost(
        host,
        (change) => (change.number === number ? { kind: 'death', when } : undefined),
        () => (died = true),
      );
      await startBatchTrace(dying, journal).catch(() => {});
      assert.deepEqual((await restore(host, journal)).problems, [], `change ${number} ${when}`);
      assert.deepEqual(stateOf(host), before, `change ${number} ${when}`);
      if (!died) return;
    }
  }
});

for (const [what, host, why] of [
  ['tracefs is not mounted', new MemoryHost(), /^no tracefs is mounted \('mount -t tracefs none/],
  [
    'the kernel has no kprobes',
    new MemoryHost({ '/sys/kernel/tracing/trace': '' }),
    /^this kernel is built without CONFIG_KPROBE_EVENTS$/,
  ],
  ['the kernel has none of the functions', new TracefsHost(['vfs_read']), /has none of the functions/],
] as const) {
  test(`where ${what}, it says so and changes nothing`, async (t) => {
    const journal = journalOf(t);
    const trace = await startBatchTrace(host, journal);
    assert.match('absent' in trace ? trace.absent : '', why);
    assert.deepEqual(journal.entries, []);
  });
}

test('what is closed to us is said with its errno', async (t) => {
  const host = new TracefsHost(mainline);
  host.failNext('list', '/sys/kernel/tracing/instances', 'EPERM');
  const trace = await startBatchTrace(host, journalOf(t));
  assert.deepEqual(trace, { absent: '/sys/kernel/tracing cannot be read: EPERM' });
});

test('what somebody else has made under our name is not touched', async (t) => {
  const host = new TracefsHost(mainline);
  await host.mkdir(hostPath('/sys/kernel/tracing/instances/iaa_zswap'));
  const before = stateOf(host);
  const journal = journalOf(t);
  assert.deepEqual(await startBatchTrace(host, journal), {
    absent: '/sys/kernel/tracing/instances/iaa_zswap is there already, and not by this run',
  });
  assert.deepEqual(journal.entries, []);
  assert.deepEqual(stateOf(host), before);
});

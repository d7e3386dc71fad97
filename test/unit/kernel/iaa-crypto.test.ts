import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { parseIaaStatistics, readIaaAttributes, readIaaStatistics } from '../../../src/kernel/iaa-crypto.js';
import { iaaMachine } from '../../support/iaa-machine.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const driver = '/sys/bus/dsa/drivers/crypto';

const globalStats = `global stats:
  total_comp_calls: 4300
  total_decomp_calls: 4100
  total_sw_comp_calls: 1
  total_sw_decomp_calls: 2
  total_comp_bytes_out: 6875700
  total_decomp_bytes_in: 18446744073709551615
  total_completion_einval_errors: 0
  total_completion_timeout_errors: 0
  total_completion_comp_buf_overflow_errors: 7

`;

const wqStats = `iaa device:
  id: 9
  n_wqs: 2
  comp_calls: 30
  comp_bytes: 48000
  decomp_calls: 20
  decomp_bytes: 32000
  wqs:
    name: iaa_crypto
    comp_calls: 10
    comp_bytes: 16000
    decomp_calls: 20
    decomp_bytes: 32000

    name: iaa_crypto
    comp_calls: 20
    comp_bytes: 32000
    decomp_calls: 0
    decomp_bytes: 0

iaa device:
  id: 1
  n_wqs: 0
  comp_calls: 0
  comp_bytes: 0
  decomp_calls: 0
  decomp_bytes: 0
  wqs:
`;

describe('readIaaAttributes', () => {
  test('mainline', async () => {
    const findings: Finding[] = [];
    assert.deepEqual(await readIaaAttributes(iaaMachine(), findings), {
      verify_compress: '1',
      sync_mode: 'sync',
    });
    assert.deepEqual(findings, []);
  });

  test('with the batching patches, and with the older name', async () => {
    const v9 = {
      verify_compress: '0',
      sync_mode: 'async',
      g_comp_wqs_per_iaa: '1',
      distribute_comps: '1',
      distribute_decomps: '0',
    };
    assert.deepEqual(await readIaaAttributes(iaaMachine({ driverAttributes: v9 }), []), v9);
    const older = { verify_compress: '0', g_wqs_per_iaa: '1', g_consec_descs_per_gwq: '1' };
    assert.deepEqual(await readIaaAttributes(iaaMachine({ driverAttributes: older }), []), older);
  });

  test('the driver is not loaded', async () => {
    const findings: Finding[] = [];
    const host = iaaMachine({ driverAttributes: undefined });
    assert.equal(await readIaaAttributes(host, findings), undefined);
    assert.deepEqual(findings, []);
  });

  for (const [name, text] of [
    ['verify_compress', 'Y\n'],
    ['sync_mode', 'a\u0007\n'],
    ['g_comp_wqs_per_iaa', 'one\n'],
    ['distribute_comps', '2\n'],
    ['distribute_decomps', '\n'],
  ] as const) {
    test(`malformed ${name} is one finding and the rest is there`, async () => {
      const findings: Finding[] = [];
      const host = iaaMachine();
      host.files.set(`${driver}/${name}`, text);
      const attributes = await readIaaAttributes(host, findings);
      assert.deepEqual(
        findings.map((finding) => finding.path),
        [`${driver}/${name}`],
      );
      assert.equal(attributes?.[name], undefined);
      assert.ok(Object.keys(attributes ?? {}).length >= 1);
    });
  }
});

describe('parseIaaStatistics', () => {
  test('since 6.10: two files', () => {
    const { global, devices } = parseIaaStatistics(globalStats, '/x');
    assert.equal(global.get('total_comp_calls'), 4300n);
    assert.equal(global.get('total_decomp_bytes_in'), 18446744073709551615n);
    assert.deepEqual(devices, []);
    const parsed = parseIaaStatistics(wqStats, '/x');
    assert.equal(parsed.global.size, 0);
    assert.deepEqual(
      parsed.devices.map(({ id, wqs }) => [id, wqs.map(({ label }) => label)]),
      [
        [9, ['iaa_crypto', 'iaa_crypto']],
        [1, []],
      ],
    );
    assert.equal(parsed.devices[0]?.counters.get('comp_calls'), 30n);
    assert.equal(parsed.devices[0]?.wqs[1]?.counters.get('comp_calls'), 20n);
  });

  test('before: the global block at the head of wq_stats', () => {
    const { global, devices } = parseIaaStatistics(`${globalStats}${wqStats}`, '/x');
    assert.equal(global.size, 9);
    assert.equal(devices.length, 2);
  });

  test('a WQ may be named like a counter', () => {
    const { devices } = parseIaaStatistics(wqStats.replace('iaa_crypto', 'id: 3'), '/x');
    assert.equal(devices[0]?.id, 9);
    assert.equal(devices[0]?.wqs[0]?.label, 'id: 3');
  });

  for (const [name, text, line] of [
    ['a counter outside of any block', '  total_comp_calls: 1\n', 1],
    ['a counter that is no number', 'global stats:\n  total_comp_calls: -1\n', 2],
    ['a WQ outside of any device', '    name: x\n', 1],
    ['a device without id', 'iaa device:\n  n_wqs: 1\n', undefined],
    ['other text', 'nothing\n', 1],
  ] as const) {
    test(`malformed: ${name}`, () =>
      assert.throws(() => parseIaaStatistics(text, '/x'), parseErrorAt('/x', line)));
  }
});

describe('readIaaStatistics', () => {
  for (const directory of ['iaa_crypto', 'iaa-crypto']) {
    test(`good, in ${directory}`, async () => {
      const findings: Finding[] = [];
      const host = iaaMachine();
      host.files.set(`/sys/kernel/debug/${directory}/global_stats`, globalStats);
      host.files.set(`/sys/kernel/debug/${directory}/wq_stats`, wqStats);
      host.files.set(`/sys/kernel/debug/${directory}/stats_reset`, '');
      const statistics = await readIaaStatistics(host, findings, true);
      assert.deepEqual(findings, []);
      assert.equal(statistics.access, 'readable');
      assert.equal(statistics.directory, `/sys/kernel/debug/${directory}`);
      assert.equal(statistics.global['total_completion_comp_buf_overflow_errors'], 7);
      assert.deepEqual(
        statistics.devices.map(({ id }) => id),
        [9, 1],
      );
      assert.deepEqual(statistics.devices[0]?.wqs[0], {
        label: 'iaa_crypto',
        counters: { comp_calls: 10, comp_bytes: 16000, decomp_calls: 20, decomp_bytes: 32000 },
      });
    });
  }

  test('good, of 6.8: counters in files of their own', async () => {
    const host = iaaMachine();
    host.files.set('/sys/kernel/debug/iaa_crypto/max_comp_delay_ns', '1234\n');
    host.files.set('/sys/kernel/debug/iaa_crypto/wq_stats', `${globalStats}${wqStats}`);
    const { access, global, devices } = await readIaaStatistics(host, [], true);
    assert.deepEqual(
      [access, global['max_comp_delay_ns'], global['total_comp_calls']],
      ['readable', 1234, 4300],
    );
    assert.equal(devices.length, 2);
  });

  test('not built, locked down and not mounted are told apart', async () => {
    const notBuilt: Finding[] = [];
    assert.equal((await readIaaStatistics(iaaMachine(), notBuilt, true)).access, 'not-built');
    assert.match(notBuilt[0]?.mend ?? '', /CONFIG_CRYPTO_DEV_IAA_CRYPTO_STATS/);

    const lockedDown: Finding[] = [];
    const host = iaaMachine();
    host.files.set('/sys/kernel/debug/iaa_crypto/wq_stats', wqStats);
    host.failNext('read', '/sys/kernel/debug/iaa_crypto/wq_stats', 'EPERM');
    assert.equal((await readIaaStatistics(host, lockedDown, true)).access, 'locked-down');
    assert.match(lockedDown[0]?.message ?? '', /lockdown/);

    const notMounted: Finding[] = [];
    const bare = new MemoryHost({ '/proc/self/mountinfo': '' });
    assert.equal((await readIaaStatistics(bare, notMounted, true)).access, 'no-debugfs');
    assert.equal(notMounted[0]?.mend, 'mount -t debugfs none /sys/kernel/debug');

    const closed: Finding[] = [];
    const other = iaaMachine();
    other.failNext('list', '/sys/kernel/debug/iaa_crypto', 'EACCES');
    assert.equal((await readIaaStatistics(other, closed, true)).access, 'unreadable');
    assert.equal(closed.length, 1);
    assert.equal((await readIaaStatistics(iaaMachine(), [], false)).access, 'not-loaded');
  });

  test('unreadable and malformed are findings', async () => {
    const host = iaaMachine();
    host.files.set('/sys/kernel/debug/iaa_crypto/wq_stats', wqStats);
    host.failNext('read', '/sys/kernel/debug/iaa_crypto/wq_stats', 'EIO');
    const unreadable: Finding[] = [];
    assert.equal((await readIaaStatistics(host, unreadable, true)).access, 'unreadable');
    assert.equal(unreadable.length, 1);

    host.files.set('/sys/kernel/debug/iaa_crypto/wq_stats', 'garbage\n');
    host.files.set('/sys/kernel/debug/iaa_crypto/global_stats', globalStats);
    const malformed: Finding[] = [];
    const { access, global } = await readIaaStatistics(host, malformed, true);
    assert.deepEqual([access, global['total_comp_calls']], ['readable', 4300]);
    assert.deepEqual(
      malformed.map(({ path }) => path),
      ['/sys/kernel/debug/iaa_crypto/wq_stats'],
    );
  });
});

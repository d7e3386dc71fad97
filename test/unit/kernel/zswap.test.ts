import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { mountinfoPath } from '../../../src/kernel/mountinfo.js';
import {
  parseZswapCounter,
  readZswap,
  readZswapDebugfs,
  zswapDebugfs,
  zswapParameter,
  zswapParameterCodec,
} from '../../../src/kernel/zswap.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const parameters = {
  '/sys/module/zswap/parameters/accept_threshold_percent': '90\n',
  '/sys/module/zswap/parameters/compressor': 'deflate-iaa\n',
  '/sys/module/zswap/parameters/enabled': 'Y\n',
  '/sys/module/zswap/parameters/max_pool_percent': '20\n',
  '/sys/module/zswap/parameters/shrinker_enabled': 'N\n',
};
const counters = {
  '/sys/kernel/debug/zswap/pool_total_size': '1024000\n',
  '/sys/kernel/debug/zswap/stored_pages': '2000\n',
};

describe('readZswap', () => {
  test('good', async () => {
    const findings: Finding[] = [];
    assert.deepEqual(await readZswap(new MemoryHost({ ...parameters, ...counters }), findings), {
      enabled: true,
      compressor: 'deflate-iaa',
      initialised: true,
      parameters: {
        accept_threshold_percent: '90',
        compressor: 'deflate-iaa',
        enabled: 'Y',
        max_pool_percent: '20',
        shrinker_enabled: 'N',
      },
      debugfs: { pool_total_size: 1_024_000, stored_pages: 2000 },
    });
    assert.deepEqual(findings, []);
  });

  test('a kernel without zswap', async () => {
    const findings: Finding[] = [];
    assert.equal(await readZswap(new MemoryHost(), findings), undefined);
    assert.deepEqual(findings, []);
  });

  test('parameters go by what is there: an older kernel with zpool, a newer one with an unknown name', async () => {
    const host = new MemoryHost({
      ...parameters,
      ...counters,
      '/sys/module/zswap/parameters/zpool': 'zsmalloc\n',
      '/sys/module/zswap/parameters/of_the_future': 'anything at all\n',
    });
    host.files.delete('/sys/module/zswap/parameters/shrinker_enabled');
    const zswap = await readZswap(host, []);
    assert.deepEqual(Object.keys(zswap?.parameters ?? {}), [
      'accept_threshold_percent',
      'compressor',
      'enabled',
      'max_pool_percent',
      'of_the_future',
      'zpool',
    ]);
  });

  for (const [name, garbage] of [
    ['enabled', '2\n'],
    ['compressor', 'lz\u001b[4\n'],
    ['max_pool_percent', '20%\n'],
    ['accept_threshold_percent', ''],
    ['shrinker_enabled', '\u0000\n'],
    ['zpool', 'two\nlines\n'],
    ['same_filled_pages_enabled', 'yes\n'],
  ] as const) {
    test(`malformed ${name} is one finding and the rest is there`, async () => {
      const findings: Finding[] = [];
      const path = zswapParameter(name);
      const zswap = await readZswap(
        new MemoryHost({ ...parameters, ...counters, [path]: garbage }),
        findings,
      );
      assert.deepEqual(
        findings.map((finding) => finding.path),
        [path],
      );
      assert.equal(Object.hasOwn(zswap?.parameters ?? {}, name), false);
      assert.ok(Object.keys(zswap?.parameters ?? {}).length >= 4);
      if (name === 'enabled') assert.equal(zswap?.enabled, undefined);
      if (name === 'compressor') assert.equal(zswap?.compressor, undefined);
    });
  }
});

describe('readZswapDebugfs', () => {
  test('set up since boot, or not', async () => {
    const ready = await readZswapDebugfs(new MemoryHost(counters), []);
    assert.equal(ready.initialised, true);
    assert.equal(ready.counters?.get('stored_pages'), 2000n);
    const mounted = new MemoryHost({
      [mountinfoPath]: '36 35 0:11 / /sys/kernel/debug rw - debugfs debugfs rw\n',
    });
    assert.deepEqual(await readZswapDebugfs(mounted, []), { initialised: false, counters: undefined });
  });

  test('closed to this user: one finding, and not a claim either way', async () => {
    const host = new MemoryHost(counters);
    host.failNext('list', zswapDebugfs, 'EACCES');
    const findings: Finding[] = [];
    assert.deepEqual(await readZswapDebugfs(host, findings), { initialised: undefined, counters: undefined });
    assert.deepEqual(findings, [
      {
        path: zswapDebugfs,
        message: 'cannot list: EACCES from openat2',
        mend: 'debugfs is for root: run as root',
      },
    ]);
  });

  test('not mounted: one finding that says how to mount it', async () => {
    const host = new MemoryHost({ [mountinfoPath]: '35 33 0:31 / /sys rw - sysfs sysfs rw\n' });
    const findings: Finding[] = [];
    assert.deepEqual(await readZswapDebugfs(host, findings), { initialised: undefined, counters: undefined });
    assert.deepEqual(
      findings.map((finding) => finding.mend),
      ['mount -t debugfs none /sys/kernel/debug'],
    );
  });

  test('a machine that does not say what is mounted: no claim', async () => {
    const findings: Finding[] = [];
    const nothing = { initialised: undefined, counters: undefined };
    assert.deepEqual(await readZswapDebugfs(new MemoryHost(), findings), nothing);
    assert.deepEqual(findings, []);
  });

  test('a malformed counter is one finding and left out', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({ ...counters, '/sys/kernel/debug/zswap/reject_alloc_fail': 'lots\n' });
    const { counters: found } = await readZswapDebugfs(host, findings);
    assert.deepEqual([...(found?.keys() ?? [])], ['pool_total_size', 'stored_pages']);
    assert.deepEqual(
      findings.map((finding) => finding.path),
      ['/sys/kernel/debug/zswap/reject_alloc_fail'],
    );
  });

  test('parseZswapCounter', () => {
    assert.equal(parseZswapCounter('18446744073709551615\n', '/x'), 18446744073709551615n);
    assert.throws(() => parseZswapCounter('-1\n', '/x'), parseErrorAt('/x', undefined));
  });
});

test('an unknown parameter is text, whatever its name', () => {
  assert.equal(zswapParameterCodec('enabled'), 'yesNo');
  assert.equal(zswapParameterCodec('of_the_future'), 'text');
  assert.equal(zswapParameterCodec('constructor'), 'text');
});

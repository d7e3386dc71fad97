import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderStatus } from '../../../src/cli/commands/status.js';
import type { Inventory } from '../../../src/discover/inventory.js';

const bare: Inventory = {
  schemaVersion: 1,
  host: 'live',
  source: 'hardware',
  kernel: {
    release: undefined,
    version: undefined,
    cmdline: undefined,
    config: undefined,
    bootId: undefined,
    machineId: undefined,
    cpuModel: undefined,
    microcode: undefined,
    clocksource: undefined,
    lruGen: undefined,
  },
  cpu: { possible: [], online: [], packageOf: {}, nodeOf: {} },
  memory: undefined,
  swap: [],
  zswap: undefined,
  thp: undefined,
  cgroup: { mount: undefined, controllers: [], subtreeControl: [], systemd: false },
  attributes: {},
  findings: [],
};

test('the first line carries the source, and nothing known is nothing claimed', () => {
  assert.equal(
    renderStatus(bare),
    [
      'source    hardware, live',
      'kernel    Linux unknown',
      'cpu       unknown',
      'memory    unknown',
      'swap      none found',
      'zswap     not in this kernel',
      'thp       not in this kernel',
      'cgroup    no cgroup v2 found',
    ].join('\n'),
  );
});

test('pages are worth 4 KiB, the ratio is theirs to the pool, and counters of zero are left out', () => {
  const status = renderStatus({
    ...bare,
    zswap: {
      enabled: true,
      compressor: 'zstd',
      initialised: true,
      parameters: { enabled: 'Y', compressor: 'zstd', max_pool_percent: '20' },
      debugfs: {
        pool_total_size: 32_768,
        reject_alloc_fail: 0,
        stored_pages: 1024,
        written_back_pages: 1234,
      },
    },
  });
  assert.deepEqual(
    status
      .split('\n')
      .filter((line, index, lines) => line.startsWith('zswap') || lines[index]?.startsWith('  ')),
    [
      'zswap     enabled, compressor zstd',
      '          max_pool_percent 20',
      '          1,024 pages (4 MiB) stored in 32 KiB, ratio 128.00',
      '          written_back_pages 1,234',
    ],
  );
});

test('an empty pool has no ratio', () => {
  const debugfs = { pool_total_size: 0, stored_pages: 0 };
  const status = renderStatus({
    ...bare,
    zswap: { enabled: true, compressor: 'zstd', initialised: true, parameters: {}, debugfs },
  });
  assert.match(status, /^ {10}0 pages \(0 B\) stored in 0 B$/m);
});

test('a zswap that was never set up says so', () => {
  const status = renderStatus({
    ...bare,
    zswap: { enabled: false, compressor: 'lzo', initialised: false, parameters: {}, debugfs: undefined },
  });
  assert.match(status, /^zswap {5}disabled, compressor lzo, not set up since boot$/m);
});

test('no line is wider than the screen unless one item is', () => {
  const names = Array.from({ length: 30 }, (_, index) => [`parameter_${index}`, String(index)]);
  const status = renderStatus({
    ...bare,
    zswap: {
      enabled: true,
      compressor: 'lzo',
      initialised: undefined,
      parameters: Object.fromEntries(names),
      debugfs: undefined,
    },
  });
  assert.ok(
    status.split('\n').every((line) => line.length <= 80),
    status,
  );
  for (const [name] of names) assert.ok(status.includes(`${name} `), name);
});

test('findings that share a mend share its line', () => {
  const finding = (path: string, mend: string) => ({ path, message: 'strange', mend });
  const status = renderStatus({
    ...bare,
    findings: [finding('/a', 'x'), finding('/b', 'x'), finding('/c', 'y')],
  });
  assert.deepEqual(status.split('\n').slice(-6), [
    '3 findings',
    '  /a: strange',
    '  /b: strange',
    '    mend: x',
    '  /c: strange',
    '    mend: y',
  ]);
});

test('a value with a newline or an escape sequence stays in its line', () => {
  const swap = [
    { path: '/a\nzswap     enabled\u001b[2J', type: 'file', sizeKiB: 4, usedKiB: 0, priority: 1 },
  ];
  const status = renderStatus({ ...bare, swap });
  assert.match(
    status,
    /^swap {6}\/a\\x0azswap {5}enabled\\x1b\[2J \(file\), 0 B of 4 KiB used, priority 1$/m,
  );
});

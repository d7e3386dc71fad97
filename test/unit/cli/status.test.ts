import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readStatus, renderStatus, type Status } from '../../../src/cli/status.js';
import { UsageError } from '../../../src/errors.js';
import { MemoryHost } from '../../support/memory-host.js';

const bare: Status = {
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
  cpufreq: undefined,
  memory: undefined,
  swap: [],
  compressors: undefined,
  zswap: undefined,
  thp: undefined,
  cgroup: { mount: undefined, controllers: [], subtreeControl: [], systemd: false },
  iaa: undefined,
  attributes: {},
  findings: [],
  counters: {
    vmstat: undefined,
    folios: new Map(),
    khugepaged: { fullScans: undefined, pagesCollapsed: undefined },
  },
  group: undefined,
  iaaCrypto: undefined,
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
      'iaa       idxd is not loaded',
      'counters  unknown',
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

test('counters: only what happened, each folio size in a line of its own', () => {
  const status = renderStatus({
    ...bare,
    counters: {
      vmstat: new Map([
        ['zswpout', 9898n],
        ['zswpin', 38n],
        ['pswpout', 0n],
        ['nr_free_pages', 5n],
      ]),
      folios: new Map([
        ['16kB', new Map([['zswpout', 0n]])],
        [
          '64kB',
          new Map([
            ['nr_anon', 3n],
            ['zswpout', 600n],
            ['swpout_fallback', 1234n],
          ]),
        ],
      ]),
      khugepaged: { fullScans: 3, pagesCollapsed: 7 },
    },
  });
  assert.deepEqual(
    status.split('\n').filter((line) => /^(?:counters| )/.test(line)),
    [
      'counters  zswpout 9,898, zswpin 38, khugepaged pages_collapsed 7',
      '          64kB zswpout 600, swpout_fallback 1,234',
    ],
  );
});

test('a machine on which nothing was swapped says so', () => {
  const status = renderStatus({
    ...bare,
    counters: { ...bare.counters, vmstat: new Map([['zswpout', 0n]]) },
  });
  assert.match(status, /^counters {2}all zero$/m);
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

describe('a cgroup', () => {
  const group = '/sys/fs/cgroup/lab';
  const host = new MemoryHost({
    '/proc/self/mountinfo': '29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
    '/sys/fs/cgroup/cgroup.controllers': 'memory\n',
    [`${group}/cgroup.procs`]: '12\n13\n',
    [`${group}/memory.high`]: '33554432\n',
    [`${group}/memory.max`]: 'max\n',
    [`${group}/memory.zswap.writeback`]: '0\n',
    [`${group}/memory.current`]: '33550336\n',
    [`${group}/memory.zswap.current`]: '1048576\n',
    [`${group}/memory.events`]: 'low 0\nhigh 154\nmax 0\n',
    [`${group}/memory.swap.events`]: 'max 0\nfail 2\n',
    [`${group}/memory.stat`]: 'zswap 1048576\nzswapped 7602176\nzswpout 1856\n',
    [`${group}/memory.pressure`]: 'some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n',
    [`${group}/cpu.stat`]: 'usage_usec 3000000\nuser_usec 1000000\nsystem_usec 2000000\n',
  });

  test('is shown with its limits, use and events', async () => {
    const lines = renderStatus(await readStatus(host, `${group}/`)).split('\n');
    const start = lines.findIndex((line) => line.startsWith('group'));
    assert.deepEqual(lines.slice(start, start + 5), [
      'group     /sys/fs/cgroup/lab, 2 processes',
      '          high 32 MiB, max max, no zswap writeback',
      '          32.0 MiB used, 1 MiB of it compressed, ratio 7.25',
      '          events high 154, swap.events fail 2, zswpout 1,856',
      '          user 1.0 s, system 2.0 s, stalled for memory 2.5 s',
    ]);
  });

  test('of which nothing can be read has its path alone', async () => {
    const empty = new MemoryHost({ '/sys/x': '' });
    empty.directories.add('/sys/fs/cgroup/empty');
    const lines = renderStatus(await readStatus(empty, '/sys/fs/cgroup/empty')).split('\n');
    const start = lines.findIndex((line) => line.startsWith('group'));
    assert.deepEqual(lines.slice(start, start + 2), ['group     /sys/fs/cgroup/empty', '']);
  });

  for (const given of ['/sys/fs/cgroup/none', 'relative', '/', '/sys/../etc', '']) {
    test(`that is none is a usage error: '${given}'`, () =>
      assert.rejects(readStatus(host, given), UsageError));
  }
});

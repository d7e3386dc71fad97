import assert from 'node:assert/strict';
import { test } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { UsageError } from '../../../src/errors.js';
import { MemoryHost } from '../../support/memory-host.js';

/** A machine without fault; each test takes something away. */
const machine = {
  '/proc/sys/kernel/osrelease': '7.3.4\n',
  '/proc/cpuinfo': 'processor\t: 0\nflags\t\t: fpu\n\n',
  '/proc/meminfo': 'MemTotal: 1024 kB\nMemAvailable: 512 kB\n',
  '/proc/swaps': 'Filename Type Size Used Priority\n/dev/vdb partition 1024 0 -2\n',
  '/proc/self/mountinfo':
    '29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n30 23 0:7 / /sys/kernel/debug rw - debugfs none rw\n',
  '/proc/sys/vm/page-cluster': '0\n',
  '/proc/sys/vm/swappiness': '60\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpu memory\n',
  '/sys/fs/cgroup/cgroup.subtree_control': 'memory\n',
  '/sys/devices/system/cpu/possible': '0\n',
  '/sys/devices/system/cpu/online': '0\n',
  '/sys/module/zswap/parameters/enabled': 'Y\n',
  '/sys/module/zswap/parameters/compressor': 'zstd\n',
  '/sys/kernel/debug/zswap/stored_pages': '0\n',
  '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
  '/sys/kernel/mm/transparent_hugepage/khugepaged/defrag': '1\n',
  '/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled': 'always inherit madvise [never]\n',
};

/** The machine without the paths that start so. */
function without(...prefixes: readonly string[]): MemoryHost {
  const kept = Object.entries(machine).filter(
    ([path]) => !prefixes.some((prefix) => path.startsWith(prefix)),
  );
  return new MemoryHost(Object.fromEntries(kept), { writable: false });
}

test('a machine without fault has no finding, and its settable attributes word for word', async () => {
  const inventory = await discover(without());
  assert.deepEqual(inventory.findings, []);
  assert.deepEqual(inventory.attributes, {
    '/proc/sys/vm/page-cluster': '0\n',
    '/proc/sys/vm/swappiness': '60\n',
    '/sys/fs/cgroup/cgroup.subtree_control': 'memory\n',
    '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
    '/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled': 'always inherit madvise [never]\n',
    '/sys/kernel/mm/transparent_hugepage/khugepaged/defrag': '1\n',
    '/sys/module/zswap/parameters/compressor': 'zstd\n',
    '/sys/module/zswap/parameters/enabled': 'Y\n',
  });
});

test('an inventory survives JSON as it is', async () => {
  const inventory = await discover(without());
  const offered = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(offered)
      : value !== null && Object.getPrototypeOf(value) === Object.prototype
        ? Object.fromEntries(
            Object.entries(value as object).flatMap(([name, item]) =>
              item === undefined ? [] : [[name, offered(item)]],
            ),
          )
        : value;
  assert.deepEqual(JSON.parse(JSON.stringify(inventory)), offered(inventory));
});

for (const [what, prefixes, path, message] of [
  ['zswap', ['/sys/module/zswap'], '/sys/module/zswap/parameters', 'this kernel has no zswap'],
  [
    'huge pages',
    ['/sys/kernel/mm'],
    '/sys/kernel/mm/transparent_hugepage',
    'this kernel has no transparent huge pages',
  ],
  [
    'its mounts',
    ['/proc/self/mountinfo'],
    '/proc/self/mountinfo',
    'the mounts are unknown, so no cgroup v2 was found',
  ],
  [
    'the flags of the processor',
    ['/proc/cpuinfo'],
    '/proc/cpuinfo',
    'the processor flags are unknown, so this may be a virtual machine: taken as emulated',
  ],
] as const) {
  test(`a machine without ${what} says so once`, async () => {
    const { findings } = await discover(without(...prefixes));
    assert.deepEqual(
      findings.map((finding) => [finding.path, finding.message]),
      [[path, message]],
    );
  });
}

test('a machine without a swap area says so; one whose areas are unreadable does not claim it', async () => {
  const none = without('/proc/swaps');
  assert.match((await discover(none)).findings[0]?.message ?? '', /^no swap area is on/);
  const closed = without();
  closed.failNext('read', '/proc/swaps', 'EACCES');
  assert.deepEqual(
    (await discover(closed)).findings.map((finding) => finding.message),
    ['cannot read: EACCES from openat2'],
  );
});

test('zswap that is enabled but not set up is told', async () => {
  const host = without('/sys/kernel/debug/zswap');
  const { zswap, findings } = await discover(host);
  assert.equal(zswap?.initialised, false);
  assert.deepEqual(
    findings.map((finding) => finding.message),
    ['zswap is enabled but has not set itself up'],
  );
});

test('as another user than root: debugfs is one finding and all the rest is there', async () => {
  const host = without();
  host.failNext('list', '/sys/kernel/debug/zswap', 'EACCES');
  const inventory = await discover(host);
  assert.equal(inventory.zswap?.initialised, undefined);
  assert.equal(inventory.zswap?.compressor, 'zstd');
  assert.deepEqual(inventory.findings, [
    {
      path: '/sys/kernel/debug/zswap',
      message: 'cannot list: EACCES from openat2',
      mend: 'debugfs is for root: run as root',
    },
  ]);
});

test('a malformed attribute is one finding and not offered to a plan', async () => {
  const host = without();
  const path = '/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled';
  host.files.set(path, 'garbage\n');
  const inventory = await discover(host);
  assert.deepEqual(
    inventory.findings.map((finding) => finding.path),
    [path],
  );
  assert.equal(Object.hasOwn(inventory.attributes, path), false);
});

test('what has neither /proc nor /sys is no machine', async () => {
  await assert.rejects(discover(new MemoryHost({ '/etc/passwd': '' })), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^\/memory: not the root of a machine/);
    return true;
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostPath } from '../../../src/host/path.js';
import { readCgroupUse } from '../../../src/kernel/cgroup-use.js';
import { MemoryHost } from '../../support/memory-host.js';

const mount = '/sys/fs/cgroup';

function group(host: MemoryHost, name: string, swap: number, zswap: number, thp: number): void {
  host.files.set(`${mount}${name}/memory.swap.current`, `${swap}\n`);
  host.files.set(`${mount}${name}/memory.zswap.current`, `${zswap}\n`);
  host.files.set(`${mount}${name}/memory.stat`, `anon 1\nanon_thp ${thp}\nfile 2\n`);
}

test('each group has what its children have not', async () => {
  const host = new MemoryHost({ [`${mount}/cgroup.procs`]: '', [`${mount}/memory.stat`]: 'anon 1\n' });
  group(host, '/system.slice', 1000, 300, 0);
  group(host, '/system.slice/a.service', 600, 200, 0);
  group(host, '/system.slice/b.service', 400, 50, 2048);
  group(host, '/user', 0, 0, 0);
  // A slice that is called as a controller's file.
  group(host, '/memory.slice', 7, 0, 0);
  assert.deepEqual(await readCgroupUse(host, hostPath(mount)), [
    { group: '/memory.slice', swapBytes: 7, zswapBytes: 0, hugeBytes: 0 },
    { group: '/system.slice', swapBytes: 0, zswapBytes: 50, hugeBytes: 0 },
    { group: '/system.slice/a.service', swapBytes: 600, zswapBytes: 200, hugeBytes: 0 },
    { group: '/system.slice/b.service', swapBytes: 400, zswapBytes: 50, hugeBytes: 2048 },
  ]);
});

test('what cannot be read or understood counts as nothing', async () => {
  const host = new MemoryHost();
  group(host, '/a', 10, 20, 30);
  group(host, '/b', 1, 2, 3);
  host.files.set(`${mount}/a/memory.swap.current`, 'much\n');
  host.files.set(`${mount}/a/memory.stat`, 'garbage\n');
  host.failNext('read', `${mount}/b/memory.zswap.current`, 'ENODEV');
  assert.deepEqual(await readCgroupUse(host, hostPath(mount)), [
    { group: '/a', swapBytes: 0, zswapBytes: 20, hugeBytes: 0 },
    { group: '/b', swapBytes: 1, zswapBytes: 0, hugeBytes: 3 },
  ]);
});

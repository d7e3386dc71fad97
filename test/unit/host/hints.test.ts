import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostOperation } from '../../../src/errors.js';
import { hintFor } from '../../../src/host/hints.js';

const expected: [HostOperation, string, string, RegExp | undefined][] = [
  ['write', '/sys/module/zswap/parameters/compressor', 'ENOENT', /no such compressor/],
  ['write', '/sys/module/zswap/parameters/compressor', 'EINVAL', /pool/],
  ['write', '/sys/module/zswap/parameters/enabled', 'ENODEV', /could not be set up/],
  ['write', '/sys/fs/cgroup/cgroup.subtree_control', 'EBUSY', /processes in the cgroup/],
  ['write', '/sys/fs/cgroup/a/cgroup.subtree_control', 'ENOENT', /cgroup\.controllers/],
  ['rmdir', '/sys/fs/cgroup/a', 'EBUSY', /cgroup\.kill/],
  ['write', '/sys/fs/cgroup/a/memory.high', 'EINVAL', /bytes/],
  ['write', '/sys/fs/cgroup/a/memory.zswap.max', 'EINVAL', /bytes/],
  ['write', '/sys/fs/cgroup/a/memory.max', 'EBUSY', /reclaimed/],
  ['read', '/sys/kernel/debug/zswap/stored_pages', 'EACCES', /debugfs.*root/],
  ['list', '/sys/kernel/debug', 'EACCES', /debugfs.*root/],
  ['read', '/sys/kernel/debug/iaa-crypto/global_stats', 'EPERM', /lockdown/],
  ['read', '/sys/kernel/debugger', 'EACCES', /^run as root$/],
  ['write', '/proc/sys/vm/page-cluster', 'EACCES', /run as root/],
  ['write', '/proc/sys/vm/page-cluster', 'EPERM', /CAP_SYS_ADMIN/],
  ['mkdir', '/sys/fs/cgroup/a', 'EROFS', /take no writes/],
  ['write', '/sys/x', 'ETIMEDOUT', /still at it/],
  ['read', '/proc/x', 'EFBIG', /1 MiB/],
  ['read', '/sys/x', 'ENOENT', undefined],
  ['write', '/sys/x', 'EINVAL', undefined],
];

test('hints fit the operation, the path and the errno', () => {
  for (const [operation, path, errnoCode, hint] of expected) {
    const found = hintFor(operation, path, errnoCode);
    const what = `${operation} ${path} ${errnoCode}: ${found}`;
    if (hint === undefined) assert.equal(found, undefined, what);
    else assert.match(found ?? '', hint, what);
  }
});

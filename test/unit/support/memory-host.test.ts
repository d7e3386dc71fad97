import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostIoError } from '../../../src/errors.js';
import { hostPath } from '../../../src/host/path.js';
import { MemoryHost } from '../../support/memory-host.js';

const enabled = hostPath('/sys/module/zswap/parameters/enabled');

function errno(code: string): (error: unknown) => boolean {
  return (error) => error instanceof HostIoError && error.errnoCode === code;
}

test('a write is kept with its newline and remembered', async () => {
  const host = new MemoryHost({ [enabled]: 'N\n' });
  await host.write(enabled, 'Y');
  assert.deepEqual(await host.read([enabled]), ['Y\n']);
  assert.deepEqual(host.changes, [{ operation: 'write', path: enabled, text: 'Y' }]);
});

test('a reaction decides what the file reads as, or refuses', async () => {
  const host = new MemoryHost({ [enabled]: 'N\n' });
  host.react(enabled, (text) => {
    if (text === 'x') throw host.error('write', enabled, 'EINVAL', text);
    return text === '1' ? 'Y\n' : 'N\n';
  });
  await host.write(enabled, '1');
  await assert.rejects(host.write(enabled, 'x'), errno('EINVAL'));
  assert.deepEqual(await host.read([enabled]), ['Y\n']);
});

test('a missing file is never created, a directory is not a file, a read-only host refuses first', async () => {
  const host = new MemoryHost({ [enabled]: 'N\n' });
  await assert.rejects(host.write(hostPath('/sys/missing'), 'x'), errno('ENOENT'));
  await assert.rejects(host.write(hostPath('/sys/module'), 'x'), errno('EISDIR'));
  await assert.rejects(host.read([hostPath('/sys/module')]), errno('EISDIR'));
  assert.deepEqual(await host.tryRead([hostPath('/sys/missing')]), [undefined]);
  const frozen = new MemoryHost({ [enabled]: 'N\n' }, { writable: false });
  await assert.rejects(frozen.write(enabled, 'Y'), errno('EROFS'));
  await assert.rejects(frozen.mkdir(hostPath('/sys/new')), errno('EROFS'));
});

test('an injected errno strikes as often as asked', async () => {
  const host = new MemoryHost({ [enabled]: 'N\n' });
  host.failNext('read', enabled, 'EACCES', 2);
  await assert.rejects(host.read([enabled]), errno('EACCES'));
  await assert.rejects(host.tryRead([enabled]), errno('EACCES'));
  assert.deepEqual(await host.read([enabled]), ['N\n']);
});

test('a hung write is in flight until released', async () => {
  const host = new MemoryHost({ [enabled]: 'N\n' });
  const release = host.hangNext(enabled);
  await assert.rejects(host.write(enabled, 'Y'), (error) => error instanceof HostIoError && error.inFlight);
  assert.deepEqual(await host.read([enabled]), ['N\n']);
  release();
  await host.settled();
  assert.deepEqual(await host.read([enabled]), ['Y\n']);
});

test('directories come and go as in cgroupfs', async () => {
  const host = new MemoryHost({ '/sys/fs/cgroup/cgroup.procs': '' });
  const group = hostPath('/sys/fs/cgroup/lab');
  host.onMkdir = (path) => host.files.set(`${path}/memory.high`, 'max\n');
  await host.mkdir(group);
  assert.deepEqual(await host.list(hostPath('/sys/fs/cgroup')), ['cgroup.procs', 'lab']);
  await assert.rejects(host.mkdir(group), errno('EEXIST'));
  await host.mkdir(hostPath('/sys/fs/cgroup/lab/child'));
  await assert.rejects(host.rmdir(group), errno('EBUSY'));
  await host.rmdir(hostPath('/sys/fs/cgroup/lab/child'));
  await host.rmdir(group);
  assert.equal(await host.list(group), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostPath } from '../../../src/host/path.js';
import { readOnly } from '../../../src/host/read-only.js';
import { MemoryHost } from '../../support/memory-host.js';

const path = hostPath('/sys/x');

test('reads go through', async () => {
  const inner = new MemoryHost({ '/sys/x': '1\n' });
  inner.links.set('/sys/link', 'x');
  inner.nowNs = 7n;
  const host = readOnly(inner);
  assert.deepEqual(await host.probe([path]), [{ ok: true, text: '1\n' }]);
  assert.deepEqual(await host.read([path]), ['1\n']);
  assert.deepEqual(await host.tryRead([path, hostPath('/sys/y')]), ['1\n', undefined]);
  assert.deepEqual(await host.list(hostPath('/sys')), await inner.list(hostPath('/sys')));
  assert.equal(await host.readlink(hostPath('/sys/link')), 'x');
  assert.equal(host.now(), 7n);
  assert.deepEqual([host.name, host.root, host.writable], [inner.name, inner.root, false]);
  await host.settled();
  await host.close();
});

test('every change is EROFS and never reaches the host', async () => {
  const inner = new MemoryHost({ '/sys/x': '1\n' });
  inner.onExec = () => assert.fail('no program is run');
  inner.onLaunch = () => assert.fail('no workload is run');
  const host = readOnly(inner);
  const refused = { name: 'HostIoError', errnoCode: 'EROFS', errno: 30, syscall: 'read-only-host' };
  await assert.rejects(host.write(path, '2'), { ...refused, operation: 'write', path, value: '2' });
  await assert.rejects(host.mkdir(path), { ...refused, operation: 'mkdir' });
  await assert.rejects(host.rmdir(path), { ...refused, operation: 'rmdir' });
  await assert.rejects(host.exec(['sysctl', '-w']), { code: 'ERR_COMMAND', argv: ['sysctl', '-w'] });
  assert.throws(() => host.launch({ argv: ['/bin/true'], stdoutFile: '/o', stderrFile: '/e' }, path), {
    code: 'ERR_REQUIREMENT',
  });
  assert.deepEqual(inner.changes, []);
});

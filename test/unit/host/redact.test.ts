import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostPath } from '../../../src/host/path.js';
import { redactorFor } from '../../../src/host/redact.js';
import { MemoryHost } from '../../support/memory-host.js';

const identities = {
  '/etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  '/etc/hostname': 'build-box\n',
  '/proc/sys/kernel/hostname': 'build-box\n',
  '/proc/sys/kernel/domainname': '(none)\n',
  '/proc/sys/kernel/random/boot_id': '28cac8bf-16d0-4977-a7a4-851d21c3c85c\n',
  '/sys/class/dmi/id/product_serial': 'CZ1234ABCD\n',
  '/sys/class/dmi/id/board_serial': 'To be filled by O.E.M.\n',
  '/sys/class/dmi/id/product_uuid': 'AABBCCDD-0011-2233-4455-66778899AABB\n',
};

const redactor = () => redactorFor(new MemoryHost(identities));

test('identities get stand-ins of their own form, the same everywhere', async () => {
  const redact = await redactor();
  const of = (path: keyof typeof identities): string => redact.content(path, identities[path]);

  const machineId = of('/etc/machine-id');
  assert.match(machineId, /^[0-9a-f]{32}\n$/);
  const bootId = of('/proc/sys/kernel/random/boot_id');
  assert.match(bootId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/);
  const host = of('/etc/hostname');
  assert.match(host, /^redacted-[0-9a-f]{8}\n$/);
  for (const [path, text] of Object.entries(identities)) {
    if (/none|O\.E\.M/.test(text))
      assert.equal(redact.content(path, text), text, 'no identity, nothing to hide');
    else assert.notEqual(redact.content(path, text), text, path);
  }

  assert.equal(of('/proc/sys/kernel/hostname'), host);
  assert.equal(
    redact.content('/sys/devices/virtual/dmi/id/product_serial', 'CZ1234ABCD\n'),
    of('/sys/class/dmi/id/product_serial'),
  );
  assert.equal(
    redact.content(
      '/proc/self/mountinfo',
      'build-box:/export /mnt nfs4 /etc/machine-id 0123456789abcdef0123456789abcdef\n',
    ),
    `${host.trim()}:/export /mnt nfs4 /etc/machine-id ${machineId}`,
  );
  assert.equal(redact.text('ssh build-box build-boxes'), `ssh ${host.trim()} build-boxes`);
});

test('user names in paths are numbered, wherever they are', async () => {
  const redact = await redactor();
  assert.equal(redact.path('/home/alice/swapfile'), '/home/user-1/swapfile');
  assert.equal(
    redact.content('/proc/swaps', '/home/bob/swap file 1 0 -2\n'),
    '/home/user-2/swap file 1 0 -2\n',
  );
  assert.equal(redact.text('/var/home/alice'), '/var/home/user-1');
  assert.equal(redact.name('/home', 'bob'), 'user-2');
  assert.equal(redact.name('/home/bob', 'notes'), 'notes');
  assert.equal(redact.name('/sys', 'module'), 'module');
});

test('of the command line, what configures memory, IAA and the kernel stays', async () => {
  const redact = await redactor();
  assert.equal(
    redact.content(
      '/proc/cmdline',
      'BOOT_IMAGE=/vmlinuz root=UUID=28cac8bf ro quiet intel_iommu=on,sm_on zswap.enabled=1 transparent_hugepage=madvise idxd.sva=0 ip=10.0.0.1::build-box secret\n',
    ),
    'redacted redacted ro quiet intel_iommu=on,sm_on zswap.enabled=1 transparent_hugepage=madvise idxd.sva=0 redacted redacted\n',
  );
});

test('kernel paths and other contents stay as they are', async () => {
  // A host named as a kernel folder is must not make the folder unreadable.
  const redact = await redactorFor(new MemoryHost({ '/etc/hostname': 'module\n' }));
  assert.equal(redact.path('/sys/module/zswap'), '/sys/module/zswap');
  assert.equal(redact.name('/sys', 'module'), 'module');
  assert.equal(redact.content('/proc/vmstat', 'zswpin 1\n'), 'zswpin 1\n');
  // Three letters are too common to be looked for.
  const short = await redactorFor(new MemoryHost({ '/etc/hostname': 'max\n' }));
  assert.equal(short.content('/sys/fs/cgroup/memory.max', 'max\n'), 'max\n');
  assert.notEqual(short.content('/etc/hostname', 'max\n'), 'max\n');
});

test('two traces of one machine have nothing in common', async () => {
  const [one, other] = [await redactor(), await redactor()];
  const path = hostPath('/etc/machine-id');
  assert.notEqual(
    one.content(path, identities['/etc/machine-id']),
    other.content(path, identities['/etc/machine-id']),
  );
});

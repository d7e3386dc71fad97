import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseControl, parseUris } from '../../../src/vm/debian.js';
import { loadOrder, partsOf } from '../../../src/vm/kernel-package.js';
import { hasVfioUser } from '../../../src/vm/qemu-package.js';

const modulesDep = `kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
kernel/fs/netfs/netfs.ko.xz:
kernel/net/9p/9pnet.ko.xz: kernel/fs/netfs/netfs.ko.xz
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz kernel/fs/netfs/netfs.ko.xz
kernel/drivers/block/virtio_blk.ko:
kernel/drivers/char/hw_random/virtio-rng.ko.zst:
`;

test('modules are loaded after what they need, each once', () => {
  assert.deepEqual(loadOrder(modulesDep, ['9pnet_virtio', '9p', 'virtio_blk']), [
    'kernel/fs/netfs/netfs.ko.xz',
    'kernel/net/9p/9pnet.ko.xz',
    'kernel/net/9p/9pnet_virtio.ko.xz',
    'kernel/fs/9p/9p.ko.xz',
    'kernel/drivers/block/virtio_blk.ko',
  ]);
});

test('a dash in a file name is an underscore in a module name', () => {
  assert.deepEqual(loadOrder(modulesDep, ['virtio_rng']), [
    'kernel/drivers/char/hw_random/virtio-rng.ko.zst',
  ]);
});

test('a module that the kernel does not have is named', () => {
  assert.throws(() => loadOrder(modulesDep, ['9p', 'zram']), { code: 'ERR_VM', message: /no module zram$/ });
  assert.throws(() => loadOrder('', ['9p']), { code: 'ERR_VM' });
});

test('the first paragraph of apt-cache show, by field', () => {
  const text = [
    'Package: linux-image-amd64',
    'Version: 7.3.4-1~bpo13+1',
    'Description: Linux for 64-bit PCs',
    ' This line goes on: not a field',
    '',
    'Package: another',
  ].join('\n');
  assert.deepEqual(parseControl(text), {
    Package: 'linux-image-amd64',
    Version: '7.3.4-1~bpo13+1',
    Description: 'Linux for 64-bit PCs',
  });
  assert.deepEqual(parseControl(''), {});
});

test("a kernel's parts are the dependencies tied to its version", () => {
  const depends =
    'dracut | initramfs-tools (>= 0.120), linux-base-7.3 (= 7.3.4-1), kmod, linux-modules-7.3 (= 7.3.4-1), other (= 7.3.4-2)';
  assert.deepEqual(partsOf(depends, '7.3.4-1'), ['linux-base-7.3', 'linux-modules-7.3']);
  assert.deepEqual(partsOf('', '7.3.4-1'), []);
});

test('what apt would fetch: names and versions, with the colon of an epoch', () => {
  const text = [
    'Reading package lists...',
    "'http://deb.debian.org/debian/pool/main/q/qemu/qemu-system-x86_11.1.3%2bds-1_amd64.deb' qemu-system-x86_1%3a11.1.3+ds-1~bpo13+1_amd64.deb 10377056 SHA256:00",
    "'http://deb.debian.org/x.deb' seabios_1.17.0-1~bpo13+1_all.deb 160548 ",
  ].join('\n');
  assert.deepEqual(parseUris(text), [
    { name: 'qemu-system-x86', version: '1:11.1.3+ds-1~bpo13+1' },
    { name: 'seabios', version: '1.17.0-1~bpo13+1' },
  ]);
  assert.deepEqual(parseUris(''), []);
});

test('devices of another process can be attached since QEMU 10.1', () => {
  const versions = [
    [7, 2],
    [10, 0],
    [10, 1],
    [11, 0],
  ] as const;
  assert.deepEqual(versions.map(hasVfioUser), [false, false, true, true]);
});

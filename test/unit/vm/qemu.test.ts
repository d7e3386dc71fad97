import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  canThread,
  channelCount,
  devicePlaces,
  maxDevices,
  parseVersion,
  type QemuConfig,
  qemuArguments,
} from '../../../src/vm/qemu.js';

const config: QemuConfig = {
  vmlinuz: '/cache/vmlinuz',
  initramfs: '/run/x/initramfs',
  modules: '/cache/modules',
  share: '/run/x/share',
  consoleLog: '/run/x/console.log',
  swapFd: 3,
  memoryMiB: 1024,
  cpus: 2,
  threads: 'multi',
  accelerator: 'tcg',
  devices: 0,
  deviceSocket: (n) => `/run/x/iax${n}.sock`,
  init: 'agent',
  leased: false,
  append: [],
  socketPath: (n) => `/run/x/${n}.sock`,
};

/** What follows an option, each time it is given. */
function valuesOf(args: readonly string[], option: string): string[] {
  return args.flatMap((arg, index) => (arg === option ? [args[index + 1] ?? ''] : []));
}

test("the machine's root is shared read-only, and only the share is writable", () => {
  const shared = valuesOf(qemuArguments(config), '-fsdev');
  const writable = shared.filter((value) => !value.split(',').includes('readonly=on'));
  assert.equal(shared.length, 3);
  assert.deepEqual(
    writable.map((value) => /path=([^,]*)/.exec(value)?.[1]),
    ['/run/x/share'],
  );
});

test('there is no network, and QEMU is kept from starting programs', () => {
  const args = qemuArguments(config);
  assert.deepEqual(valuesOf(args, '-nic'), ['none']);
  assert.match(valuesOf(args, '-sandbox')[0] ?? '', /^on,.*spawn=deny/);
});

test('each channel has a socket and a port with its number', () => {
  const args = qemuArguments(config);
  for (let n = 0; n < channelCount; n += 1) {
    assert.ok(valuesOf(args, '-chardev').some((value) => value.includes(`path=/run/x/${n}.sock,server=on`)));
    assert.ok(valuesOf(args, '-device').includes(`virtserialport,chardev=channel${n},name=iaa-zswap.${n}`));
  }
});

test('what starts in the guest is said on the command line of its kernel', () => {
  const cmdline = (changes: Partial<QemuConfig>) =>
    valuesOf(qemuArguments({ ...config, ...changes }), '-append')[0];
  assert.equal(cmdline({}), 'console=ttyS0 panic=-1 quiet');
  assert.equal(
    cmdline({ leased: true, init: 'systemd', append: ['a=1', 'b'] }),
    'console=ttyS0 panic=-1 quiet IAA_ZSWAP_LEASE=connected IAA_ZSWAP_INIT=systemd a=1 b',
  );
});

test('half of the devices are at each of two sockets, where a server has them', () => {
  assert.deepEqual(devicePlaces(4), [
    { socket: 0, bus: 0x6a },
    { socket: 0, bus: 0x6f },
    { socket: 1, bus: 0xe7 },
    { socket: 1, bus: 0xec },
  ]);
  assert.deepEqual(
    devicePlaces(1).map(({ socket }) => socket),
    [0],
  );
  const all = devicePlaces(maxDevices);
  assert.equal(new Set(all.map(({ bus }) => bus)).size, maxDevices);
});

test('a guest with devices has two nodes whose memory is shared, and a CPU without MOVDIR64B', () => {
  const args = qemuArguments({ ...config, devices: 2, memoryMiB: 1025, cpus: 4 });
  assert.deepEqual(valuesOf(args, '-object'), [
    'memory-backend-memfd,id=memory0,size=513M,share=on',
    'memory-backend-memfd,id=memory1,size=512M,share=on',
  ]);
  assert.deepEqual(valuesOf(args, '-numa'), [
    'node,nodeid=0,memdev=memory0,cpus=0-1',
    'node,nodeid=1,memdev=memory1,cpus=2-3',
  ]);
  assert.deepEqual(valuesOf(args, '-smp'), ['4,sockets=2,cores=2,threads=1']);
  assert.match(valuesOf(args, '-append')[0] ?? '', / IAA_ZSWAP_DEVICES=yes setcpuid=movdir64b idxd\.sva=0$/);
  // The kernel numbers root buses from the last to the first.
  const attached = valuesOf(args, '-device').filter((value) => value.startsWith('{'));
  assert.deepEqual(
    attached.map((value) => JSON.parse(value).socket.path),
    ['/run/x/iax1.sock', '/run/x/iax0.sock'],
  );
  const one = qemuArguments({ ...config, devices: 1, cpus: 1 });
  assert.deepEqual(valuesOf(one, '-numa'), [
    'node,nodeid=0,memdev=memory0,cpus=0-0',
    'node,nodeid=1,memdev=memory1',
  ]);
  assert.deepEqual(valuesOf(qemuArguments({ ...config, accelerator: 'kvm' }), '-cpu'), ['host,-movdir64b']);
});

test('a comma in a path does not end an option', () => {
  const args = qemuArguments({ ...config, share: '/run/a,readonly=on' });
  assert.ok(valuesOf(args, '-fsdev').some((value) => value.includes('path=/run/a,,readonly=on,')));
});

test('QEMU tells its version', () => {
  const text = 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022\n';
  assert.deepEqual(parseVersion(text), [7, 2]);
  assert.equal(parseVersion('qemu: unknown option'), undefined);
});

test('CPUs share a thread before QEMU 8.1', () => {
  assert.deepEqual(
    (
      [
        [7, 2],
        [8, 0],
        [8, 1],
        [10, 0],
      ] as const
    ).map(canThread),
    [false, false, true, true],
  );
});

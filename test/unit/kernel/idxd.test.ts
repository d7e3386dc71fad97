import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CpuTopology, Finding } from '../../../src/discover/inventory.js';
import { commandStatusTexts, parseCommandStatus } from '../../../src/kernel/cmd-status.js';
import { type IdxdState, readIdxd } from '../../../src/kernel/idxd.js';
import {
  packageOfNode,
  parseBitmap256,
  parseHexText,
  parseInteger,
} from '../../../src/kernel/idxd-device.js';
import { childrenOf, parseMembers } from '../../../src/kernel/idxd-wq.js';
import { readTopology } from '../../../src/kernel/topology.js';
import { devicesDirectory, iaaMachine } from '../../support/iaa-machine.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

async function read(host: MemoryHost): Promise<{ state: IdxdState; findings: Finding[] }> {
  const findings: Finding[] = [];
  const state = await readIdxd(host, findings, await readTopology(host, []));
  assert.ok(state !== undefined);
  return { state, findings };
}

const iaaOpcodes = [0, 2, 3, 66, 67, 68, 72, 73, 76, 77, 80, 81, 82, 83, 84, 85, 86];

describe('readIdxd', () => {
  test('good', async () => {
    const host = iaaMachine({ wqs: 2 });
    host.files.set('/sys/bus/event_source/devices/iax1/type', '12\n');
    host.files.set('/sys/bus/event_source/devices/dsa0/type', '11\n');
    host.files.set('/sys/bus/event_source/devices/cpu/type', '4\n');
    const { state, findings } = await read(host);
    assert.deepEqual(findings, []);
    assert.deepEqual(state.dsaDevices, ['dsa0', 'dsa2']);
    assert.deepEqual(state.perfEventSources, ['dsa0', 'iax1']);
    assert.deepEqual(state.devices[1], {
      name: 'iax3',
      pciAddress: '0000:6f:02.0',
      pciId: '8086:0cfe',
      driver: 'idxd',
      packageId: 1,
      state: 'enabled',
      numaNode: 1,
      version: '0x100',
      genCap: '0x71f10901f0105',
      iaaCap: undefined,
      opcodes: iaaOpcodes,
      errorBits: [],
      maxGroups: 4,
      maxWorkQueues: 8,
      maxWorkQueuesSize: 128,
      maxEngines: 8,
      maxTransferSizeBytes: 2147483648,
      configurable: true,
      pasidEnabled: false,
      clients: 0,
      commandStatus: { code: 0, text: 'no error' },
    });
    assert.equal(state.wqs.length, 16);
    assert.deepEqual(state.wqs[1], {
      name: 'wq1.1',
      device: 'iax1',
      driver: 'crypto',
      state: 'enabled',
      mode: 'dedicated',
      size: 64,
      groupId: 0,
      priority: 10,
      type: 'kernel',
      label: 'iaa_crypto',
      driverName: 'crypto',
      threshold: 0,
      clients: 0,
    });
    assert.deepEqual(
      state.wqs.filter(({ driver }) => driver !== undefined).map(({ name }) => name),
      ['wq1.0', 'wq1.1', 'wq3.0', 'wq3.1'],
    );
    assert.deepEqual(state.engines[8], { name: 'engine3.0', device: 'iax3', groupId: 0 });
    assert.deepEqual(state.groups[0], {
      name: 'group1.0',
      device: 'iax1',
      wqs: ['wq1.0', 'wq1.1'],
      engines: [0, 1, 2, 3, 4, 5, 6, 7].map((engine) => `engine1.${engine}`),
      trafficClassA: 1,
      trafficClassB: 1,
    });
  });

  test('no dsa bus', async () => {
    const cpu: CpuTopology = { possible: [], online: [], packageOf: {}, nodeOf: {} };
    assert.equal(await readIdxd(new MemoryHost(), [], cpu), undefined);
  });

  test('a bus without IAA devices', async () => {
    const { state, findings } = await read(iaaMachine({ devices: [] }));
    assert.deepEqual([state.devices, state.wqs, state.engines, state.groups], [[], [], [], []]);
    assert.deepEqual(findings, []);
  });

  test('devices are listed by number, whatever the numbers are', async () => {
    const { state } = await read(iaaMachine({ devices: ['iax11', 'iax0', 'iax3'] }));
    assert.deepEqual(
      state.devices.map(({ name }) => name),
      ['iax0', 'iax3', 'iax11'],
    );
  });

  test('a device that is not bound, and without a node', async () => {
    const host = iaaMachine({ wqs: 0 });
    host.links.delete(`${devicesDirectory}/iax1/driver`);
    host.files.set(`${devicesDirectory}/iax1/numa_node`, '-1\n');
    const { state, findings } = await read(host);
    assert.deepEqual(findings, []);
    const [device] = state.devices;
    assert.deepEqual(
      [device?.driver, device?.state, device?.numaNode, device?.packageId],
      [undefined, 'disabled', -1, undefined],
    );
  });

  test('a newer device has more', async () => {
    const host = iaaMachine();
    host.files.set(`${devicesDirectory}/iax1/version`, '0x200\n');
    host.files.set(`${devicesDirectory}/iax1/iaa_cap`, '0x1ff\n');
    const { state } = await read(host);
    assert.deepEqual([state.devices[0]?.version, state.devices[0]?.iaaCap], ['0x200', '0x1ff']);
  });

  test('absent attributes are undefined, without a finding', async () => {
    const host = iaaMachine();
    for (const path of [...host.files.keys()]) {
      if (path.startsWith(`${devicesDirectory}/iax1/`) && !path.endsWith('/state')) host.files.delete(path);
    }
    const { state, findings } = await read(host);
    assert.deepEqual(findings, []);
    assert.equal(state.devices[0]?.maxEngines, undefined);
    assert.equal(state.devices[0]?.opcodes, undefined);
    assert.equal(state.wqs.find(({ name }) => name === 'wq1.0')?.size, undefined);
  });

  for (const path of [
    'iax1/numa_node',
    'iax1/version',
    'iax1/gen_cap',
    'iax1/op_cap',
    'iax1/errors',
    'iax1/max_groups',
    'iax1/max_work_queues',
    'iax1/max_work_queues_size',
    'iax1/max_engines',
    'iax1/max_transfer_size',
    'iax1/configurable',
    'iax1/pasid_enabled',
    'iax1/clients',
    'iax1/cmd_status',
    'iax1/state',
    'iax1/wq1.0/state',
    'iax1/wq1.0/mode',
    'iax1/wq1.0/size',
    'iax1/wq1.0/group_id',
    'iax1/wq1.0/priority',
    'iax1/wq1.0/type',
    'iax1/wq1.0/name',
    'iax1/wq1.0/driver_name',
    'iax1/wq1.0/threshold',
    'iax1/wq1.0/clients',
    'iax1/engine1.0/group_id',
    'iax1/group1.0/work_queues',
    'iax1/group1.0/engines',
    'iax1/group1.0/traffic_class_a',
    'iax1/group1.0/traffic_class_b',
  ]) {
    test(`malformed ${path} is one finding and the rest is there`, async () => {
      const host = iaaMachine();
      const file = `${devicesDirectory}/${path}`;
      assert.ok(host.files.has(file));
      host.files.set(file, '\u001b[2J;\n');
      const { state, findings } = await read(host);
      assert.deepEqual(
        findings.map((finding) => finding.path),
        [file],
      );
      assert.equal(state.devices[1]?.maxEngines, 8);
      assert.equal(state.wqs.length, 16);
    });
  }

  test('a PCI id that is none, and a link that leads elsewhere', async () => {
    const host = iaaMachine();
    host.files.set('/sys/devices/pci0000:6a/0000:6a:02.0/device', '0cfe\n');
    host.links.set(`${devicesDirectory}/iax3`, '/etc/passwd');
    const { state, findings } = await read(host);
    assert.deepEqual([state.devices[0]?.pciAddress, state.devices[0]?.pciId], ['0000:6a:02.0', undefined]);
    assert.deepEqual([state.devices[1]?.pciAddress, state.devices[1]?.pciId], [undefined, undefined]);
    assert.deepEqual(
      findings.map((finding) => finding.path),
      ['/sys/devices/pci0000:6a/0000:6a:02.0/device'],
    );
  });

  test('a link that cannot be read is one finding', async () => {
    const host = iaaMachine();
    host.failNext('readlink', `${devicesDirectory}/iax1/wq1.0/driver`, 'EIO');
    const { state, findings } = await read(host);
    assert.equal(state.wqs[0]?.driver, undefined);
    assert.deepEqual(
      findings.map((finding) => finding.path),
      [`${devicesDirectory}/iax1/wq1.0/driver`],
    );
  });
});

describe('parseBitmap256', () => {
  for (const [text, bits] of [
    ['00000000,00000000,00000000,00000000,00000000,007f331c,00000000,0000000d\n', iaaOpcodes],
    ['0xd 0x7f331c 0 0\n', iaaOpcodes],
    ['0x000000000000000d 0x00000000007f331c 0x0000000000000000 0x0000000000000000 \n', iaaOpcodes],
    ['80000000,00000000,00000000,00000000,00000000,00000000,00000000,00000001\n', [0, 255]],
    ['0x1 0x0 0x0 0x8000000000000000\n', [0, 255]],
  ] as const) {
    test(text.trimEnd(), () => assert.deepEqual(parseBitmap256(text, '/x'), bits));
  }

  for (const text of ['', '\n', 'xyz\n', '0x1 0x2\n', '0x1,0x2\n', `${'00000000,'.repeat(8)}00000000\n`]) {
    test(`malformed ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseBitmap256(text, '/x'), parseErrorAt('/x', undefined)));
  }
});

describe('cmd_status', () => {
  for (const [text, code, meaning] of [
    ['0x0\n', 0, 'no error'],
    ['0x800c0000\n', 0x800c0000, 'shared WQs are not possible: PASID or ENQCMD is missing'],
    ['0x800d0000\n', 0x800d0000, 'no WQ is configured'],
    ['0x80200000\n', 0x80200000, 'driver_name of the WQ is missing or names another driver'],
    ['0x23\n', 0x23, 'the WQ priority is 0'],
    ['0xff\n', 0xff, 'unknown code'],
  ] as const) {
    test(text.trimEnd(), () => assert.deepEqual(parseCommandStatus(text, '/x'), { code, text: meaning }));
  }

  test('the table is in order', () => {
    const codes = [...commandStatusTexts.keys()];
    assert.deepEqual(
      codes,
      [...codes].sort((a, b) => a - b),
    );
    assert.equal(codes.length, 49);
  });

  for (const text of ['', '12\n', '0x\n', '0x100000000\n', '-1\n']) {
    test(`malformed ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseCommandStatus(text, '/x'), parseErrorAt('/x', undefined)));
  }
});

test('numbers', () => {
  assert.equal(parseInteger('-1\n', '/x'), -1);
  assert.throws(() => parseInteger('9007199254740993\n', '/x'), parseErrorAt('/x', undefined));
  assert.throws(() => parseInteger('1 \n', '/x'), parseErrorAt('/x', undefined));
  assert.equal(parseHexText('0x71f10901f0105\n', '/x'), '0x71f10901f0105');
  assert.throws(() => parseHexText('71f1\n', '/x'), parseErrorAt('/x', undefined));
});

test('members of a group', () => {
  assert.deepEqual(parseMembers('wq1.0 wq1.1 \n', '/x'), ['wq1.0', 'wq1.1']);
  assert.deepEqual(parseMembers('\n', '/x'), []);
  assert.throws(() => parseMembers('wq1.0,wq1.1\n', '/x'), parseErrorAt('/x', undefined));
});

test('children of one kind, by number', () => {
  const names = ['wq1.10', 'wq1.2', 'engine1.0', 'group1.0', 'state', 'wq', 'wq1', 'wq1.x'];
  assert.deepEqual(childrenOf('wq', names), ['wq1.2', 'wq1.10']);
  assert.deepEqual(childrenOf('engine', names), ['engine1.0']);
});

test('the package of a node, when all its CPUs are in one', () => {
  const cpu: CpuTopology = {
    possible: [0, 1, 2],
    online: [0, 1, 2],
    packageOf: { 0: 0, 1: 0, 2: 1 },
    nodeOf: { 0: 0, 1: 1, 2: 1 },
  };
  assert.deepEqual(
    [undefined, -1, 0, 1, 2].map((node) => packageOfNode(cpu, node)),
    [undefined, undefined, 0, undefined, undefined],
  );
});

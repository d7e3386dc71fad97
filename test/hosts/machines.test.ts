/** The archives that are made to order: what each machine is, and that its archive is that machine. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hostPath } from '../../src/host/path.js';
import { packageRoot } from '../../src/native/load.js';
import {
  buildMachine,
  formatArchive,
  type MachineOptions,
  mockHost,
  parseArchive,
} from '../../src/testing/index.js';

/** For what does not depend on the number of cores: a short archive. */
const small = { coresPerPackage: 8, threadsPerCore: 1 } as const;

const iax3 = '/sys/bus/dsa/devices/iax3';

interface Machine {
  readonly comments: readonly string[];
  readonly options: MachineOptions;
  /** IAA devices that are bound to idxd. */
  readonly bound: number;
}

const machines: Readonly<Record<string, Machine>> = {
  'iaa-spr-2s': {
    bound: 8,
    comments: [
      'A dual-socket Sapphire Rapids server with 4 IAA and 4 DSA a package, as booted: IAA numbers are odd.',
    ],
    options: {},
  },
  'iaa-spr-2s-no-dsa': {
    bound: 8,
    comments: [
      '2 x 4 IAA without DSA, as booted by 6.18: numbers from 0, one of eight engines in the group.',
    ],
    options: { ...small, kernel: 'mainline 6.18', dsa: false },
  },
  'iaa-spr-2s-v9': {
    bound: 8,
    comments: [
      'The machine of the cover letter with its kernel, as booted: the driver has the attributes of the patches.',
    ],
    options: { kernel: 'v9' },
  },
  'iaa-gnr-2s-6n': {
    bound: 8,
    comments: [
      '6 nodes in 2 packages, 4 IAA a package: nodes and packages do not match the devices one to one.',
    ],
    options: { kernel: 'mm-unstable-4-21-2025', coresPerPackage: 72, nodesPerPackage: 3 },
  },
  'iaa-half-configured': {
    bound: 3,
    comments: [
      'Someone else was at work: iax1 is off and half configured, iax3 has a user WQ with two clients, the rest is',
      'as booted, and zswap holds pages of deflate-iaa.',
    ],
    options: {
      ...small,
      iaaPerPackage: 2,
      changes: [
        { write: '/sys/bus/dsa/drivers/idxd/unbind', text: 'iax1' },
        { write: '/sys/bus/dsa/devices/wq1.0/mode', text: 'dedicated' },
        { write: '/sys/bus/dsa/devices/wq1.0/size', text: '32' },
        { write: '/sys/bus/dsa/devices/wq1.1/size', text: '96' },
        { write: '/sys/bus/dsa/devices/engine1.0/group_id', text: '2' },
        { write: '/sys/bus/dsa/drivers/idxd/unbind', text: 'iax3' },
        { write: `${iax3}/wq3.0/mode`, text: 'dedicated' },
        { write: `${iax3}/wq3.0/size`, text: '16' },
        { write: `${iax3}/wq3.0/group_id`, text: '0' },
        { write: `${iax3}/wq3.0/priority`, text: '5' },
        { write: `${iax3}/wq3.0/type`, text: 'user' },
        { write: `${iax3}/wq3.0/name`, text: 'qpl' },
        { write: `${iax3}/wq3.0/driver_name`, text: 'user' },
        { write: `${iax3}/engine3.0/group_id`, text: '0' },
        { write: '/sys/bus/dsa/drivers/idxd/bind', text: 'iax3' },
        { write: '/sys/bus/dsa/drivers/user/bind', text: 'wq3.0' },
        { write: '/sys/module/zswap/parameters/enabled', text: 'Y' },
        { write: '/sys/module/zswap/parameters/compressor', text: 'deflate-iaa' },
      ],
      files: {
        '/sys/devices/pci0000:6f/0000:6f:02.0/iax3/clients': '2\n',
        '/sys/devices/pci0000:6f/0000:6f:02.0/iax3/wq3.0/clients': '2\n',
        '/proc/swaps':
          'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/nvme0n1p2                          partition\t536870912\t8192\t\t-2\n',
        '/sys/kernel/debug/zswap/stored_pages': '2048\n',
        '/sys/kernel/debug/zswap/pool_total_size': '3276800\n',
      },
    },
  },
  'iaa-cpus-offline': {
    bound: 2,
    comments: ['CPUs 2, 3 and 12 to 15 are offline. intel_pstate scales the frequency.'],
    options: { ...small, iaaPerPackage: 1, offlineCpus: [2, 3, 12, 13, 14, 15], cpufreq: true },
  },
  'iaa-no-node': {
    bound: 2,
    comments: ['Firmware without proximity domains for the devices: numa_node is -1.'],
    options: { ...small, iaaPerPackage: 1, deviceNodes: 'unknown' },
  },
  'no-iaa': {
    bound: 0,
    comments: ['A server without accelerators: there is no idxd driver.'],
    options: { ...small, iaaPerPackage: 0 },
  },
};

function archiveOf(name: string): string {
  return readFileSync(join(packageRoot(), 'test/hosts', `${name}.host`), 'utf8');
}

describe('archives of machines made to order', () => {
  for (const [name, { comments, options }] of Object.entries(machines)) {
    test(`${name}.host is the machine as it is made now`, () => {
      const text = formatArchive(buildMachine(options), [
        'Made by test/hosts/machines.test.ts, with scripts/update-golden.mjs; not captured.',
        ...comments,
      ]);
      if (process.env['UPDATE_GOLDEN'] === '1') {
        writeFileSync(join(packageRoot(), 'test/hosts', `${name}.host`), text);
      }
      assert.equal(text, archiveOf(name), 'see scripts/update-golden.mjs');
    });
  }
});

test('a mock of each archive takes its devices down and up again', async () => {
  for (const name of Object.keys(machines)) {
    const host = mockHost(parseArchive(archiveOf(name)));
    const drivers = '/sys/bus/dsa/drivers';
    const bound = ((await host.list(hostPath(drivers, 'idxd'))) ?? []).filter((each) =>
      each.startsWith('iax'),
    );
    assert.equal(bound.length, machines[name]?.bound, name);
    for (const device of bound) {
      const number = device.slice(3);
      const path = `/sys/bus/dsa/devices/${device}`;
      await host.write(hostPath(drivers, 'idxd/unbind'), device);
      await host.write(hostPath(path, `wq${number}.1/mode`), 'dedicated');
      await host.write(hostPath(path, `wq${number}.1/size`), '128');
      await host.write(hostPath(path, `wq${number}.1/group_id`), '3');
      await host.write(hostPath(path, `engine${number}.7/group_id`), '3');
      await host.write(hostPath(drivers, 'idxd/bind'), device);
      assert.deepEqual(await host.read([hostPath(path, 'state')]), ['enabled\n'], `${name} ${device}`);
    }
  }
});

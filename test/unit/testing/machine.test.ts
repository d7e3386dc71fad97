import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import type { Inventory } from '../../../src/discover/inventory.js';
import { UsageError } from '../../../src/errors.js';
import { buildMachine, type MachineOptions, mockHost } from '../../../src/testing/index.js';

const discovered = (options: MachineOptions): Promise<Inventory> => discover(mockHost(buildMachine(options)));
const small: MachineOptions = { coresPerPackage: 4, threadsPerCore: 1 };

describe('buildMachine', () => {
  test('without options: 2 packages of 56 cores with 4 IAA devices each, as booted', async () => {
    const { cpu, iaa, memory, swap } = await discovered({});
    assert.equal(cpu.possible.length, 224);
    assert.deepEqual(
      [cpu.packageOf[0], cpu.packageOf[56], cpu.packageOf[112], cpu.packageOf[223]],
      [0, 1, 0, 1],
    );
    assert.deepEqual(
      iaa?.devices.map(({ name, packageId, state }) => [name, packageId, state]),
      [1, 3, 5, 7, 9, 11, 13, 15].map((id) => [`iax${id}`, id < 8 ? 0 : 1, 'enabled']),
    );
    assert.equal(iaa?.wqs.filter(({ driver }) => driver === 'crypto').length, 8);
    assert.equal(memory?.totalBytes, 512 * 2 ** 30);
    assert.equal(swap.length, 1);
  });

  test('without DSA numbers start at 0; older kernels group the first engine only', async () => {
    const { iaa } = await discovered({ ...small, iaaPerPackage: 1, dsa: false, kernel: 'mainline 6.12' });
    assert.deepEqual(
      iaa?.devices.map(({ name }) => name),
      ['iax0', 'iax1'],
    );
    assert.equal(iaa?.engines.filter(({ groupId }) => groupId === 0).length, 2);
  });

  test('nodes divide a package, CPUs can be offline, devices can be without a node', async () => {
    const { cpu, iaa } = await discovered({
      ...small,
      nodesPerPackage: 2,
      offlineCpus: [7],
      iaaPerPackage: 2,
      deviceNodes: 'unknown',
    });
    assert.deepEqual(cpu.nodeOf, { 0: 0, 1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3 });
    assert.deepEqual(cpu.possible.length, 8);
    assert.deepEqual([...new Set(iaa?.devices.map(({ numaNode }) => numaNode))], [-1]);
  });

  test('no IAA, no swap, systemd', async () => {
    const { iaa, swap, cgroup } = await discovered({ ...small, iaaPerPackage: 0, swapKiB: 0, systemd: true });
    assert.deepEqual([iaa?.devices.length ?? 0, swap.length, cgroup.systemd], [0, 0, true]);
  });

  test('a change that the kernel refuses is a UsageError with its errno', () => {
    assert.throws(
      () => buildMachine({ ...small, changes: [{ write: '/proc/sys/vm/swappiness', text: '300' }] }),
      (error) => error instanceof UsageError && /swappiness: EINVAL$/.test(error.message),
    );
    assert.throws(
      () => buildMachine({ ...small, iaaPerPackage: 1, changes: [{ exec: ['rmmod', 'iaa_crypto'] }] }),
      (error) => error instanceof UsageError && /is in use$/.test(error.message),
    );
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { topologyOf } from '../../../src/cli/topology.js';
import { discover } from '../../../src/discover/discover.js';
import { type Mapping, mappingOf } from '../../../src/discover/iaa-mapping.js';
import { groupCpus } from '../../../src/kernel/iaa-mapping.js';
import { formatCpuList } from '../../../src/kernel/topology.js';
import { type IaaMachineOptions, iaaMachine } from '../../support/iaa-machine.js';
import type { MemoryHost } from '../../support/memory-host.js';

const v9 = {
  verify_compress: '0',
  sync_mode: 'async',
  g_comp_wqs_per_iaa: '1',
  distribute_comps: '1',
  distribute_decomps: '0',
};

async function mappingFor(host: MemoryHost): Promise<Mapping> {
  const mapping = mappingOf(await discover(host));
  assert.ok(mapping !== undefined);
  return mapping;
}

function lines(mapping: Mapping, use: 'compress' | 'decompress'): string[] {
  return groupCpus(mapping.cpus, use).map(({ cpus, wqs }) => `${formatCpuList(cpus)} -> ${wqs.join(' ')}`);
}

const four: IaaMachineOptions = { devices: ['iax1', 'iax3', 'iax5', 'iax7'], coresPerPackage: 8, wqs: 2 };

test('by node, from what the kernel shows', async () => {
  const mapping = await mappingFor(iaaMachine(four));
  assert.equal(mapping.variant, 'node-spanning');
  assert.equal(mapping.orderKnown, false);
  assert.deepEqual(lines(mapping, 'compress'), [
    '0-7 -> wq1.0 wq1.1',
    '8-15 -> wq5.0 wq5.1',
    '16-23 -> wq3.0 wq3.1',
    '24-31 -> wq7.0 wq7.1',
  ]);
});

test('by package, from the attributes and physical cores', async () => {
  const mapping = await mappingFor(iaaMachine({ ...four, driverAttributes: v9 }));
  assert.equal(mapping.variant, 'package');
  assert.deepEqual(lines(mapping, 'compress'), ['0-7,16-23 -> wq1.1 wq3.1', '8-15,24-31 -> wq5.1 wq7.1']);
  assert.deepEqual(lines(mapping, 'decompress'), [
    '0-3,16-19 -> wq1.0',
    '4-7,20-23 -> wq3.0',
    '8-11,24-27 -> wq5.0',
    '12-15,28-31 -> wq7.0',
  ]);
});

test("the driver's own order, from its statistics", async () => {
  const host = iaaMachine({ ...four, driverAttributes: v9 });
  const block = (id: number): string => `iaa device:\n  id: ${id}\n  n_wqs: 2\n  wqs:\n`;
  host.files.set('/sys/kernel/debug/iaa_crypto/wq_stats', [5, 7, 1, 3].map(block).join(''));
  const mapping = await mappingFor(host);
  assert.equal(mapping.orderKnown, true);
  assert.deepEqual(lines(mapping, 'compress'), ['0-7,16-23 -> wq5.1 wq7.1', '8-15,24-31 -> wq1.1 wq3.1']);
});

test('statistics without a device that is bound are no order', async () => {
  const host = iaaMachine(four);
  host.files.set('/sys/kernel/debug/iaa_crypto/wq_stats', 'iaa device:\n  id: 5\n');
  assert.equal((await mappingFor(host)).orderKnown, false);
});

describe('no mapping', () => {
  test('without idxd', async () => {
    const host = iaaMachine();
    for (const path of [...host.files.keys()]) if (path.startsWith('/sys/bus/dsa')) host.files.delete(path);
    host.directories.clear();
    host.links.clear();
    assert.equal(mappingOf(await discover(host)), undefined);
  });

  test('while no WQ is bound', async () => {
    const mapping = await mappingFor(iaaMachine({ ...four, wqs: 0 }));
    assert.deepEqual([mapping.variant, mapping.devices, mapping.cpus], ['node-spanning', [], []]);
  });

  test('of a driver that is not known', async () => {
    const mapping = await mappingFor(iaaMachine({ ...four, driverAttributes: { g_wqs_per_iaa: '1' } }));
    assert.deepEqual([mapping.variant, mapping.devices.length, mapping.cpus], [undefined, 4, []]);
  });

  test('by package without core ids', async () => {
    const host = iaaMachine({ ...four, driverAttributes: v9 });
    host.files.delete('/sys/devices/system/cpu/cpu3/topology/core_id');
    const mapping = await mappingFor(host);
    assert.deepEqual([mapping.variant, mapping.cpus], [undefined, []]);
    assert.match(mapping.source, /share a core/);
  });
});

test('CPUs that are offline have no mapping, and the others the one of a kernel that counts possible CPUs', async () => {
  const host = iaaMachine(four);
  host.files.set('/sys/devices/system/cpu/online', '0-15\n');
  const mapping = await mappingFor(host);
  assert.deepEqual(lines(mapping, 'compress'), ['0-7 -> wq1.0 wq1.1', '8-15 -> wq3.0 wq3.1']);
  const topology = topologyOf(await discover(host));
  assert.deepEqual(
    topology.places.map(({ cpus, ...place }) => ({ ...place, cpus: formatCpuList(cpus) })),
    [
      { package: 0, node: 0, cpus: '0-7' },
      { package: 1, node: 1, cpus: '8-15' },
    ],
  );
});

test('all settable attributes of IAA are in the inventory, as the kernel has them', async () => {
  const { attributes } = await discover(iaaMachine({ ...four, driverAttributes: v9 }));
  const wq = '/sys/bus/dsa/devices/iax1/wq1.0';
  assert.equal(attributes[`${wq}/mode`], 'dedicated\n');
  assert.equal(attributes[`${wq}/size`], '64\n');
  assert.equal(attributes[`${wq}/name`], 'iaa_crypto\n');
  assert.equal(attributes['/sys/bus/dsa/devices/iax1/wq1.7/name'], '\n');
  assert.equal(attributes['/sys/bus/dsa/devices/iax7/engine7.3/group_id'], '0\n');
  assert.equal(attributes['/sys/bus/dsa/devices/iax7/group7.0/traffic_class_a'], '1\n');
  assert.equal(attributes['/sys/bus/dsa/drivers/crypto/distribute_decomps'], '0\n');
  assert.equal(attributes[`${wq}/state`], undefined);
  assert.equal(attributes[`${wq}/op_config`], undefined);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type CpuMapping,
  groupCpus,
  type MappedDevice,
  type MappedMachine,
  type MappingVariant,
  mapCpus,
  type PackageSettings,
  typeWqs,
} from '../../../src/kernel/iaa-mapping.js';
import { chooseVariant } from '../../../src/kernel/iaa-mapping-variant.js';
import { formatCpuList } from '../../../src/kernel/topology.js';

/** Cores numbered through all packages, then their hyper-threads in the same order, as firmware does it. */
function server(packages: number, coresPerPackage: number, nodesPerPackage = 1): MappedMachine {
  const cores = packages * coresPerPackage;
  const coresPerNode = coresPerPackage / nodesPerPackage;
  const packageOf: Record<number, number> = {};
  const nodes = Array.from({ length: packages * nodesPerPackage }, (): number[] => []);
  for (let cpu = 0; cpu < 2 * cores; cpu++) {
    packageOf[cpu] = Math.floor((cpu % cores) / coresPerPackage);
    nodes[Math.floor((cpu % cores) / coresPerNode)]?.push(cpu);
  }
  return { possibleCpus: 2 * cores, nodes, packageOf, packages, coresPerPackage };
}

/** Devices of these numbers, each with the WQs 0 to `wqs` - 1. */
function devices(numbers: readonly number[], wqs: number): MappedDevice[] {
  return numbers.map((number) => ({
    name: `iax${number}`,
    wqs: Array.from({ length: wqs }, (_, wq) => `wq${number}.${wq}`),
  }));
}

const eight = [1, 3, 5, 7, 9, 11, 13, 15];
const spr = server(2, 56);
const plain: PackageSettings = { compWqsPerIaa: 0, distributeComps: false, distributeDecomps: false };

function at(mapping: readonly CpuMapping[], cpu: number): CpuMapping {
  const entry = mapping.find((each) => each.cpu === cpu);
  assert.ok(entry !== undefined, `CPU ${cpu}`);
  return entry;
}

/** Position of each CPU's device in the list of devices. */
function deviceIndexes(variant: MappingVariant, machine: MappedMachine, count: number): Map<number, number> {
  const list = devices(
    Array.from({ length: count }, (_, index) => index),
    1,
  );
  return new Map(
    mapCpus(variant, machine, list, plain).map(({ cpu, compress }) => [
      cpu,
      Number(/^wq(\d+)\./.exec(compress.wqs[0] ?? '')?.[1]),
    ]),
  );
}

function cpusPerDevice(indexes: ReadonlyMap<number, number>): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const index of indexes.values()) counts[index] = (counts[index] ?? 0) + 1;
  return counts;
}

/** As `cpu 0-13,112-125 -> wq1.0`. */
function lines(mapping: readonly CpuMapping[], use: 'compress' | 'decompress'): string[] {
  return groupCpus(mapping, use).map(({ cpus, wqs }) => `${formatCpuList(cpus)} -> ${wqs.join(' ')}`);
}

describe('by node', () => {
  const cpus = [0, 28, 112, 140, 56, 84, 168, 223];
  for (const [variant, expected] of [
    ['node-restarting', [0, 1, 2, 3, 4, 5, 6, 7]],
    ['node-first', [0, 1, 2, 3, 0, 1, 2, 3]],
    ['node-spanning', [0, 1, 2, 3, 4, 5, 6, 7]],
  ] as const) {
    test(`${variant}: 2 nodes, 224 CPUs, 8 devices`, () => {
      const indexes = deviceIndexes(variant, spr, 8);
      assert.deepEqual(
        cpus.map((cpu) => indexes.get(cpu)),
        expected,
      );
      assert.equal(indexes.size, 224);
      const share = variant === 'node-first' ? 56 : 28;
      assert.deepEqual(new Set(Object.values(cpusPerDevice(indexes))), new Set([share]));
    });
  }

  test('node-first with 4 nodes, 160 CPUs, 8 devices uses two devices', () => {
    const indexes = deviceIndexes('node-first', server(2, 40, 2), 8);
    assert.deepEqual(cpusPerDevice(indexes), { 0: 80, 1: 80 });
  });

  test('node-restarting with 6 nodes, 288 CPUs, 8 devices falls back to the first device', () => {
    const indexes = deviceIndexes('node-restarting', server(2, 72, 3), 8);
    assert.deepEqual(cpusPerDevice(indexes), { 0: 132, 1: 12, 2: 36, 3: 12, 4: 36, 5: 12, 6: 36, 7: 12 });
  });

  test('a CPU gets all WQs of its device, and takes the second one first', () => {
    const mapping = mapCpus('node-spanning', spr, devices(eight, 2), plain);
    assert.deepEqual(at(mapping, 28), {
      cpu: 28,
      compress: { wqs: ['wq3.0', 'wq3.1'], first: 1 },
      decompress: { wqs: ['wq3.0', 'wq3.1'], first: 1 },
    });
    assert.equal(at(mapCpus('node-spanning', spr, devices(eight, 1), plain), 28).compress.first, 0);
  });

  test('one device serves all possible CPUs, those of no node too', () => {
    const machine = { ...spr, possibleCpus: 230 };
    for (const variant of ['node-restarting', 'node-first', 'node-spanning'] as const) {
      const mapping = mapCpus(variant, machine, devices([0], 1), plain);
      assert.deepEqual(lines(mapping, 'compress'), ['0-229 -> wq0.0'], variant);
    }
  });

  test('CPUs that are offline are possible but of no node: devices have fewer', () => {
    const half = { ...spr, nodes: spr.nodes.map((cpus) => cpus.filter((cpu) => cpu < 112)) };
    const indexes = deviceIndexes('node-spanning', half, 8);
    assert.deepEqual(cpusPerDevice(indexes), { 0: 28, 1: 28, 2: 28, 3: 28 });
  });
});

describe('by package', () => {
  test('A: two WQs, one for compression, compression distributed', () => {
    const settings = { compWqsPerIaa: 1, distributeComps: true, distributeDecomps: false };
    const mapping = mapCpus('package', spr, devices(eight, 2), settings);
    assert.deepEqual(lines(mapping, 'compress'), [
      '0-55,112-167 -> wq1.1 wq3.1 wq5.1 wq7.1',
      '56-111,168-223 -> wq9.1 wq11.1 wq13.1 wq15.1',
    ]);
    const starts = [0, 14, 28, 42, 55, 56, 70, 112, 126].map((cpu) => at(mapping, cpu).compress.first);
    assert.deepEqual(starts, [0, 1, 2, 3, 3, 0, 1, 0, 1]);
    assert.deepEqual(lines(mapping, 'decompress'), [
      '0-13,112-125 -> wq1.0',
      '14-27,126-139 -> wq3.0',
      '28-41,140-153 -> wq5.0',
      '42-55,154-167 -> wq7.0',
      '56-69,168-181 -> wq9.0',
      '70-83,182-195 -> wq11.0',
      '84-97,196-209 -> wq13.0',
      '98-111,210-223 -> wq15.0',
    ]);
    assert.deepEqual(new Set(mapping.map(({ decompress }) => decompress.first)), new Set([0]));
  });

  test('B: one WQ, both distributed', () => {
    const settings = { compWqsPerIaa: 0, distributeComps: true, distributeDecomps: true };
    const mapping = mapCpus('package', spr, devices(eight, 1), settings);
    for (const use of ['compress', 'decompress'] as const) {
      assert.deepEqual(lines(mapping, use), [
        '0-55,112-167 -> wq1.0 wq3.0 wq5.0 wq7.0',
        '56-111,168-223 -> wq9.0 wq11.0 wq13.0 wq15.0',
      ]);
      const starts = [0, 14, 28, 42, 56, 70, 84, 98].map((cpu) => at(mapping, cpu)[use].first);
      assert.deepEqual(starts, [0, 1, 2, 3, 0, 1, 2, 3], use);
    }
  });

  test('C: of four WQs three are for compression, not one', () => {
    const mapping = mapCpus('package', spr, devices(eight, 4), { ...plain, compWqsPerIaa: 1 });
    const { compress, decompress } = at(mapping, 0);
    assert.deepEqual(compress.wqs, ['wq1.1', 'wq1.2', 'wq1.3']);
    assert.deepEqual(decompress.wqs, ['wq1.0']);
  });

  test('D: one device serves both packages', () => {
    const settings = { compWqsPerIaa: 1, distributeComps: true, distributeDecomps: true };
    const mapping = mapCpus('package', spr, devices([1], 2), settings);
    assert.deepEqual(lines(mapping, 'compress'), ['0-223 -> wq1.1']);
    assert.deepEqual(lines(mapping, 'decompress'), ['0-223 -> wq1.0']);
  });

  for (const distribute of [true, false]) {
    test(`E: one device for each package, distributed: ${distribute}`, () => {
      const settings = { compWqsPerIaa: 0, distributeComps: distribute, distributeDecomps: distribute };
      const mapping = mapCpus('package', spr, devices([1, 9], 1), settings);
      for (const use of ['compress', 'decompress'] as const) {
        assert.deepEqual(lines(mapping, use), ['0-55,112-167 -> wq1.0', '56-111,168-223 -> wq9.0']);
      }
    });
  }

  test('F: three devices in two packages: one is left out, and packages cross', () => {
    const settings = { compWqsPerIaa: 1, distributeComps: true, distributeDecomps: false };
    const mapping = mapCpus('package', spr, devices([1, 3, 9], 2), settings);
    assert.deepEqual(lines(mapping, 'compress'), ['0-55,112-167 -> wq1.1', '56-111,168-223 -> wq3.1']);
    assert.deepEqual(lines(mapping, 'decompress'), [
      '0-36,112-148 -> wq1.0',
      '37-92,149-204 -> wq3.0',
      '93-111,205-223 -> wq9.0',
    ]);
  });

  for (const distribute of [true, false]) {
    test(`G: what counts is the order of binding, distributed: ${distribute}`, () => {
      const settings = { compWqsPerIaa: 0, distributeComps: distribute, distributeDecomps: distribute };
      const mapping = mapCpus('package', spr, devices([9, 11, 13, 15, 1, 3, 5, 7], 1), settings);
      assert.equal(at(mapping, 0).compress.wqs[0], 'wq9.0');
      assert.equal(at(mapping, 56).compress.wqs[0], 'wq1.0');
      assert.equal(at(mapping, 14).decompress.wqs[distribute ? 1 : 0], 'wq11.0');
    });
  }

  test('with two WQs any number above 0 makes one of them a WQ for compression', () => {
    assert.deepEqual(typeWqs(['a', 'b'], 0), { generic: ['a', 'b'], compress: [] });
    for (const number of [1, 2, 7])
      assert.deepEqual(typeWqs(['a', 'b'], number), { generic: ['a'], compress: ['b'] });
    assert.deepEqual(typeWqs(['a', 'b'], -1), { generic: ['a', 'b'], compress: [] });
    assert.deepEqual(typeWqs(['a'], 1), { generic: ['a'], compress: [] });
  });

  test('more packages than devices: a package without a device has no WQs', () => {
    const settings = { ...plain, distributeComps: true };
    const mapping = mapCpus('package', server(4, 8), devices([1, 3], 1), settings);
    assert.deepEqual(lines(mapping, 'compress'), [
      '0-7,32-39 -> wq1.0',
      '8-15,40-47 -> wq3.0',
      '16-31,48-63 -> ',
    ]);
  });

  test('a CPU whose package is not known is left out', () => {
    const { 57: _, ...packageOf } = spr.packageOf;
    const mapping = mapCpus('package', { ...spr, packageOf }, devices(eight, 1), plain);
    assert.deepEqual(formatCpuList(mapping.map(({ cpu }) => cpu)), '0-56,58-223');
  });
});

test('no WQ bound: nobody gets one', () => {
  for (const variant of ['node-restarting', 'node-first', 'node-spanning', 'package'] as const) {
    assert.deepEqual(mapCpus(variant, spr, [], plain), []);
  }
});

test('each CPU is mapped once, to WQs that are bound, from an index within them', () => {
  fc.assert(
    fc.property(
      fc.constantFrom<MappingVariant>('node-restarting', 'node-first', 'node-spanning', 'package'),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 8 }),
      fc.record({
        compWqsPerIaa: fc.integer({ min: -2, max: 9 }),
        distributeComps: fc.boolean(),
        distributeDecomps: fc.boolean(),
      }),
      (variant, packages, cores, count, wqs, settings) => {
        const machine = server(packages, cores);
        const list = devices(
          Array.from({ length: count }, (_, index) => 2 * index + 1),
          wqs,
        );
        const bound = new Set(list.flatMap((device) => device.wqs));
        const mapping = mapCpus(variant, machine, list, settings);
        assert.deepEqual(
          mapping.map(({ cpu }) => cpu),
          Array.from({ length: machine.possibleCpus }, (_, cpu) => cpu),
        );
        for (const { compress, decompress } of mapping) {
          for (const table of [compress, decompress]) {
            assert.ok(table.wqs.every((wq) => bound.has(wq)));
            assert.ok(table.wqs[table.first] !== undefined || table.wqs.length === 0);
          }
        }
      },
    ),
  );
});

describe('which variant a kernel has', () => {
  for (const [release, variant] of [
    ['6.7.12-amd64', undefined],
    ['6.8.0-45-generic', 'node-restarting'],
    ['6.12.9-lab', 'node-restarting'],
    ['6.15.11', 'node-restarting'],
    ['6.16.0-rc1', 'node-first'],
    ['6.17.13+deb14-amd64', 'node-first'],
    ['6.18.32', 'node-first'],
    ['6.18.33', 'node-spanning'],
    ['6.18.44-fc', 'node-spanning'],
    ['6.19.14', 'node-first'],
    ['7.0.9', 'node-first'],
    ['7.0.10_1', 'node-spanning'],
    ['7.1', 'node-spanning'],
    ['7.3.4-1~bpo13+1-amd64', 'node-spanning'],
    ['10.0.0', 'node-spanning'],
    ['not a release', undefined],
    [undefined, undefined],
  ] as const) {
    test(`${release}`, () => {
      const choice = chooseVariant(release, ['sync_mode', 'verify_compress']);
      assert.equal(choice.variant, variant);
      assert.notEqual(choice.source, '');
    });
  }

  test('the attributes of the batching patches count more than the release', () => {
    for (const name of ['g_comp_wqs_per_iaa', 'distribute_comps', 'distribute_decomps']) {
      assert.equal(chooseVariant('6.15.0-rc1', [name]).variant, 'package');
    }
    assert.equal(chooseVariant('6.12.0', ['g_wqs_per_iaa']).variant, undefined);
  });
});

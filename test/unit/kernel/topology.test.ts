import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Finding } from '../../../src/discover/inventory.js';
import { parseCpuList, readTopology } from '../../../src/kernel/topology.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

describe('parseCpuList', () => {
  for (const [text, cpus] of [
    ['0\n', [0]],
    ['0-3,8\n', [0, 1, 2, 3, 8]],
    ['2,4-5', [2, 4, 5]],
    ['\n', []],
    ['', []],
  ] as const) {
    test(JSON.stringify(text), () => assert.deepEqual(parseCpuList(text, '/x'), cpus));
  }

  for (const text of [
    'a\n',
    '3-1\n',
    '0,0\n',
    '4,1\n',
    '0-\n',
    '0,,1\n',
    '0-3 \n',
    '0-99999\n',
    '99999999999\n',
  ]) {
    test(`malformed ${JSON.stringify(text)}`, () =>
      assert.throws(() => parseCpuList(text, '/x'), parseErrorAt('/x', undefined)));
  }

  test('reads back any set', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 300 })), (set) => {
        const cpus = [...set].sort((a, b) => a - b);
        const ranges: [number, number][] = [];
        for (const cpu of cpus) {
          const range = ranges.at(-1);
          if (range?.[1] === cpu - 1) range[1] = cpu;
          else ranges.push([cpu, cpu]);
        }
        const text = ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
        assert.deepEqual(parseCpuList(`${text}\n`, '/x'), cpus);
      }),
    );
  });
});

describe('readTopology', () => {
  const files = {
    '/sys/devices/system/cpu/possible': '0-7\n',
    '/sys/devices/system/cpu/online': '0-1,3\n',
    '/sys/devices/system/cpu/cpu0/topology/physical_package_id': '0\n',
    '/sys/devices/system/cpu/cpu1/topology/physical_package_id': '1\n',
    '/sys/devices/system/cpu/cpu3/topology/physical_package_id': '-1\n',
    '/sys/devices/system/node/online': '0,2\n',
    '/sys/devices/system/node/node0/cpulist': '0,2-3\n',
    '/sys/devices/system/node/node2/cpulist': '1\n',
    '/sys/devices/system/node/node3/cpulist': '\n',
  };

  test('good: an offline CPU, an unknown package, a node without CPUs', async () => {
    const findings: Finding[] = [];
    assert.deepEqual(await readTopology(new MemoryHost(files), findings), {
      possible: [0, 1, 2, 3, 4, 5, 6, 7],
      online: [0, 1, 3],
      packageOf: { 0: 0, 1: 1 },
      nodeOf: { 0: 0, 1: 2, 3: 0 },
    });
    assert.deepEqual(findings, []);
  });

  test('absent', async () => {
    const findings: Finding[] = [];
    const empty = { possible: [], online: [], packageOf: {}, nodeOf: {} };
    assert.deepEqual(await readTopology(new MemoryHost(), findings), empty);
    assert.deepEqual(findings, []);
  });

  for (const path of [
    '/sys/devices/system/cpu/possible',
    '/sys/devices/system/cpu/online',
    '/sys/devices/system/cpu/cpu1/topology/physical_package_id',
    '/sys/devices/system/node/node2/cpulist',
  ]) {
    test(`malformed ${path} is one finding`, async () => {
      const findings: Finding[] = [];
      await readTopology(new MemoryHost({ ...files, [path]: 'junk\n' }), findings);
      assert.deepEqual(
        findings.map((finding) => finding.path),
        [path],
      );
    });
  }
});

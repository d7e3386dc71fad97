import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCounters } from '../../../src/discover/counters.js';
import type { Finding, ThpSize } from '../../../src/discover/inventory.js';
import { MemoryHost } from '../../support/memory-host.js';

const directory = '/sys/kernel/mm/transparent_hugepage';
const sizes: ThpSize[] = [
  { name: '16kB', bytes: 16_384, enabled: 'never' },
  { name: '64kB', bytes: 65_536, enabled: 'always' },
];
const inventory = { thp: { enabled: 'always', defrag: 'madvise', pmdSizeBytes: 2_097_152, sizes } };

test('good', async () => {
  const findings: Finding[] = [];
  const host = new MemoryHost({
    '/proc/vmstat': 'zswpout 9007199254740993\n',
    [`${directory}/hugepages-64kB/stats/zswpout`]: '12\n',
    [`${directory}/khugepaged/full_scans`]: '3\n',
    [`${directory}/khugepaged/pages_collapsed`]: '4\n',
  });
  assert.deepEqual(await readCounters(host, inventory, findings), {
    vmstat: new Map([['zswpout', 9_007_199_254_740_993n]]),
    folios: new Map([['64kB', new Map([['zswpout', 12n]])]]),
    khugepaged: { fullScans: 3, pagesCollapsed: 4 },
  });
  assert.deepEqual(findings, []);
});

test('absent', async () => {
  const findings: Finding[] = [];
  assert.deepEqual(await readCounters(new MemoryHost(), { thp: undefined }, findings), {
    vmstat: undefined,
    folios: new Map(),
    khugepaged: { fullScans: undefined, pagesCollapsed: undefined },
  });
  assert.deepEqual(findings, []);
});

test('malformed: a finding each, and the rest is there', async () => {
  const findings: Finding[] = [];
  const host = new MemoryHost({
    '/proc/vmstat': 'junk\n',
    [`${directory}/hugepages-16kB/stats/zswpout`]: 'x\n',
    [`${directory}/hugepages-64kB/stats/zswpout`]: '12\n',
    [`${directory}/khugepaged/full_scans`]: '-3\n',
  });
  const { vmstat, folios } = await readCounters(host, inventory, findings);
  assert.equal(vmstat, undefined);
  assert.deepEqual(
    folios,
    new Map([
      ['16kB', new Map()],
      ['64kB', new Map([['zswpout', 12n]])],
    ]),
  );
  assert.deepEqual(
    findings.map((finding) => finding.path),
    ['/proc/vmstat', `${directory}/hugepages-16kB/stats/zswpout`, `${directory}/khugepaged/full_scans`],
  );
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import {
  parseSizeNames,
  readKhugepaged,
  readThp,
  readThpStats,
  thpSizeEnabled,
  thpSizeStat,
  thpSwitch,
} from '../../../src/kernel/thp.js';
import { MemoryHost } from '../../support/memory-host.js';

const files = {
  [thpSwitch('enabled')]: 'always [madvise] never\n',
  [thpSwitch('defrag')]: 'always defer defer+madvise [madvise] never\n',
  [thpSwitch('hpage_pmd_size')]: '2097152\n',
  [thpSizeEnabled('64kB')]: '[always] inherit madvise never\n',
  [thpSizeEnabled('2048kB')]: 'always [inherit] madvise never\n',
  [thpSizeEnabled('16kB')]: 'always inherit madvise [never]\n',
};

test('good', async () => {
  const findings: Finding[] = [];
  assert.deepEqual(await readThp(new MemoryHost(files), findings), {
    enabled: 'madvise',
    defrag: 'madvise',
    pmdSizeBytes: 2_097_152,
    sizes: [
      { name: '16kB', bytes: 16_384, enabled: 'never' },
      { name: '64kB', bytes: 65_536, enabled: 'always' },
      { name: '2048kB', bytes: 2_097_152, enabled: 'inherit' },
    ],
  });
  assert.deepEqual(findings, []);
});

test('absent: no huge pages, and a kernel before the sizes', async () => {
  const findings: Finding[] = [];
  assert.equal(await readThp(new MemoryHost(), findings), undefined);
  const old = await readThp(new MemoryHost({ [thpSwitch('enabled')]: '[always] madvise never\n' }), findings);
  assert.deepEqual(old, { enabled: 'always', defrag: undefined, pmdSizeBytes: undefined, sizes: [] });
  assert.deepEqual(findings, []);
});

for (const [path, garbage] of [
  [thpSwitch('enabled'), 'always madvise never\n'],
  [thpSwitch('defrag'), ''],
  [thpSwitch('hpage_pmd_size'), '2 MiB\n'],
  [thpSizeEnabled('64kB'), '[]\n'],
] as const) {
  test(`malformed ${path} is one finding and the rest is there`, async () => {
    const findings: Finding[] = [];
    const thp = await readThp(new MemoryHost({ ...files, [path]: garbage }), findings);
    assert.deepEqual(
      findings.map((finding) => finding.path),
      [path],
    );
    const values = [thp?.enabled, thp?.defrag, thp?.pmdSizeBytes, thp?.sizes[1]?.enabled];
    assert.equal(values.filter((value) => value === undefined).length, 1);
    assert.equal(thp?.sizes[2]?.enabled, 'inherit');
  });
}

test('sizes are in order of bytes; other names are no sizes', () => {
  const names = [
    'hugepages-1024kB',
    'hugepages-64kB',
    'hugepages-xkB',
    'hugepages-0kB',
    'enabled',
    'hugepages-8',
  ];
  assert.deepEqual(
    parseSizeNames(names).map((size) => size.name),
    ['64kB', '1024kB'],
  );
});

describe("a size's counters", () => {
  test('good', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({
      [thpSizeStat('64kB', 'zswpout')]: '4029802\n',
      [thpSizeStat('64kB', 'nr_anon')]: '-1\n',
    });
    assert.deepEqual(
      [...((await readThpStats(host, '64kB', findings)) ?? [])],
      [
        ['nr_anon', -1n],
        ['zswpout', 4_029_802n],
      ],
    );
    assert.deepEqual(findings, []);
  });

  test('absent', async () => assert.equal(await readThpStats(new MemoryHost(files), '64kB', []), undefined));

  test('malformed', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({
      [thpSizeStat('64kB', 'zswpout')]: '4\n',
      [thpSizeStat('64kB', 'swpout')]: 'x\n',
    });
    assert.deepEqual([...((await readThpStats(host, '64kB', findings)) ?? [])], [['zswpout', 4n]]);
    assert.deepEqual(
      findings.map((finding) => finding.path),
      [thpSizeStat('64kB', 'swpout')],
    );
  });
});

describe('khugepaged', () => {
  const scans = thpSwitch('khugepaged/full_scans');
  const collapsed = thpSwitch('khugepaged/pages_collapsed');

  test('good and absent', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({ [scans]: '12\n' });
    assert.deepEqual(await readKhugepaged(host, findings), { fullScans: 12, pagesCollapsed: undefined });
    assert.deepEqual(findings, []);
  });

  test('malformed', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({ [scans]: '12\n', [collapsed]: 'none\n' });
    assert.deepEqual(await readKhugepaged(host, findings), { fullScans: 12, pagesCollapsed: undefined });
    assert.deepEqual(
      findings.map((finding) => finding.path),
      [collapsed],
    );
  });
});

/** What the doctor reads of the platform: lockdown, IOMMU, PCI, modules, huge pages, zram. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { readHugetlb } from '../../../src/kernel/hugetlb.js';
import { iommuMode, parameterWords, readIommuUnits } from '../../../src/kernel/iommu.js';
import { parseSecureBoot, readLockdown, secureBootPath } from '../../../src/kernel/lockdown.js';
import { readModule } from '../../../src/kernel/modules.js';
import { findPciFunctions } from '../../../src/kernel/pci.js';
import { compareVersions, isWithin, parseRelease } from '../../../src/kernel/release.js';
import { readZram } from '../../../src/kernel/zram.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const lockdownPath = '/sys/kernel/security/lockdown';

describe('lockdown and Secure Boot', () => {
  test('good', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({
      [lockdownPath]: 'none [integrity] confidentiality\n',
      [secureBootPath]: '\u0006\u0000\u0000\u0000\u0001',
    });
    assert.deepEqual(await readLockdown(host, findings), { mode: 'integrity', secureBoot: true });
    assert.deepEqual(findings, []);
    assert.equal(parseSecureBoot('\u0006\u0000\u0000\u0000\u0000', '/x'), false);
  });

  test('absent', async () => {
    const findings: Finding[] = [];
    assert.deepEqual(await readLockdown(new MemoryHost(), findings), {
      mode: undefined,
      secureBoot: undefined,
    });
    assert.deepEqual(findings, []);
  });

  test('malformed', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({ [lockdownPath]: 'integrity\n', [secureBootPath]: '\u0001' });
    await readLockdown(host, findings);
    assert.deepEqual(
      findings.map(({ path }) => path),
      [lockdownPath, secureBootPath],
    );
    assert.throws(
      () => parseSecureBoot('\u0006\u0000\u0000\u0000\u0002', '/x'),
      parseErrorAt('/x', undefined),
    );
  });
});

describe('IOMMU', () => {
  test('units', async () => {
    const host = new MemoryHost();
    assert.equal(await readIommuUnits(host, []), undefined);
    host.directories.add('/sys/class/iommu');
    assert.deepEqual(await readIommuUnits(host, []), []);
    for (const name of ['dmar0', 'dmar11', 'ivhd0']) host.links.set(`/sys/class/iommu/${name}`, '..');
    assert.deepEqual(await readIommuUnits(host, []), ['dmar0', 'dmar11']);
  });

  for (const [units, cmdline, pasid, mode] of [
    [undefined, 'intel_iommu=on,sm_on', false, 'unseen'],
    [[], 'intel_iommu=off', false, 'off'],
    [['dmar0'], '', false, 'on'],
    [['dmar0'], '', true, 'scalable'],
    [['dmar0'], 'quiet intel_iommu=on,sm_on', false, 'scalable'],
    [['dmar0'], 'intel_iommu=on,sm_on intel_iommu=sm_off', false, 'legacy'],
    [['dmar0'], 'not_intel_iommu=sm_on', false, 'on'],
  ] as const) {
    test(`${units} '${cmdline}' ${pasid} is ${mode}`, () =>
      assert.equal(iommuMode(units, cmdline, pasid), mode));
  }

  test('the last of a parameter counts', () => {
    assert.deepEqual(parameterWords('a=1 b=2,3 a=4', 'a'), ['4']);
    assert.deepEqual(parameterWords('b=2', 'a'), []);
  });
});

test('PCI functions by id', async () => {
  const host = new MemoryHost();
  assert.equal(await findPciFunctions(host, [], '8086:0cfe'), undefined);
  for (const [address, device] of [
    ['0000:e7:02.0', '0x0cfe'],
    ['0000:6a:01.0', '0x0b25'],
    ['0000:6a:02.0', '0x0cfe'],
  ]) {
    host.files.set(`/sys/bus/pci/devices/${address}/vendor`, '0x8086\n');
    host.files.set(`/sys/bus/pci/devices/${address}/device`, `${device}\n`);
  }
  host.files.set('/sys/bus/pci/devices/0000:00:00.0/vendor', '0x1022\n');
  host.files.set('/sys/bus/pci/devices/0000:00:00.0/device', '0x0cfe\n');
  host.directories.add('/sys/bus/pci/devices/0000:00:01.0');
  assert.deepEqual(await findPciFunctions(host, [], '8086:0cfe'), ['0000:6a:02.0', '0000:e7:02.0']);
  assert.deepEqual(await findPciFunctions(host, [], '8086:0b25'), ['0000:6a:01.0']);
});

test('modules and their parameters', async () => {
  const host = new MemoryHost({
    '/sys/module/idxd/parameters/sva': 'N\n',
    '/sys/module/idxd/parameters/tc_override': 'N\n',
    '/sys/module/zsmalloc/initstate': 'live\n',
  });
  assert.deepEqual(await readModule(host, [], 'idxd'), { sva: 'N', tc_override: 'N' });
  assert.deepEqual(await readModule(host, [], 'zsmalloc'), {});
  assert.equal(await readModule(host, [], 'iaa_crypto'), undefined);
  const findings: Finding[] = [];
  host.failNext('read', '/sys/module/idxd/parameters/sva', 'EACCES');
  assert.deepEqual(await readModule(host, findings, 'idxd'), { tc_override: 'N' });
  assert.equal(findings.length, 1);
});

test('pools of huge pages', async () => {
  const directory = '/sys/kernel/mm/hugepages';
  const host = new MemoryHost({
    [`${directory}/hugepages-1048576kB/nr_hugepages`]: '0\n',
    [`${directory}/hugepages-1048576kB/free_hugepages`]: '0\n',
    [`${directory}/hugepages-2048kB/nr_hugepages`]: '512\n',
    [`${directory}/hugepages-2048kB/free_hugepages`]: 'some\n',
  });
  const findings: Finding[] = [];
  assert.deepEqual(await readHugetlb(host, findings), [
    { name: '2048kB', bytes: 2_097_152, pages: 512, freePages: undefined },
    { name: '1048576kB', bytes: 1_073_741_824, pages: 0, freePages: 0 },
  ]);
  assert.deepEqual(
    findings.map(({ path }) => path),
    [`${directory}/hugepages-2048kB/free_hugepages`],
  );
  assert.deepEqual(await readHugetlb(new MemoryHost(), []), []);
});

test('zram devices', async () => {
  const host = new MemoryHost({
    '/sys/block/zram0/comp_algorithm': 'lzo zstd [deflate-iaa]\n',
    '/sys/block/zram0/disksize': '1073741824\n',
    '/sys/block/zram1/comp_algorithm': 'lzo\n',
    '/sys/block/zram1/disksize': '0\n',
    '/sys/block/sda/size': '1\n',
  });
  const findings: Finding[] = [];
  assert.deepEqual(await readZram(host, findings), [
    { name: 'zram0', compressor: 'deflate-iaa', sizeBytes: 1_073_741_824 },
    { name: 'zram1', compressor: undefined, sizeBytes: 0 },
  ]);
  assert.deepEqual(
    findings.map(({ path }) => path),
    ['/sys/block/zram1/comp_algorithm'],
  );
});

describe('releases', () => {
  for (const [release, version] of [
    ['6.18.33', [6, 18, 33]],
    ['7.3.4+deb14-amd64', [7, 3, 4]],
    ['6.8.0-45-generic', [6, 8, 0]],
    ['7.1-rc3', [7, 1, 0]],
    ['6.18.44-fc-v669', [6, 18, 44]],
    ['7', undefined],
    ['', undefined],
    ['6.x.1', undefined],
    ['6.18.33mine', undefined],
  ] as const) {
    test(JSON.stringify(release), () => assert.deepEqual(parseRelease(release), version));
  }

  test('order and ranges', () => {
    assert.ok(compareVersions([6, 9, 0], [6, 18, 0]) < 0);
    assert.equal(compareVersions([6, 18, 3], [6, 18, 3]), 0);
    const range = { from: [6, 8, 0], before: [6, 8, 9] } as const;
    assert.deepEqual(
      (
        [
          [6, 7, 99],
          [6, 8, 0],
          [6, 8, 8],
          [6, 8, 9],
        ] as const
      ).map((version) => isWithin(version, range)),
      [false, true, true, false],
    );
    assert.equal(isWithin([99, 0, 0], { from: [6, 8, 0], before: undefined }), true);
  });
});

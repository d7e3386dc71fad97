import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import {
  identityPaths,
  kernelConfigPath,
  parseCpuinfo,
  parseKernelConfig,
  readIdentity,
} from '../../../src/kernel/identity.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const cpuinfo = (flags: string): string =>
  `processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Platinum 8480+\nmicrocode\t: 0x2b000603\nflags\t\t: ${flags}\n` +
  'bugs\t\t:\npower management:\n\nprocessor\t: 1\nmodel name\t: another\n\n';

const release = '7.3.4+deb13-amd64';
const files = {
  [identityPaths.release]: `${release}\n`,
  [identityPaths.version]: 'Linux version 7.3.4+deb13-amd64 (debian-kernel@lists.debian.org) #1 SMP\n',
  [identityPaths.cmdline]: 'console=ttyS0 intel_iommu=on,sm_on\n',
  [identityPaths.bootId]: '7e6c5f3c-0c3f-4f0e-8d5c-2f4b1f6f6f0a\n',
  [identityPaths.machineId]: '0123456789abcdef0123456789abcdef\n',
  [identityPaths.clocksource]: 'tsc\n',
  [identityPaths.lruGen]: '0x0007\n',
  [identityPaths.cpuinfo]: cpuinfo('fpu vme movdir64b enqcmd'),
  [kernelConfigPath(release)]:
    '#\n# Automatically generated\n#\nCONFIG_ZSWAP=y\n# CONFIG_ZSWAP_DEFAULT_ON is not set\nCONFIG_NET=y\n' +
    'CONFIG_ZSWAP_COMPRESSOR_DEFAULT="lzo"\nCONFIG_SWAP=y\n\nCONFIG_CRYPTO_DEV_IAA_CRYPTO=m\nCONFIG_HZ=250\n',
};

test('good', async () => {
  const findings: Finding[] = [];
  assert.deepEqual(await readIdentity(new MemoryHost(files), findings), {
    source: 'hardware',
    kernel: {
      release,
      version: 'Linux version 7.3.4+deb13-amd64 (debian-kernel@lists.debian.org) #1 SMP',
      cmdline: 'console=ttyS0 intel_iommu=on,sm_on',
      config: {
        CONFIG_ZSWAP: 'y',
        CONFIG_ZSWAP_DEFAULT_ON: 'n',
        CONFIG_ZSWAP_COMPRESSOR_DEFAULT: '"lzo"',
        CONFIG_SWAP: 'y',
        CONFIG_CRYPTO_DEV_IAA_CRYPTO: 'm',
      },
      bootId: '7e6c5f3c-0c3f-4f0e-8d5c-2f4b1f6f6f0a',
      machineId: '0123456789abcdef0123456789abcdef',
      cpuModel: 'Intel(R) Xeon(R) Platinum 8480+',
      microcode: '0x2b000603',
      clocksource: 'tsc',
      lruGen: '0x0007',
    },
  });
  assert.deepEqual(findings, []);
});

test('absent: nothing is claimed but that it may be virtual', async () => {
  const findings: Finding[] = [];
  const { kernel, source } = await readIdentity(new MemoryHost(), findings);
  assert.deepEqual(
    Object.entries(kernel).filter(([, value]) => value !== undefined),
    [],
  );
  assert.equal(source, 'emulated');
  assert.deepEqual(
    findings.map((finding) => finding.path),
    [identityPaths.cpuinfo],
  );
});

for (const [path, garbage] of [
  [identityPaths.release, '7.3\u001b[31m\n'],
  [identityPaths.version, 'two\nlines\n'],
  [identityPaths.cmdline, '\u0000'],
  [identityPaths.bootId, 'a\u0007b\n'],
  [identityPaths.machineId, '\ufffd\n'],
  [identityPaths.clocksource, '\u009b\n'],
  [identityPaths.lruGen, 'y\n'],
  [identityPaths.cpuinfo, 'junk\n'],
  [kernelConfigPath(release), 'CONFIG_ZSWAP=y\njunk\n'],
] as const) {
  test(`malformed ${path} is one finding`, async () => {
    const findings: Finding[] = [];
    await readIdentity(new MemoryHost({ ...files, [path]: garbage }), findings);
    assert.deepEqual(
      findings.map((finding) => finding.path),
      [path],
    );
  });
}

test('a release that is no file name leads nowhere', async () => {
  const host = new MemoryHost({ ...files, [identityPaths.release]: '../../etc/passwd\n' });
  assert.equal((await readIdentity(host, [])).kernel.config, undefined);
});

describe('source', () => {
  for (const [flags, source] of [
    ['fpu hypervisor vme', 'emulated'],
    ['fpu vme', 'hardware'],
    ['fpu nohypervisor', 'hardware'],
  ] as const) {
    test(flags, async () => {
      const host = new MemoryHost({ ...files, [identityPaths.cpuinfo]: cpuinfo(flags) });
      assert.equal((await readIdentity(host, [])).source, source);
    });
  }

  test('a cpuinfo without flags, as other architectures have it, is not taken for hardware', async () => {
    const host = new MemoryHost({ ...files, [identityPaths.cpuinfo]: 'processor\t: 0\n\n' });
    const findings: Finding[] = [];
    assert.equal((await readIdentity(host, findings)).source, 'emulated');
    assert.equal(findings.length, 1);
  });
});

describe('parseCpuinfo', () => {
  test('only the first processor counts', () => {
    const { model, microcode, flags } = parseCpuinfo(cpuinfo('a b'));
    assert.deepEqual(
      [model, microcode, [...flags]],
      ['Intel(R) Xeon(R) Platinum 8480+', '0x2b000603', ['a', 'b']],
    );
  });

  test('absent fields', () => {
    const { model, microcode, flags } = parseCpuinfo('processor\t: 0\n');
    assert.deepEqual([model, microcode, flags.size], [undefined, undefined, 0]);
  });

  test('malformed', () =>
    assert.throws(
      () => parseCpuinfo('processor\t: 0\nmodel name\n'),
      parseErrorAt(identityPaths.cpuinfo, 2),
    ));
});

test('parseKernelConfig names the line', () => {
  assert.throws(
    () => parseKernelConfig('# x\nCONFIG_ZSWAP\n', '/boot/config-x'),
    parseErrorAt('/boot/config-x', 2),
  );
});

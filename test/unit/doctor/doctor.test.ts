import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { renderDiagnoses } from '../../../src/cli/doctor.js';
import type { Diagnosis, Severity } from '../../../src/doctor/diagnosis.js';
import { examine } from '../../../src/doctor/doctor.js';
import { devicesDirectory, type IaaMachineOptions, iaaMachine } from '../../support/iaa-machine.js';
import type { MemoryHost } from '../../support/memory-host.js';
import { smallMachine } from '../../support/small-machine.js';

const driver = '/sys/bus/dsa/drivers/crypto';

/** A machine that lacks nothing: IAA, swap, zswap, THP, cgroup v2, a mainline driver with all its files. */
function soundMachine(options: IaaMachineOptions = {}): MemoryHost {
  const host = iaaMachine({ devices: ['iax1', 'iax3', 'iax5', 'iax7'], coresPerPackage: 8, ...options });
  for (const [path, text] of smallMachine().files) {
    if (!host.files.has(path) && !path.startsWith('/sys/devices/system')) host.files.set(path, text);
  }
  for (const [path, text] of Object.entries({
    '/sys/module/idxd/parameters/sva': 'Y\n',
    '/sys/module/idxd/parameters/tc_override': 'N\n',
    '/sys/module/iaa_crypto/initstate': 'live\n',
    '/sys/bus/pci/devices/0000:6a:02.0/vendor': '0x8086\n',
    '/sys/bus/pci/devices/0000:6a:02.0/device': '0x0cfe\n',
    '/sys/class/iommu/dmar0/intel-iommu/version': '6:0\n',
    '/sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
    '/proc/kallsyms':
      '0000000000000000 t zswap_store_pages\n0000000000000000 T crypto_acomp_batch_compress\t[crypto]\n',
    '/proc/1/comm': 'init\n',
    '/sys/kernel/debug/iaa_crypto/global_stats': 'global stats:\n  total_comp_calls: 1\n',
  })) {
    host.files.set(path, text);
  }
  for (const name of ['iax1', 'iax3', 'iax5', 'iax7']) {
    if (host.files.has(`${devicesDirectory}/${name}/state`)) {
      host.files.set(`${devicesDirectory}/${name}/pasid_enabled`, '1\n');
    }
  }
  return host;
}

async function diagnosesOf(host: MemoryHost): Promise<readonly Diagnosis[]> {
  return (await examine(host)).diagnoses;
}

/** `severity check` of all that is not in order. */
function complaints(diagnoses: readonly Diagnosis[]): string[] {
  return diagnoses
    .filter(({ severity }) => severity !== 'ok')
    .map(({ severity, check }) => `${severity} ${check}`);
}

/** What a sound machine has to hear all the same: mainline's -EEXIST, and verify_compress being on. */
const always = ['note driver.verify_compress', 'note kernel.re-enable'];

test('a sound machine', async () => {
  const diagnoses = await diagnosesOf(soundMachine());
  assert.deepEqual(complaints(diagnoses), always);
  const fine = diagnoses.filter(({ severity }) => severity === 'ok').map(({ check }) => check);
  assert.deepEqual(fine, [
    'cpu.movdir64b',
    'cpu.enqcmd',
    'iommu.mode',
    'modules.idxd',
    'modules.iaa_crypto',
    'devices.packages',
    'devices.numbers',
    'algorithm',
    'kernel.batching',
    'kernel.mapping',
    'swap',
    'zswap',
    'debugfs',
    'statistics',
    'lockdown',
    'cgroup',
    'daemons',
  ]);
});

/** One thing is changed on a sound machine, and exactly this is said of it. */
const changes: readonly {
  readonly name: string;
  readonly options?: IaaMachineOptions;
  readonly change?: (host: MemoryHost) => void;
  readonly expected: readonly string[];
  /** The whole message or a part of it, of the first complaint expected. */
  readonly says?: RegExp;
  /** Notes of a sound machine that are not there. */
  readonly without?: readonly string[];
}[] = [
  {
    name: 'no MOVDIR64B and no ENQCMD',
    change: (host) => host.files.set('/proc/cpuinfo', 'processor\t: 0\nmodel name\t: Old\nflags\t\t: fpu\n'),
    expected: ['problem cpu.movdir64b', 'note cpu.enqcmd'],
  },
  {
    name: 'unknown flags',
    change: (host) => host.files.delete('/proc/cpuinfo'),
    expected: ['warning cpu.flags'],
  },
  {
    name: 'IOMMU off',
    change: (host) => {
      withoutPasid(host);
      host.files.delete('/sys/class/iommu/dmar0/intel-iommu/version');
      host.directories.add('/sys/class/iommu');
    },
    expected: ['note iommu.mode'],
    says: /is off/,
  },
  {
    name: 'no IOMMU shown',
    change: (host) => {
      withoutPasid(host);
      host.files.delete('/sys/class/iommu/dmar0/intel-iommu/version');
    },
    expected: ['note iommu.mode'],
    says: /shows no IOMMU/,
  },
  {
    name: 'IOMMU in legacy mode',
    change: (host) => {
      withoutPasid(host);
      host.files.set('/proc/cmdline', 'intel_iommu=on,sm_on intel_iommu=on,sm_off\n');
    },
    expected: ['note iommu.mode'],
    says: /legacy/,
  },
  {
    name: 'IOMMU on, in a mode that nothing shows',
    change: withoutPasid,
    expected: ['note iommu.mode'],
    says: /no device shows scalable mode/,
  },
  {
    name: 'scalable mode asked for',
    change: (host) => {
      withoutPasid(host);
      host.files.set('/proc/cmdline', 'quiet intel_iommu=on,sm_on\n');
    },
    expected: [],
  },
  {
    name: 'options of idxd',
    change: (host) => {
      host.files.set('/sys/module/idxd/parameters/sva', 'N\n');
      host.files.set('/sys/module/idxd/parameters/tc_override', 'Y\n');
    },
    expected: ['note modules.idxd-options', 'note modules.idxd-options'],
  },
  {
    name: 'iaa_crypto is not loaded',
    options: { driverAttributes: undefined, wqs: 0 },
    change: (host) => {
      host.files.delete('/sys/module/iaa_crypto/initstate');
      host.files.delete('/sys/kernel/debug/iaa_crypto/global_stats');
    },
    expected: ['warning modules.iaa_crypto', 'note devices.wqs'],
    without: ['note driver.verify_compress'],
  },
  {
    name: 'a package with fewer devices',
    options: { devices: ['iax1', 'iax3', 'iax5'] },
    expected: ['warning devices.packages'],
    says: /package 0: iax1 iax3; package 1: iax5/,
  },
  {
    name: 'numbers that do not follow the packages',
    change: (host) => {
      host.files.set(`${devicesDirectory}/iax1/numa_node`, '1\n');
      host.files.set(`${devicesDirectory}/iax7/numa_node`, '0\n');
    },
    expected: ['warning devices.order'],
  },
  {
    name: 'numa_node -1',
    change: (host) => {
      for (const name of ['iax1', 'iax3', 'iax5', 'iax7']) {
        host.files.set(`${devicesDirectory}/${name}/numa_node`, '-1\n');
      }
    },
    expected: ['warning devices.numa_node'],
    says: /iax1 iax3 iax5 iax7/,
  },
  {
    name: 'a halted device with an error and a failed command',
    change: (host) => {
      host.files.set(`${devicesDirectory}/iax3/state`, 'halted\n');
      host.files.set(`${devicesDirectory}/iax3/errors`, '0x1 0x0 0x0 0x0\n');
      host.files.set(`${devicesDirectory}/iax3/cmd_status`, '0x800d0000\n');
    },
    expected: ['problem devices.state', 'warning devices.errors', 'warning devices.cmd_status'],
    says: /iax3 is halted/,
  },
  {
    name: 'a command that failed before the WQs were enabled, on two devices',
    change: (host) => {
      host.files.set(`${devicesDirectory}/iax3/cmd_status`, '0x80200000\n');
      host.files.set(`${devicesDirectory}/iax5/cmd_status`, '0x80200000\n');
    },
    expected: ['note devices.cmd_status'],
    says: /0x80200000; iax3 iax5/,
  },
  {
    name: 'engines in no group',
    change: (host) => {
      for (let engine = 1; engine < 8; engine++) {
        host.files.set(`${devicesDirectory}/iax5/engine5.${engine}/group_id`, '-1\n');
      }
    },
    expected: ['warning devices.engines'],
    says: /iax5 uses 1 of 8/,
  },
  {
    name: 'a WQ of somebody else',
    change: (host) => {
      host.links.set(`${devicesDirectory}/iax5/wq5.3/driver`, '../../../../../bus/dsa/drivers/user');
      host.files.set(`${devicesDirectory}/iax5/wq5.3/clients`, '2\n');
    },
    expected: ['warning devices.owners'],
    says: /wq5\.3 \(user, 2 clients\)/,
  },
  {
    name: 'a self-test that did not pass',
    change: (host) =>
      host.files.set('/proc/crypto', (host.files.get('/proc/crypto') ?? '').replace('passed', 'unknown')),
    expected: ['problem algorithm.selftest'],
  },
  {
    name: 'WQs bound and no algorithm',
    change: (host) => host.files.set('/proc/crypto', ''),
    expected: ['problem algorithm'],
    says: /not registered/,
  },
  {
    name: 'interrupts for completions',
    change: (host) => {
      host.files.set(`${driver}/sync_mode`, 'async_irq\n');
      host.files.set(`${driver}/verify_compress`, '0\n');
    },
    expected: ['note driver.sync_mode'],
    without: ['note driver.verify_compress'],
  },
  {
    name: 'a kernel that does not batch',
    change: (host) => host.files.set('/proc/kallsyms', '0000000000000000 t zswap_store\n'),
    expected: ['warning kernel.batching'],
    says: /does not compress in batches/,
  },
  {
    name: 'a kernel that does not show its symbols',
    change: (host) => host.files.delete('/proc/kallsyms'),
    expected: ['note kernel.batching'],
    says: /not known/,
  },
  {
    name: 'a driver with the patches and no symbols',
    options: {
      driverAttributes: {
        verify_compress: '0',
        g_comp_wqs_per_iaa: '0',
        distribute_comps: '1',
        distribute_decomps: '1',
      },
    },
    change: (host) => host.files.delete('/proc/kallsyms'),
    expected: ['note kernel.batching'],
    says: /the driver has g_comp_wqs_per_iaa, distribute_comps and distribute_decomps/,
    without: always,
  },
  {
    name: 'the faulty mapping of 6.16',
    options: { release: '6.17.4' },
    expected: ['warning kernel.mapping'],
    says: /no CPU compresses with iax5 and iax7/,
  },
  {
    name: 'the faulty mapping before any WQ is bound',
    options: { release: '7.0.9', wqs: 0 },
    expected: ['warning kernel.mapping', 'note devices.wqs'],
    says: /^with all devices in use no CPU compresses with iax5 and iax7/,
  },
  {
    name: 'the repaired 6.18',
    options: { release: '6.18.33' },
    expected: [],
  },
  {
    name: 'three devices in two packages leave one out',
    options: {
      devices: ['iax1', 'iax3', 'iax9'],
      driverAttributes: {
        verify_compress: '0',
        g_comp_wqs_per_iaa: '0',
        distribute_comps: '1',
        distribute_decomps: '1',
      },
    },
    expected: ['warning devices.packages', 'warning kernel.mapping'],
    without: always,
  },
  {
    name: 'a mapping that is not known',
    options: { driverAttributes: { verify_compress: '0', g_wqs_per_iaa: '1' } },
    expected: ['note kernel.mapping'],
    without: ['note driver.verify_compress'],
  },
  {
    name: 'the oops of 6.8',
    options: { release: '6.8.0-45-generic' },
    expected: ['warning kernel.unbind-oops'],
    says: /can oops/,
  },
  {
    name: 'a release that is none',
    options: { release: 'mine' },
    expected: ['note kernel.mapping', 'note kernel.release'],
    without: ['note kernel.re-enable'],
  },
  {
    name: 'no swap',
    change: (host) => host.files.set('/proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'),
    expected: ['problem swap'],
  },
  {
    name: 'swap on zram',
    change: (host) =>
      host.files.set('/proc/swaps', (host.files.get('/proc/swaps') ?? '').replace('/dev/vda', '/dev/zram0')),
    expected: ['warning swap.zram'],
  },
  {
    name: 'no zswap',
    change: (host) => deleteBelow(host, '/sys/module/zswap'),
    expected: ['problem zswap'],
  },
  {
    name: 'zswap that did not set itself up',
    change: (host) => host.files.set('/sys/module/zswap/parameters/enabled', 'Y\n'),
    expected: ['problem zswap'],
  },
  {
    name: 'no THP',
    change: (host) => deleteBelow(host, '/sys/kernel/mm/transparent_hugepage'),
    expected: ['warning thp'],
  },
  {
    name: 'debugfs is not mounted',
    change: (host) => {
      deleteBelow(host, '/sys/kernel/debug');
      host.files.set(
        '/proc/self/mountinfo',
        (host.files.get('/proc/self/mountinfo') ?? '').replace('debugfs debugfs', 'tmpfs tmpfs'),
      );
    },
    expected: ['warning debugfs'],
  },
  {
    name: 'statistics that were not built',
    change: (host) => host.files.delete('/sys/kernel/debug/iaa_crypto/global_stats'),
    expected: ['note statistics'],
    says: /keeps no statistics/,
  },
  {
    name: 'lockdown and Secure Boot',
    change: (host) => {
      host.files.set('/sys/kernel/security/lockdown', 'none [integrity] confidentiality\n');
      host.files.set(
        '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c',
        '\u0006\u0000\u0000\u0000\u0001',
      );
      host.failNext('read', '/sys/kernel/debug/iaa_crypto/global_stats', 'EPERM');
    },
    expected: ['warning lockdown', 'note statistics', 'note secure-boot'],
  },
  {
    name: 'no cgroup v2',
    change: (host) =>
      host.files.set(
        '/proc/self/mountinfo',
        (host.files.get('/proc/self/mountinfo') ?? '').replaceAll('cgroup2', 'tmpfs'),
      ),
    expected: ['problem cgroup'],
  },
  {
    name: 'no memory controller',
    change: (host) => host.files.set('/sys/fs/cgroup/cgroup.controllers', 'cpu\n'),
    expected: ['problem cgroup'],
  },
  {
    name: 'daemons that interfere',
    change: (host) => {
      for (const [pid, name] of ['tuned', 'power-profiles-', 'systemd-oomd'].entries()) {
        host.files.set(`/proc/${100 + pid}/comm`, `${name}\n`);
      }
    },
    expected: ['warning daemons.tuners', 'warning daemons.oom'],
    says: /^running: tuned and power-profiles-$/,
  },
  {
    name: 'processes that were not captured',
    change: (host) => host.files.delete('/proc/1/comm'),
    expected: ['note daemons'],
  },
  {
    name: 'a malformed file',
    change: (host) => host.files.set('/proc/sys/vm/swappiness', 'sixty\n'),
    expected: ['warning files'],
  },
];

function withoutPasid(host: MemoryHost): void {
  for (const name of ['iax1', 'iax3', 'iax5', 'iax7']) {
    host.files.set(`${devicesDirectory}/${name}/pasid_enabled`, '0\n');
  }
}

function deleteBelow(host: MemoryHost, directory: string): void {
  for (const path of [...host.files.keys()]) {
    if (path.startsWith(`${directory}/`)) host.files.delete(path);
  }
}

describe('one thing is wrong', () => {
  for (const { name, options, change, expected, says, without = [] } of changes) {
    test(name, async () => {
      const host = soundMachine(options);
      change?.(host);
      const diagnoses = await diagnosesOf(host);
      const allowed = always.filter((each) => !without.includes(each));
      assert.deepEqual(complaints(diagnoses).sort(), [...expected, ...allowed].sort());
      const first = diagnoses.find(({ severity, check }) => `${severity} ${check}` === expected[0]);
      if (says !== undefined) assert.match(first?.message ?? '', says);
    });
  }
});

describe('no IAA', () => {
  /** A sound machine whose bus, driver and device are taken away. */
  function withoutIaa(): MemoryHost {
    const host = soundMachine({ devices: [], driverAttributes: undefined, dsaDevices: [] });
    host.directories.delete(devicesDirectory);
    for (const module of ['idxd', 'iaa_crypto']) deleteBelow(host, `/sys/module/${module}`);
    deleteBelow(host, '/sys/bus/pci/devices/0000:6a:02.0');
    host.files.set('/sys/bus/pci/devices/0000:00:00.0/vendor', '0x8086\n');
    host.files.set('/sys/bus/pci/devices/0000:00:00.0/device', '0x1237\n');
    host.files.delete('/sys/kernel/debug/iaa_crypto/global_stats');
    return host;
  }

  for (const [name, change, expected, says] of [
    ['no device at all', () => {}, 'note devices', /there is no IAA device/],
    [
      'a device, and idxd is not loaded',
      (host: MemoryHost) => {
        host.files.set('/sys/bus/pci/devices/0000:00:00.0/device', '0x0cfe\n');
      },
      'problem modules.idxd',
      /there are 1 IAA devices/,
    ],
    [
      'a device that idxd did not take',
      (host: MemoryHost) => {
        host.files.set('/sys/bus/pci/devices/0000:00:00.0/device', '0x0cfe\n');
        host.directories.add(devicesDirectory);
      },
      'problem devices',
      /none of the 1 IAA devices/,
    ],
    [
      'a tree without a PCI bus',
      (host: MemoryHost) => deleteBelow(host, '/sys/bus/pci/devices'),
      'note devices',
      /whether there are IAA devices is not known/,
    ],
  ] as const) {
    test(name, async () => {
      const host = withoutIaa();
      change(host);
      const diagnoses = await diagnosesOf(host);
      const found = diagnoses.find(({ severity, check }) => `${severity} ${check}` === expected);
      assert.match(found?.message ?? '', says);
      assert.ok(!complaints(diagnoses).includes('note iommu.mode') || found !== undefined);
    });
  }
});

test('a machine of nothing is examined too', async () => {
  const host = smallMachine();
  const diagnoses = await diagnosesOf(host);
  const rank: readonly Severity[] = ['problem', 'warning', 'note', 'ok'];
  const ranks = diagnoses.map(({ severity }) => rank.indexOf(severity));
  assert.deepEqual(ranks, [...ranks].sort(), 'worst first');
  for (const { path, message, meaning } of diagnoses) {
    assert.match(path, /^\//);
    assert.ok(message !== '' && meaning !== '', message);
  }
});

test('what is to be mended has a mend', async () => {
  for (const { options, change } of changes) {
    const host = soundMachine(options);
    change?.(host);
    for (const { severity, mend, message } of await diagnosesOf(host)) {
      if (severity === 'problem' || severity === 'warning') assert.notEqual(mend ?? '', '', message);
      if (severity === 'ok') assert.equal(mend, undefined, message);
    }
  }
});

test('for people: counts, what is wrong, and in one list what is not', () => {
  const text = renderDiagnoses([
    { check: 'a', severity: 'problem', path: '/a', message: 'A', meaning: 'B', mend: 'C' },
    { check: 'b', severity: 'note', path: '/b', message: 'D\u001b[2J', meaning: 'E', mend: undefined },
    { check: 'c', severity: 'ok', path: '/c', message: 'F', meaning: 'G', mend: undefined },
  ]);
  assert.equal(
    text,
    `1 problem, 0 warnings, 1 note

problem: A
  at:    /a
  means: B
  mend:  C

note: D\\x1b[2J
  at:    /b
  means: E

in order:
  F: G`,
  );
});

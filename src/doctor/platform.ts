/** Checks on the processor, the IOMMU, lockdown, cgroups and daemons. */
import type { Inventory } from '../discover/inventory.js';
import { hostPath } from '../host/path.js';
import { identityPaths } from '../kernel/identity.js';
import { iommuUnits } from '../kernel/iommu.js';
import { lockdownPath, secureBootPath } from '../kernel/lockdown.js';
import { cgroupFile } from '../kernel/memcg.js';
import { mountinfoPath } from '../kernel/mountinfo.js';
import { procDirectory } from '../kernel/processes.js';
import { type Diagnosis, enumerate, inOrder } from './diagnosis.js';
import type { Facts } from './facts.js';

export function checkProcessor({ cpuFlags }: Facts): Diagnosis[] {
  const path = identityPaths.cpuinfo;
  if (cpuFlags === undefined || cpuFlags.size === 0) {
    return [
      {
        check: 'cpu.flags',
        severity: 'warning',
        path,
        message: 'the flags of the processor are not known',
        meaning: 'whether it has MOVDIR64B and ENQCMD cannot be said',
        mend: 'see that /proc is mounted and that a captured tree holds this file',
      },
    ];
  }
  return [
    cpuFlags.has('movdir64b')
      ? inOrder('cpu.movdir64b', path, 'the processor has MOVDIR64B', 'idxd can load')
      : {
          check: 'cpu.movdir64b',
          severity: 'problem',
          path,
          message: 'the processor has no MOVDIR64B',
          meaning: 'the idxd driver refuses to load (ENODEV), so there is no IAA here',
          mend: 'use Sapphire Rapids or newer; in a guest, pass the flag movdir64b on',
        },
    cpuFlags.has('enqcmd')
      ? inOrder(
          'cpu.enqcmd',
          path,
          'the processor has ENQCMD',
          'shared WQs are possible if the IOMMU allows them',
        )
      : {
          check: 'cpu.enqcmd',
          severity: 'note',
          path,
          message: 'the processor has no ENQCMD',
          meaning: 'shared WQs cannot be enabled; iaa_crypto works with dedicated ones',
          mend: "if shared WQs are wanted: turn on 'PCIe ENQCMD > ENQCMDS' in the firmware's set-up",
        },
  ];
}

export function checkIommu({ iommu }: Facts): Diagnosis {
  const check = 'iommu.mode';
  const path = iommuUnits;
  const scalable = 'if shared or user WQs are wanted: boot with intel_iommu=on,sm_on';
  const fromFirmware = `${scalable}, with VT-d on in the firmware's set-up`;
  const note = (message: string, mend: string): Diagnosis => ({
    check,
    severity: 'note',
    path,
    message,
    meaning: 'dedicated WQs only, without PASIDs: enough for iaa_crypto',
    mend,
  });
  switch (iommu) {
    case 'scalable':
      return inOrder(check, path, 'the IOMMU is in scalable mode', 'dedicated and shared WQs, for users too');
    case 'unseen':
      return note('the kernel shows no IOMMU', fromFirmware);
    case 'off':
      return note('the IOMMU is off', fromFirmware);
    case 'legacy':
      return note('the IOMMU is in legacy mode', scalable);
    case 'on':
      return note('the IOMMU is on, and no device shows scalable mode', scalable);
  }
}

export function checkLockdown({ lockdown }: Facts): Diagnosis[] {
  const diagnoses: Diagnosis[] = [];
  if (lockdown.mode !== undefined) {
    diagnoses.push(
      lockdown.mode === 'none'
        ? inOrder('lockdown', lockdownPath, 'no kernel lockdown', 'debugfs is open to root')
        : {
            check: 'lockdown',
            severity: 'warning',
            path: lockdownPath,
            message: `the kernel is locked down (${lockdown.mode})`,
            meaning: 'the statistics of iaa_crypto are closed to root too, and only signed modules load',
            mend: 'boot without lockdown= and with Secure Boot off, if the statistics are wanted',
          },
    );
  }
  if (lockdown.secureBoot === true) {
    diagnoses.push({
      check: 'secure-boot',
      severity: 'note',
      path: secureBootPath,
      message: 'Secure Boot is on',
      meaning: 'most distributions lock the kernel down then, and it loads only signed modules',
      mend: "sign modules of your own, or turn Secure Boot off in the firmware's set-up",
    });
  }
  return diagnoses;
}

export function checkCgroups({ cgroup, findings }: Inventory): Diagnosis {
  const check = 'cgroup';
  const path =
    cgroup.mount === undefined ? mountinfoPath : cgroupFile(hostPath(cgroup.mount), 'cgroup.controllers');
  if (cgroup.mount === undefined || !cgroup.controllers.includes('memory')) {
    const found = findings.find((finding) => finding.path === path);
    return {
      check,
      severity: 'problem',
      path,
      message: found?.message ?? 'there is no cgroup v2 with the memory controller',
      meaning: 'no workload can be put under memory.high: run and apply refuse',
      mend: found?.mend ?? 'boot without cgroup_disable=memory, and without memory in cgroup v1',
    };
  }
  const owner = cgroup.systemd
    ? 'managed by systemd: workloads run in a scope that it delegates'
    : 'managed by nobody: workloads run in groups made directly below the root';
  return inOrder(check, path, 'cgroup v2 with the memory controller', owner);
}

/** Daemons that change what an experiment sets, or end what it runs; the kernel cuts names after 15 bytes. */
const daemons: Readonly<Record<string, 'tuner' | 'killer'>> = {
  tuned: 'tuner',
  'tuned-ppd': 'tuner',
  'power-profiles-': 'tuner',
  'systemd-oomd': 'killer',
  earlyoom: 'killer',
};

export function checkDaemons({ processes }: Facts): Diagnosis[] {
  if (processes.size === 0) {
    return [
      {
        check: 'daemons',
        severity: 'note',
        path: procDirectory,
        message: 'which processes run is not known',
        meaning: 'daemons that change settings or end programs during a run cannot be told',
        mend: undefined,
      },
    ];
  }
  const running = (kind: 'tuner' | 'killer'): string[] =>
    Object.keys(daemons).filter((name) => daemons[name] === kind && processes.has(name));
  const diagnoses: Diagnosis[] = [];
  const tuners = running('tuner');
  if (tuners.length > 0) {
    diagnoses.push({
      check: 'daemons.tuners',
      severity: 'warning',
      path: procDirectory,
      message: `running: ${enumerate(tuners)}`,
      meaning: 'may change CPU frequencies, huge pages and sysctls during a run',
      mend: `stop for the time of the run: systemctl stop ${tuners.map(unitOf).join(' ')}`,
    });
  }
  const killers = running('killer');
  if (killers.length > 0) {
    diagnoses.push({
      check: 'daemons.oom',
      severity: 'warning',
      path: procDirectory,
      message: `running: ${enumerate(killers)}`,
      meaning: 'may kill the workload when it swaps, as it is meant to',
      mend: `stop for the time of the run: systemctl stop ${killers.map(unitOf).join(' ')}`,
    });
  }
  if (diagnoses.length > 0) return diagnoses;
  return [
    inOrder('daemons', procDirectory, 'no known tuning or OOM daemon runs', 'settings stay as they are set'),
  ];
}

function unitOf(name: string): string {
  return name === 'power-profiles-' ? 'power-profiles-daemon' : name;
}

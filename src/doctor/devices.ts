/** Checks on the IAA devices, their WQs and engines, and the drivers. */
import type { IaaState, IdxdDevice, Inventory } from '../discover/inventory.js';
import { iaaAttribute, iaaDriver, iaaDriverDirectory } from '../kernel/iaa-crypto.js';
import { dsaDevices, idxdDeviceAttribute } from '../kernel/idxd-device.js';
import { moduleDirectory } from '../kernel/modules.js';
import { iaaPciId, pciDevices } from '../kernel/pci.js';
import { procCryptoPath } from '../kernel/proc-crypto.js';
import { type Diagnosis, enumerate, inOrder } from './diagnosis.js';
import type { Facts } from './facts.js';

export function checkModules(inventory: Inventory, facts: Facts): Diagnosis[] {
  const { idxd, iaaCrypto } = facts.modules;
  const hasIaa = (facts.iaaFunctions?.length ?? 0) > 0;
  const diagnoses: Diagnosis[] = [];
  if (inventory.iaa === undefined) {
    if (!hasIaa) return [];
    return [
      {
        check: 'modules.idxd',
        severity: 'problem',
        path: moduleDirectory('idxd'),
        message: `the idxd driver is not loaded, and there are ${facts.iaaFunctions?.length} IAA devices`,
        meaning: 'no IAA device can be used',
        mend: 'modprobe idxd; if that fails, dmesg says why',
      },
    ];
  }
  diagnoses.push(
    inOrder('modules.idxd', moduleDirectory('idxd'), 'idxd is loaded', 'devices can be configured'),
  );
  if (idxd?.['sva'] === 'N') {
    diagnoses.push({
      check: 'modules.idxd-options',
      severity: 'note',
      path: `${moduleDirectory('idxd')}/parameters/sva`,
      message: 'idxd was loaded with sva=0',
      meaning: 'no shared virtual memory: user WQs and shared WQs with PASIDs are not possible',
      mend: 'none for iaa_crypto; else take sva=0 out of /etc/modprobe.d and the kernel command line',
    });
  }
  if (idxd?.['tc_override'] === 'Y') {
    diagnoses.push({
      check: 'modules.idxd-options',
      severity: 'note',
      path: `${moduleDirectory('idxd')}/parameters/tc_override`,
      message: 'idxd was loaded with tc_override=1',
      meaning: 'traffic classes of groups can be changed, also to values that the hardware does worse with',
      mend: 'take tc_override=1 out of /etc/modprobe.d and the kernel command line',
    });
  }
  if (iaaCrypto === undefined && inventory.iaa.driverAttributes === undefined) {
    diagnoses.push({
      check: 'modules.iaa_crypto',
      severity: inventory.iaa.devices.length > 0 ? 'warning' : 'note',
      path: iaaDriverDirectory,
      message: 'iaa_crypto is not loaded',
      meaning: 'there is no deflate-iaa for zswap',
      mend: 'modprobe iaa_crypto; a kernel without it needs CONFIG_CRYPTO_DEV_IAA_CRYPTO',
    });
  } else {
    diagnoses.push(
      inOrder('modules.iaa_crypto', iaaDriverDirectory, 'iaa_crypto is loaded', 'WQs can be bound to it'),
    );
  }
  return diagnoses;
}

export function checkDevices(inventory: Inventory, facts: Facts): Diagnosis[] {
  const { iaa } = inventory;
  if (iaa === undefined || iaa.devices.length === 0) return checkAbsence(iaa, facts);
  return [
    ...checkPlaces(iaa, inventory),
    ...checkNumbers(iaa),
    ...iaa.devices.flatMap((device) => checkHealth(device)),
    ...checkCommands(iaa),
    ...checkEngines(iaa),
    ...checkOwners(iaa),
  ];
}

function checkAbsence(iaa: IaaState | undefined, facts: Facts): Diagnosis[] {
  const count = facts.iaaFunctions?.length ?? 0;
  if (count > 0 && iaa === undefined) return [];
  if (count > 0) {
    return [
      {
        check: 'devices',
        severity: 'problem',
        path: pciDevices,
        message: `idxd has none of the ${count} IAA devices on the PCI bus (${facts.iaaFunctions?.join(' ')})`,
        meaning: 'no IAA device can be used',
        mend: 'see in dmesg why idxd did not take them; a guest program (vfio-pci) may have them',
      },
    ];
  }
  if (facts.iaaFunctions === undefined && iaa === undefined) {
    return [
      {
        check: 'devices',
        severity: 'note',
        path: pciDevices,
        message: 'whether there are IAA devices is not known: idxd is not loaded, and no PCI bus is shown',
        meaning: 'deflate-iaa cannot be used as it is',
        mend: 'modprobe idxd; for a captured tree, capture /sys/bus/pci/devices too',
      },
    ];
  }
  return [
    {
      check: 'devices',
      severity: 'note',
      path: pciDevices,
      message: `there is no IAA device (PCI id ${iaaPciId})`,
      meaning: 'software compressors can be measured here, deflate-iaa cannot',
      mend: 'on a machine that should have some: turn them on in the firmware, per socket; some models are sold without; to try deflate-iaa without any, --host model:spr-2s is a modelled machine',
    },
  ];
}

/** Devices by package, and those of which the package is not known. */
function checkPlaces(iaa: IaaState, inventory: Inventory): Diagnosis[] {
  const diagnoses: Diagnosis[] = [];
  const packages = [...new Set(Object.values(inventory.cpu.packageOf))].sort((a, b) => a - b);
  const namesIn = (id: number): string[] =>
    iaa.devices.filter(({ packageId }) => packageId === id).map(({ name }) => name);
  const lost = iaa.devices.filter(({ numaNode }) => numaNode === -1);
  if (lost.length > 0) {
    diagnoses.push({
      check: 'devices.numa_node',
      severity: 'warning',
      path: idxdDeviceAttribute(lost[0]?.name ?? '', 'numa_node'),
      message: `numa_node is -1: ${lost.map(({ name }) => name).join(' ')}`,
      meaning: 'the firmware does not say in which package the device is; its memory may come from far away',
      mend: `update the firmware; until then: echo NODE > ${pciDevices}/${lost[0]?.pciAddress ?? 'ADDRESS'}/numa_node`,
    });
  }
  if (iaa.devices.every(({ packageId }) => packageId === undefined)) return diagnoses;
  const places = packages.map((id) => `package ${id}: ${namesIn(id).join(' ') || 'none'}`).join('; ');
  const counts = new Set(packages.map((id) => namesIn(id).length));
  diagnoses.push(
    counts.size === 1
      ? inOrder('devices.packages', dsaDevices, places, 'as many in each package')
      : {
          check: 'devices.packages',
          severity: 'warning',
          path: dsaDevices,
          message: places,
          meaning: 'packages have different numbers of devices: some CPUs use devices of another package',
          mend: 'turn the same number on for each socket in the firmware, or use only as many of each',
        },
  );
  const order = iaa.devices.flatMap(({ packageId }) => (packageId === undefined ? [] : [packageId]));
  if (order.some((id, index) => id < (order[index - 1] ?? id))) {
    diagnoses.push({
      check: 'devices.order',
      severity: 'warning',
      path: dsaDevices,
      message: `the numbers of the devices do not follow the packages (${places})`,
      meaning:
        'the driver maps by the order in which devices are bound: bound by number, packages get far devices',
      mend: 'bind the devices package by package',
    });
  }
  return diagnoses;
}

function checkNumbers(iaa: IaaState): Diagnosis[] {
  if (iaa.dsaDevices.length === 0) return [];
  const names = iaa.devices.map(({ name }) => name);
  return [
    inOrder(
      'devices.numbers',
      dsaDevices,
      `IAA ${names.join(' ')} beside DSA ${iaa.dsaDevices.join(' ')}`,
      'one counter numbers both: the numbers depend on which are turned on',
    ),
  ];
}

function checkHealth(device: IdxdDevice): Diagnosis[] {
  const diagnoses: Diagnosis[] = [];
  if (device.state === 'halted') {
    diagnoses.push({
      check: 'devices.state',
      severity: 'problem',
      path: idxdDeviceAttribute(device.name, 'state'),
      message: `${device.name} is halted`,
      meaning: 'the hardware stopped after an error: what it holds is lost to its users',
      mend: `unbind ${device.name} when nothing uses it, reset the function or reboot; dmesg has the error`,
    });
  }
  if (device.errorBits !== undefined && device.errorBits.length > 0) {
    diagnoses.push({
      check: 'devices.errors',
      severity: 'warning',
      path: idxdDeviceAttribute(device.name, 'errors'),
      message: `${device.name} has reported an error (bits ${device.errorBits.join(' ')})`,
      meaning: 'a descriptor was malformed or could not be done',
      mend: 'see dmesg for its code; it is cleared when the device is bound anew',
    });
  }
  return diagnoses;
}

/** cmd_status stays until the next failure: it tells of the past once the device's WQs work. */
function checkCommands(iaa: IaaState): Diagnosis[] {
  const failed = iaa.devices.filter(({ commandStatus }) => (commandStatus?.code ?? 0) !== 0);
  const works = ({ name, state }: IdxdDevice): boolean =>
    state === 'enabled' && iaa.wqs.some((wq) => wq.device === name && wq.driver !== undefined);
  return [true, false].flatMap((working): Diagnosis[] => {
    const devices = failed.filter((device) => works(device) === working);
    const codes = [...new Set(devices.map(({ commandStatus }) => commandStatus?.code ?? 0))];
    return codes.map((code) => {
      const same = devices.filter(({ commandStatus }) => commandStatus?.code === code);
      const text = same[0]?.commandStatus?.text ?? '';
      return {
        check: 'devices.cmd_status',
        severity: working ? 'note' : 'warning',
        path: idxdDeviceAttribute(same[0]?.name ?? '', 'cmd_status'),
        message: `a command failed: ${text} (0x${code.toString(16)}; ${same.map(({ name }) => name).join(' ')})`,
        meaning: working
          ? 'a device or WQ could not be enabled or disabled once; its WQs work since'
          : 'the device or one of its WQs could not be enabled or disabled',
        mend: working ? undefined : 'mend its configuration; any write to this file clears it',
      };
    });
  });
}

/** Older kernels put one of eight engines into the group of their default configuration. */
function checkEngines(iaa: IaaState): Diagnosis[] {
  const idle = iaa.devices.flatMap((device) => {
    if (device.state !== 'enabled') return [];
    const engines = iaa.engines.filter((engine) => engine.device === device.name);
    const grouped = engines.filter(({ groupId }) => groupId !== undefined && groupId >= 0).length;
    return grouped < engines.length ? [{ name: device.name, grouped, of: engines.length }] : [];
  });
  if (idle.length === 0) return [];
  return [
    {
      check: 'devices.engines',
      severity: 'warning',
      path: idxdDeviceAttribute(idle[0]?.name ?? '', 'state'),
      message: `engines in no group: ${idle.map(({ name, grouped, of }) => `${name} uses ${grouped} of ${of}`).join(', ')}`,
      meaning: 'the device works with a part of its engines only',
      mend: 'put every engine into the group of the WQs before the device is enabled; the default configuration of older kernels has one only',
    },
  ];
}

function checkOwners(iaa: IaaState): Diagnosis[] {
  const others = iaa.wqs.filter(({ driver }) => driver !== undefined && driver !== iaaDriver);
  const diagnoses: Diagnosis[] = [];
  if (others.length > 0) {
    diagnoses.push({
      check: 'devices.owners',
      severity: 'warning',
      path: dsaDevices,
      message: `WQs of other drivers: ${others.map(({ name, driver, clients }) => `${name} (${driver}, ${clients ?? '?'} clients)`).join(', ')}`,
      meaning: 'somebody else uses these devices; configuring them anew would end that',
      mend: 'leave them out of the experiment, or ask their owner to release them',
    });
  }
  const bound = iaa.wqs.filter(({ driver }) => driver === iaaDriver);
  if (bound.length === 0) {
    diagnoses.push({
      check: 'devices.wqs',
      severity: 'note',
      path: iaaDriverDirectory,
      message: 'no WQ is bound to iaa_crypto',
      meaning: 'there is no deflate-iaa until one is',
      mend: 'modprobe iaa_crypto while the devices have their default configuration, or configure and bind WQs',
    });
  }
  return diagnoses;
}

/** The algorithm that zswap gets: registered when the first WQ is bound, after the kernel's own test. */
export function checkAlgorithm({ iaa, compressors }: Inventory): Diagnosis[] {
  if (iaa === undefined || compressors === undefined) return [];
  const ours = compressors.filter(({ module }) => module === 'iaa_crypto');
  const bound = iaa.wqs.some(({ driver }) => driver === iaaDriver);
  if (ours.length === 0) {
    if (!bound) return [];
    return [
      {
        check: 'algorithm',
        severity: 'problem',
        path: procCryptoPath,
        message: 'WQs are bound to iaa_crypto, and deflate-iaa is not registered',
        meaning: 'zswap cannot use it; registration fails with -EEXIST after all WQs were unbound once',
        mend: 'unbind the WQs, rmmod iaa_crypto, modprobe iaa_crypto and bind them again; dmesg has the error',
      },
    ];
  }
  const failed = ours.filter(({ selftest }) => selftest !== 'passed');
  if (failed.length > 0) {
    return [
      {
        check: 'algorithm.selftest',
        severity: 'problem',
        path: procCryptoPath,
        message: `not passed: the self-test of ${enumerate(failed.map(({ driver }) => driver))}`,
        meaning: 'the kernel does not give it to zswap',
        mend: "see dmesg for 'alg:'",
      },
    ];
  }
  const uses = ours.map(({ driver, refcnt }) => `${driver} (references ${refcnt})`).join(', ');
  return [inOrder('algorithm', procCryptoPath, `registered, self-test passed: ${uses}`, 'zswap can use it')];
}

export function checkDriverSettings({ iaa }: Inventory): Diagnosis[] {
  const attributes = iaa?.driverAttributes;
  if (attributes === undefined) return [];
  const diagnoses: Diagnosis[] = [];
  if (attributes['verify_compress'] === '1') {
    diagnoses.push({
      check: 'driver.verify_compress',
      severity: 'note',
      path: iaaAttribute('verify_compress'),
      message: 'verify_compress is on',
      meaning: 'every compressed page is decompressed once more to compare checksums: twice the work',
      mend: 'set it to 0 while no WQ is bound (EBUSY else) if speed is to be measured',
    });
  }
  if (attributes['sync_mode'] === 'async_irq') {
    diagnoses.push({
      check: 'driver.sync_mode',
      severity: 'note',
      path: iaaAttribute('sync_mode'),
      message: 'sync_mode is async_irq',
      meaning: 'each completion takes an interrupt, which is slower than polling',
      mend: 'set sync or async while no WQ is bound (EBUSY else)',
    });
  }
  return diagnoses;
}

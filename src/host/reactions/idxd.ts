/**
 * idxd's devices, work queues, engines and groups (drivers/dma/idxd/sysfs.c and device.c; what the hardware itself
 * refuses: the IAA specification's command status codes). All of its state is in the attributes and the links
 * named `driver`.
 */

import { log } from './kernel-log.js';
import { kstrto, kstrtobool, sysfsStreq } from './parsing.js';
import { type Draft, type Errno, nameOf, parentOf, realPath } from './tree.js';
import { variantOf } from './variant.js';

export const busDevices = '/sys/bus/dsa/devices';
export const busDrivers = '/sys/bus/dsa/drivers';

/** Codes that cmd_status gives: those with the highest bit are the driver's (include/uapi/linux/idxd.h). */
const status = {
  deviceEnabled: 0x8000_0010,
  groupNotSet: 0x8003_0000,
  nameNotSet: 0x8004_0000,
  noSvm: 0x8005_0000,
  thresholdNotSet: 0x8006_0000,
  noSharedWq: 0x800c_0000,
  noWqs: 0x800d_0000,
  noIommuForUser: 0x8011_0000,
  driverNameNotSet: 0x8020_0000,
  sizesOutOfRange: 0x14,
  groupIncomplete: 0x15,
  sizeZero: 0x22,
  priorityZero: 0x23,
} as const;

// drivers/dma/idxd/idxd.h and registers.h
const maxPriority = 15n;
const wqNameSize = 1024;
const driverNameSize = 128;
const defaultQueueDepth = 16;
const defaultMaxTransferBytes = 2 ** 21;
const defaultEnqcmdsRetries = 32;
const maxEnqcmdsRetries = 64n;
const secondVersion = 0x200;
const eventLogEntries = { least: 64n, most: 65_535n };

/** A device and what belongs to it. */
export interface IdxdDevice {
  /** As `iax1`. */
  readonly name: string;
  readonly type: 'iax' | 'dsa';
  /** Real path. */
  readonly path: string;
}

/** A device's work queue. */
export interface WorkQueue {
  /** As `wq1.0`. */
  readonly name: string;
  readonly path: string;
  readonly device: IdxdDevice;
}

function childrenOf(draft: Draft, device: IdxdDevice, kind: 'wq' | 'engine' | 'group'): string[] {
  const number = device.name.slice(3);
  return draft
    .list(device.path)
    .filter((name) => name.startsWith(`${kind}${number}.`))
    .sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]))
    .map((name) => `${device.path}/${name}`);
}

/** All devices, by ascending number: the order the bus has them in. */
export function devicesOf(draft: Draft): IdxdDevice[] {
  return draft
    .list(busDevices)
    .flatMap((name) => deviceNamed(draft, name) ?? [])
    .sort((a, b) => Number(a.name.slice(3)) - Number(b.name.slice(3)));
}

function deviceNamed(draft: Draft, name: string): IdxdDevice | undefined {
  if (!/^(iax|dsa)\d+$/.test(name)) return undefined;
  const real = realPath(draft, `${busDevices}/${name}`);
  return typeof real === 'string'
    ? undefined
    : { name, type: name.slice(0, 3) as 'iax' | 'dsa', path: real.path };
}

/** A device's work queues, by ascending number. */
export function wqsOf(draft: Draft, device: IdxdDevice): WorkQueue[] {
  return childrenOf(draft, device, 'wq').map((path) => ({ name: nameOf(path), path, device }));
}

function wqNamed(draft: Draft, name: string): WorkQueue | undefined {
  const number = /^wq(\d+)\.\d+$/.exec(name)?.[1];
  if (number === undefined) return undefined;
  const device = deviceNamed(draft, `iax${number}`) ?? deviceNamed(draft, `dsa${number}`);
  return device && wqsOf(draft, device).find((wq) => wq.name === name);
}

/** Name of the driver that a device or work queue is bound to. */
export function driverOf(draft: Draft, path: string): string | undefined {
  const real = realPath(draft, `${path}/driver`);
  return typeof real === 'string' ? undefined : nameOf(real.path);
}

function attach(draft: Draft, path: string, driver: string): void {
  const real = realPath(draft, `${busDrivers}/${driver}`);
  if (typeof real === 'string') return;
  draft.link(`${path}/driver`, real.path);
  draft.link(`${real.path}/${nameOf(path)}`, path);
}

function detach(draft: Draft, path: string, driver: string): void {
  draft.remove(`${path}/driver`);
  draft.remove(`${busDrivers}/${driver}/${nameOf(path)}`);
}

function isConfigurable(draft: Draft, device: IdxdDevice): boolean {
  return draft.value(`${device.path}/configurable`) === '1';
}

function isEnabled(draft: Draft, path: string): boolean {
  return draft.value(`${path}/state`) === 'enabled';
}

function number(draft: Draft, path: string): number {
  return Number(draft.value(path));
}

function setStatus(draft: Draft, device: IdxdDevice, code: number): void {
  // %#x prints 0 without 0x.
  draft.write(`${device.path}/cmd_status`, `0x${code.toString(16)}\n`);
}

/** Shared work queues need ENQCMD and a PASID for their kind of owner, which a work queue without type has not. */
function supportsShared(draft: Draft, wq: WorkQueue): boolean {
  return (
    draft.value(`${wq.path}/type`) !== 'none' &&
    draft.value(`${wq.device.path}/pasid_enabled`) === '1' &&
    /^flags\s*:.* enqcmd( |$)/m.test(draft.text('/proc/cpuinfo') ?? '')
  );
}

function isShared(draft: Draft, wq: WorkQueue): boolean {
  return draft.value(`${wq.path}/mode`) === 'shared';
}

/** The names that a group's files show: from the group_id of each work queue and engine. */
function showGroups(draft: Draft, device: IdxdDevice): void {
  const wqs = childrenOf(draft, device, 'wq');
  const engines = childrenOf(draft, device, 'engine');
  for (const group of childrenOf(draft, device, 'group')) {
    const id = group.split('.').at(-1);
    const inIt = (path: string): boolean => draft.value(`${path}/group_id`) === id;
    const line = (paths: string[]): string => {
      const names = paths.filter(inIt).map(nameOf);
      return names.length === 0 ? '' : `${names.join(' ')}\n`;
    };
    draft.writeIfThere(`${group}/work_queues`, line(wqs));
    draft.writeIfThere(`${group}/engines`, line(engines));
  }
}

/** What a work queue loses when it is disabled (idxd_wq_disable_cleanup). */
function resetWq(draft: Draft, wq: WorkQueue): void {
  const { path, device } = wq;
  draft.write(`${path}/state`, 'disabled\n');
  draft.write(`${path}/type`, 'none\n');
  draft.write(`${path}/name`, '\n');
  draft.write(`${path}/priority`, '0\n');
  setMode(draft, path, 'shared');
  draft.writeIfThere(`${path}/threshold`, '0\n');
  draft.writeIfThere(`${path}/block_on_fault`, '0\n');
  draft.writeIfThere(`${path}/ats_disable`, '0\n');
  draft.writeIfThere(`${path}/prs_disable`, '0\n');
  draft.writeIfThere(`${path}/enqcmds_retries`, `${defaultEnqcmdsRetries}\n`);
  draft.writeIfThere(`${path}/max_transfer_size`, `${defaultMaxTransferBytes}\n`);
  const operations = draft.text(`${device.path}/op_cap`);
  if (operations !== undefined) draft.writeIfThere(`${path}/op_config`, operations);
}

/** enqcmds_retries answers EOPNOTSUPP on a dedicated work queue; a tree says that by not having the file. */
function setMode(draft: Draft, wqPath: string, mode: 'dedicated' | 'shared'): void {
  draft.write(`${wqPath}/mode`, `${mode}\n`);
  const retries = `${wqPath}/enqcmds_retries`;
  if (mode === 'dedicated') draft.remove(retries);
  else if (!draft.has(retries)) draft.write(retries, `${defaultEnqcmdsRetries}\n`);
}

/** What the driver and then the hardware say of a device's configuration when it is enabled. */
function refusalOfConfiguration(draft: Draft, device: IdxdDevice): { code: number | undefined } | undefined {
  const wqs = wqsOf(draft, device).filter((wq) => number(draft, `${wq.path}/group_id`) >= 0);
  for (const wq of wqs) {
    if (isShared(draft, wq) && !supportsShared(draft, wq)) return { code: status.noSharedWq };
  }
  if (wqs.length === 0) return { code: status.noWqs };
  const engines = childrenOf(draft, device, 'engine').filter(
    (path) => number(draft, `${path}/group_id`) >= 0,
  );
  return engines.length === 0 ? { code: undefined } : undefined;
}

function refusalOfHardware(draft: Draft, device: IdxdDevice): number | undefined {
  const sizes = wqsOf(draft, device).map((wq) => number(draft, `${wq.path}/size`));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > number(draft, `${device.path}/max_work_queues_size`)) return status.sizesOutOfRange;
  const groupsOf = (kind: 'wq' | 'engine'): Set<number> =>
    new Set(
      childrenOf(draft, device, kind)
        .map((path) => number(draft, `${path}/group_id`))
        .filter((id) => id >= 0),
    );
  const [withWqs, withEngines] = [groupsOf('wq'), groupsOf('engine')];
  const whole = withWqs.size === withEngines.size && [...withWqs].every((id) => withEngines.has(id));
  return whole ? undefined : status.groupIncomplete;
}

/** idxd_device_drv_probe */
function bindDevice(draft: Draft, device: IdxdDevice): Errno | undefined {
  if (draft.value(`${device.path}/state`) !== 'disabled') {
    setStatus(draft, device, status.deviceEnabled);
    return 'ENXIO';
  }
  if (isConfigurable(draft, device)) {
    const refusal = refusalOfConfiguration(draft, device);
    if (refusal !== undefined) {
      if (refusal.code !== undefined) setStatus(draft, device, refusal.code);
      return 'ENXIO';
    }
    for (const { path } of wqsOf(draft, device)) {
      const grouped = number(draft, `${path}/group_id`) >= 0;
      if (grouped && number(draft, `${path}/size`) === 0 && draft.value(`${path}/type`) !== 'none') {
        draft.write(`${path}/size`, `${defaultQueueDepth}\n`);
      }
    }
  }
  const refused = refusalOfHardware(draft, device);
  setStatus(draft, device, refused ?? 0);
  if (refused !== undefined) return 'ENXIO';
  draft.write(`${device.path}/state`, 'enabled\n');
  attach(draft, device.path, 'idxd');
  return undefined;
}

/** idxd_device_drv_remove: work queues that are still bound go first; then all configuration is gone. */
function unbindDevice(draft: Draft, device: IdxdDevice, release: ReleaseWq): void {
  for (const [index, wq] of wqsOf(draft, device).entries()) {
    const driver = driverOf(draft, wq.path);
    if (driver === undefined) continue;
    log(draft, 4, `idxd ${nameOf(parentOf(device.path))}: Active wq ${index} on disable ${wq.name}.`);
    release(wq, driver);
  }
  draft.write(`${device.path}/state`, 'disabled\n');
  detach(draft, device.path, 'idxd');
  setStatus(draft, device, 0);
  if (!isConfigurable(draft, device)) return;
  for (const wq of wqsOf(draft, device)) {
    resetWq(draft, wq);
    draft.write(`${wq.path}/size`, '0\n');
    draft.write(`${wq.path}/group_id`, '-1\n');
  }
  for (const engine of childrenOf(draft, device, 'engine')) draft.write(`${engine}/group_id`, '-1\n');
  // Since version 2 the driver leaves it to the hardware, and shows -1.
  const trafficClass = number(draft, `${device.path}/version`) <= secondVersion ? 1 : -1;
  for (const group of childrenOf(draft, device, 'group')) {
    draft.writeIfThere(`${group}/traffic_class_a`, `${trafficClass}\n`);
    draft.writeIfThere(`${group}/traffic_class_b`, `${trafficClass}\n`);
    draft.writeIfThere(`${group}/desc_progress_limit`, '0\n');
    draft.writeIfThere(`${group}/batch_progress_limit`, '0\n');
  }
  showGroups(draft, device);
}

/** What comes before a work queue is enabled in the probe of each driver for them. */
function refusalByDriver(draft: Draft, wq: WorkQueue, driver: string): Errno | undefined {
  const { device } = wq;
  if (!isEnabled(draft, device.path)) return 'ENXIO';
  if (driver === 'crypto' && device.type !== 'iax') return 'ENODEV';
  if (driver === 'user' && draft.value(`${device.path}/pasid_enabled`) !== '1') {
    setStatus(draft, device, status.noIommuForUser);
    return 'EOPNOTSUPP';
  }
  // By the length of the driver's name: `crypto2` is for crypto, too.
  if (draft.value(`${wq.path}/driver_name`).startsWith(driver)) return undefined;
  setStatus(draft, device, status.driverNameNotSet);
  draft.write(`${wq.path}/type`, 'none\n');
  return 'ENODEV';
}

/** idxd_drv_enable_wq, and what the hardware says to it. */
function refusalToEnable(draft: Draft, wq: WorkQueue): number | undefined {
  const { path, device } = wq;
  if (number(draft, `${path}/group_id`) < 0) return status.groupNotSet;
  if (draft.value(`${path}/name`) === '') return status.nameNotSet;
  if (isShared(draft, wq)) {
    if (!supportsShared(draft, wq)) return status.noSvm;
    if (number(draft, `${path}/threshold`) === 0) return status.thresholdNotSet;
  }
  const others = isConfigurable(draft, device) ? refusalOfConfiguration(draft, device) : undefined;
  if (others?.code !== undefined) return others.code;
  if (number(draft, `${path}/size`) === 0) return status.sizeZero;
  return number(draft, `${path}/priority`) === 0 ? status.priorityZero : undefined;
}

const wqDrivers = ['crypto', 'dmaengine', 'user'];

/** Binds a work queue to a driver for them; the driver's own part is up to the caller. */
export function enableWq(draft: Draft, wq: WorkQueue, driver: string): Errno | undefined {
  if (driverOf(draft, wq.path) !== undefined) return 'EBUSY';
  const refusal = refusalByDriver(draft, wq, driver);
  if (refusal !== undefined) return refusal;
  draft.write(`${wq.path}/type`, driver === 'user' ? 'user\n' : 'kernel\n');
  const code = refusalToEnable(draft, wq);
  setStatus(draft, wq.device, code ?? 0);
  if (code !== undefined) {
    draft.write(`${wq.path}/type`, 'none\n');
    return 'ENXIO';
  }
  draft.write(`${wq.path}/state`, 'enabled\n');
  attach(draft, wq.path, driver);
  return undefined;
}

/** Unbinds a work queue and resets it. Clients are torn off with no more than a warning (measured on 7.3). */
export function disableWq(draft: Draft, wq: WorkQueue, driver: string): void {
  const clients = number(draft, `${wq.path}/clients`);
  if (clients > 0) {
    const id = wq.name.split('.')[1];
    log(draft, 4, `idxd ${nameOf(parentOf(wq.device.path))}: Clients has claim on wq ${id}: ${clients}`);
  }
  detach(draft, wq.path, driver);
  resetWq(draft, wq);
  draft.write(`${wq.path}/clients`, '0\n');
  draft.remove(`${wq.path}/cdev_minor`);
}

/** Unbinds a work queue from its driver, with the driver's own part. */
export type ReleaseWq = (wq: WorkQueue, driver: string) => void;

/** The own parts of the drivers for work queues. */
export interface WqDrivers {
  bind(wq: WorkQueue, driver: string): Errno | undefined;
  readonly release: ReleaseWq;
}

/** A write of `text` to bind or unbind of a driver on the bus (drivers/base/bus.c). */
export function writeToDriver(
  draft: Draft,
  driver: string,
  file: 'bind' | 'unbind',
  text: string,
  drivers: WqDrivers,
): Errno | undefined {
  const name = text.endsWith('\n') ? text.slice(0, -1) : text;
  const target = driver === 'idxd' ? deviceNamed(draft, name) : wqNamed(draft, name);
  const known = driver === 'idxd' || wqDrivers.includes(driver);
  if (target === undefined || !known) return 'ENODEV';
  const bound = driverOf(draft, target.path);
  if (file === 'bind') {
    if (bound !== undefined) return 'EBUSY';
    return 'device' in target ? drivers.bind(target, driver) : bindDevice(draft, target);
  }
  if (bound !== driver) return 'ENODEV';
  if ('device' in target) drivers.release(target, driver);
  else unbindDevice(draft, target, drivers.release);
  return undefined;
}

interface Attribute {
  readonly draft: Draft;
  readonly device: IdxdDevice;
  /** Real path of the device, work queue, engine or group. */
  readonly owner: string;
  readonly path: string;
  readonly text: string;
}

type Store = (at: Attribute) => Errno | undefined;

/** A number as idxd reads it: every mistake is EINVAL. */
function numberFrom(type: Parameters<typeof kstrto>[0], base: 0 | 10, text: string): bigint | undefined {
  const value = kstrto(type, base, text);
  return typeof value === 'bigint' ? value : undefined;
}

function storeWord(at: Attribute, words: readonly string[]): string | undefined {
  return words.find((word) => sysfsStreq(at.text, word));
}

const boolIn = (at: Attribute): boolean | Errno => kstrtobool(at.text, variantOf(at.draft));

function storeBool(at: Attribute): Errno | undefined {
  const value = boolIn(at);
  if (typeof value === 'string') return value;
  at.draft.write(at.path, value ? '1\n' : '0\n');
  return undefined;
}

const notConfigurable = (at: Attribute): boolean => !isConfigurable(at.draft, at.device);
const wqEnabled = (at: Attribute): boolean => isEnabled(at.draft, at.owner);

function storeGroup(at: Attribute, id: bigint): Errno | undefined {
  if (id < -1n || id > BigInt(number(at.draft, `${at.device.path}/max_groups`) - 1)) return 'EINVAL';
  at.draft.write(at.path, `${id}\n`);
  showGroups(at.draft, at.device);
  return undefined;
}

/** name and driver_name; a lone newline empties them. */
function storeName(at: Attribute, size: number): Errno | undefined {
  if (wqEnabled(at)) return 'EPERM';
  if (at.text.length > size) return 'EINVAL';
  at.draft.write(at.path, `${at.text.trim()}\n`);
  return undefined;
}

/** A bitmap of 256 bits in groups of 32 (lib/bitmap-str.c), as its value. */
function bitmapOf(text: string): bigint | undefined {
  if (!/^[0-9a-f]{1,8}(,[0-9a-f]{1,8}){0,7}\n?$/i.test(text)) return undefined;
  return text
    .trim()
    .split(',')
    .reduce((sum, group) => (sum << 32n) | BigInt(`0x${group}`), 0n);
}

function bitmapText(bits: bigint): string {
  const digits = bits.toString(16).padStart(64, '0');
  return `${(digits.match(/.{8}/g) ?? []).join(',')}\n`;
}

function storeMaxSize(at: Attribute, limit: string): Errno | undefined {
  if (notConfigurable(at) || wqEnabled(at)) return 'EPERM';
  const value = numberFrom('ulong', 0, at.text);
  if (value === undefined || value === 0n) return 'EINVAL';
  const rounded = 1n << BigInt((value - 1n).toString(2).length - (value === 1n ? 1 : 0));
  if (rounded > BigInt(at.draft.value(`${at.device.path}/${limit}`))) return 'EINVAL';
  at.draft.write(at.path, `${rounded}\n`);
  return undefined;
}

const wqStores: Readonly<Record<string, Store>> = {
  mode(at) {
    if (notConfigurable(at) || wqEnabled(at)) return 'EPERM';
    const mode = storeWord(at, ['dedicated', 'shared']);
    if (mode === undefined) return 'EINVAL';
    setMode(at.draft, at.owner, mode as 'dedicated' | 'shared');
    if (mode === 'dedicated') at.draft.writeIfThere(`${at.owner}/threshold`, '0\n');
    return undefined;
  },
  size(at) {
    const value = numberFrom('ulong', 10, at.text);
    if (value === undefined) return 'EINVAL';
    if (notConfigurable(at) || isEnabled(at.draft, at.device.path)) return 'EPERM';
    const others = wqsOf(at.draft, at.device)
      .filter((wq) => wq.path !== at.owner)
      .reduce((sum, wq) => sum + BigInt(at.draft.value(`${wq.path}/size`)), 0n);
    if (others + value > BigInt(at.draft.value(`${at.device.path}/max_work_queues_size`))) return 'EINVAL';
    at.draft.write(at.path, `${value}\n`);
    return undefined;
  },
  group_id(at) {
    const value = numberFrom('long', 10, at.text);
    if (value === undefined) return 'EINVAL';
    if (notConfigurable(at) || wqEnabled(at)) return 'EPERM';
    return storeGroup(at, value);
  },
  priority(at) {
    const value = numberFrom('ulong', 10, at.text);
    if (value === undefined) return 'EINVAL';
    if (notConfigurable(at) || wqEnabled(at)) return 'EPERM';
    if (value > maxPriority) return 'EINVAL';
    at.draft.write(at.path, `${value}\n`);
    return undefined;
  },
  type(at) {
    if (wqEnabled(at)) return 'EPERM';
    const type = storeWord(at, ['none', 'kernel', 'user']);
    if (type === undefined) return 'EINVAL';
    if (type !== at.draft.value(at.path)) at.draft.write(`${at.owner}/name`, '\n');
    at.draft.write(at.path, `${type}\n`);
    return undefined;
  },
  name: (at) => storeName(at, wqNameSize),
  driver_name: (at) => storeName(at, driverNameSize),
  threshold(at) {
    const value = numberFrom('uint', 0, at.text);
    if (value === undefined || value === 0n) return 'EINVAL';
    if (value > BigInt(at.draft.value(`${at.owner}/size`))) return 'EINVAL';
    if (notConfigurable(at)) return 'EPERM';
    if (wqEnabled(at)) return 'ENXIO';
    if (at.draft.value(`${at.owner}/mode`) === 'dedicated') return 'EINVAL';
    at.draft.write(at.path, `${value}\n`);
    return undefined;
  },
  block_on_fault(at) {
    // Bit 0 of the general capabilities (GENCAP).
    if ((BigInt(at.draft.value(`${at.device.path}/gen_cap`)) & 1n) === 0n) return 'EOPNOTSUPP';
    if (notConfigurable(at)) return 'EPERM';
    if (wqEnabled(at)) return 'ENXIO';
    if (boolIn(at) === true && at.draft.value(`${at.owner}/prs_disable`) === '1') return 'EOPNOTSUPP';
    return storeBool(at);
  },
  max_transfer_size: (at) => storeMaxSize(at, 'max_transfer_size'),
  max_batch_size: (at) => storeMaxSize(at, 'max_batch_size'),
  ats_disable: (at) => (wqEnabled(at) || notConfigurable(at) ? 'EPERM' : storeBool(at)),
  prs_disable(at) {
    if (wqEnabled(at)) return 'EPERM';
    const errno = storeBool(at);
    if (errno === undefined && at.draft.value(at.path) === '1') {
      at.draft.writeIfThere(`${at.owner}/block_on_fault`, '0\n');
    }
    return errno;
  },
  op_config(at) {
    if (wqEnabled(at)) return 'EPERM';
    const bits = bitmapOf(at.text);
    const supported = bitmapOf(at.draft.text(`${at.device.path}/op_cap`) ?? '');
    if (bits === undefined || supported === undefined || (bits & ~supported) !== 0n) return 'EINVAL';
    at.draft.write(at.path, bitmapText(bits));
    return undefined;
  },
  enqcmds_retries(at) {
    const value = kstrto('uint', 10, at.text);
    if (typeof value === 'string') return value;
    at.draft.write(at.path, `${value > maxEnqcmdsRetries ? maxEnqcmdsRetries : value}\n`);
    return undefined;
  },
};

/** Traffic classes are for hardware newer than version 2, or with idxd.tc_override. */
function storeTrafficClass(at: Attribute): Errno | undefined {
  const value = numberFrom('long', 10, at.text);
  if (value === undefined) return 'EINVAL';
  if (notConfigurable(at) || isEnabled(at.draft, at.device.path)) return 'EPERM';
  const old = number(at.draft, `${at.device.path}/version`) <= secondVersion;
  if (old && at.draft.value('/sys/module/idxd/parameters/tc_override') !== 'Y') return 'EPERM';
  if (value < 0n || value > 7n) return 'EINVAL';
  at.draft.write(at.path, `${value}\n`);
  return undefined;
}

function storeProgressLimit(at: Attribute): Errno | undefined {
  const value = numberFrom('int', 10, at.text);
  if (value === undefined || value < 0n || value > 3n) return 'EINVAL';
  at.draft.write(at.path, `${value}\n`);
  return undefined;
}

const groupStores: Readonly<Record<string, Store>> = {
  traffic_class_a: storeTrafficClass,
  traffic_class_b: storeTrafficClass,
  desc_progress_limit: storeProgressLimit,
  batch_progress_limit: storeProgressLimit,
};

const engineStores: Readonly<Record<string, Store>> = {
  // Also while the device is enabled: the kernel does not check that.
  group_id(at) {
    const value = numberFrom('long', 10, at.text);
    if (value === undefined) return 'EINVAL';
    if (notConfigurable(at)) return 'EPERM';
    return storeGroup(at, value);
  },
};

const deviceStores: Readonly<Record<string, Store>> = {
  cmd_status(at) {
    setStatus(at.draft, at.device, 0);
    return undefined;
  },
  event_log_size(at) {
    const value = numberFrom('ulong', 10, at.text);
    if (value === undefined) return 'EINVAL';
    if (isEnabled(at.draft, at.device.path) || notConfigurable(at)) return 'EPERM';
    if (value < eventLogEntries.least || value > eventLogEntries.most) return 'EINVAL';
    at.draft.write(at.path, `${value}\n`);
    return undefined;
  },
};

const attributePath = /^(\/.*\/((?:iax|dsa)\d+))(?:\/(wq|engine|group)\d+\.\d+)?\/([a-z_]+)$/;

/** The store behind an attribute of idxd at a real path; `undefined` when the path is none. */
export function idxdStore(draft: Draft, path: string): ((text: string) => Errno | undefined) | undefined {
  const match = attributePath.exec(path);
  if (match === null) return undefined;
  const [, devicePath = '', name = '', kind, attribute = ''] = match;
  const stores = { wq: wqStores, engine: engineStores, group: groupStores }[kind ?? ''] ?? deviceStores;
  const store = Object.hasOwn(stores, attribute) ? stores[attribute] : undefined;
  if (store === undefined) return undefined;
  const device: IdxdDevice = { name, type: name.slice(0, 3) as 'iax' | 'dsa', path: devicePath };
  return (text) => store({ draft, device, owner: parentOf(path), path, text });
}

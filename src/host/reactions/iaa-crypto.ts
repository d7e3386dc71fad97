/**
 * The iaa_crypto driver (drivers/crypto/intel/iaa/iaa_crypto_main.c): its attributes, its part of binding work
 * queues, its module. It is enabled from the first work queue bound to the last one unbound, and its algorithm is
 * registered from the first work queue bound to the module's end.
 */
import { addModuleReferences, registerAlgorithm, unregisterAlgorithm } from './crypto.js';
import { countWq, forgetWq, makeStatistics, removeStatistics } from './iaa-statistics.js';
import {
  busDrivers,
  devicesOf,
  disableWq,
  driverOf,
  enableWq,
  type WorkQueue,
  type WqDrivers,
  wqsOf,
} from './idxd.js';
import { log } from './kernel-log.js';
import { kstrto, kstrtobool, sysfsStreq } from './parsing.js';
import type { Draft, Errno } from './tree.js';
import type { KernelVariant } from './variant.js';

export const driverDirectory = `${busDrivers}/crypto`;
const moduleDirectory = '/sys/module/iaa_crypto';
const algorithm = {
  name: 'deflate',
  driver: 'deflate-iaa',
  module: 'iaa_crypto',
  priority: 300,
  type: 'acomp',
} as const;

/** Whether a work queue is bound: then the attributes take nothing. */
function isEnabled(draft: Draft): boolean {
  return draft.list(driverDirectory).some((name) => /^wq\d+\.\d+$/.test(name));
}

function deviceNumber({ device }: WorkQueue): number {
  return Number(device.name.slice('iax'.length));
}

/** How many of its device's WQs with lower numbers are bound: they are taken to be in the order of their numbers. */
function boundBefore(draft: Draft, wq: WorkQueue): number {
  const wqs = wqsOf(draft, wq.device);
  const lower = wqs.slice(
    0,
    wqs.findIndex(({ name }) => name === wq.name),
  );
  return lower.filter(({ path }) => driverOf(draft, path) === 'crypto').length;
}

/** iaa_crypto_probe after the work queue was enabled. */
function register(draft: Draft, wq: WorkQueue): Errno | undefined {
  if (!registerAlgorithm(draft, algorithm)) {
    log(draft, 3, 'idxd: crypto: deflate algorithm acomp fixed registration failed (-17)');
    forgetWq(draft, deviceNumber(wq), boundBefore(draft, wq));
    disableWq(draft, wq, 'crypto');
    return 'EEXIST';
  }
  addModuleReferences(draft, algorithm.module, 1);
  log(draft, 6, 'idxd: crypto: iaa_crypto now ENABLED');
  return undefined;
}

/** The drivers for work queues, each with its own part. */
export function wqDrivers(draft: Draft): WqDrivers {
  return {
    bind(wq, driver) {
      const first = !isEnabled(draft);
      const errno = enableWq(draft, wq, driver);
      if (errno !== undefined) return errno;
      if (driver === 'crypto') {
        countWq(draft, deviceNumber(wq), boundBefore(draft, wq), draft.value(`${wq.path}/name`));
        if (first) return register(draft, wq);
      }
      if (driver === 'user') draft.write(`${wq.path}/cdev_minor`, '0\n', 0o444);
      return undefined;
    },
    release(wq, driver) {
      if (driver === 'crypto') forgetWq(draft, deviceNumber(wq), boundBefore(draft, wq));
      disableWq(draft, wq, driver);
      if (driver !== 'crypto' || isEnabled(draft)) return;
      addModuleReferences(draft, algorithm.module, -1);
      log(draft, 6, 'idxd: crypto: iaa_crypto now DISABLED');
    },
  };
}

function storeBool(draft: Draft, path: string, text: string, variant: KernelVariant): Errno | undefined {
  const value = kstrtobool(text, variant);
  if (typeof value === 'string') return value;
  draft.write(path, value ? '1\n' : '0\n');
  return undefined;
}

/** v9 takes negative numbers here, too; nothing looks at the number of work queues. */
function storeInt(draft: Draft, path: string, text: string): Errno | undefined {
  const value = kstrto('int', 10, text);
  if (typeof value === 'string') return value;
  draft.write(path, `${value}\n`);
  return undefined;
}

type Store = (draft: Draft, path: string, text: string, variant: KernelVariant) => Errno | undefined;

const stores: Readonly<Record<string, Store>> = {
  verify_compress: storeBool,
  distribute_comps: storeBool,
  distribute_decomps: storeBool,
  g_comp_wqs_per_iaa: storeInt,
  sync_mode(draft, path, text, variant) {
    const mode = ['sync', 'async', 'async_irq'].find((word) => sysfsStreq(text, word));
    if (mode === undefined) return 'EINVAL';
    draft.write(path, mode === 'async' && !variant.keepsAsync ? 'sync\n' : `${mode}\n`);
    return undefined;
  },
};

/** The store behind an attribute of the driver; `undefined` when it has none of this name. */
export function driverStore(
  draft: Draft,
  attribute: string,
  variant: KernelVariant,
): ((text: string) => Errno | undefined) | undefined {
  const store = Object.hasOwn(stores, attribute) ? stores[attribute] : undefined;
  if (store === undefined) return undefined;
  return (text) =>
    isEnabled(draft) ? 'EBUSY' : store(draft, `${driverDirectory}/${attribute}`, text, variant);
}

/** Files of a driver on the bus, all the same. */
export function makeDriver(draft: Draft, driver: string, module: string): void {
  const directory = `${busDrivers}/${driver}`;
  draft.makeDirectory(directory);
  for (const file of ['bind', 'uevent', 'unbind']) draft.write(`${directory}/${file}`, '', 0o200);
  draft.link(`${directory}/module`, `/sys/module/${module}`);
}

/** Loads the module; the work queues that are ready for it are bound in the bus's order. */
export function loadModule(draft: Draft, variant: KernelVariant): Errno | undefined {
  if (draft.has(moduleDirectory)) return undefined;
  if (!draft.has(busDrivers)) return 'ENODEV';
  draft.makeDirectory(moduleDirectory);
  draft.write(`${moduleDirectory}/initstate`, 'live\n', 0o444);
  draft.write(`${moduleDirectory}/refcnt`, '0\n', 0o444);
  makeDriver(draft, 'crypto', algorithm.module);
  for (const [name, value] of Object.entries(variant.driverAttributes)) {
    draft.write(`${driverDirectory}/${name}`, `${value}\n`);
  }
  makeStatistics(draft);
  const drivers = wqDrivers(draft);
  for (const device of devicesOf(draft)) {
    for (const wq of wqsOf(draft, device)) {
      if (driverOf(draft, wq.path) === undefined) drivers.bind(wq, 'crypto');
    }
  }
  return undefined;
}

/** Unloads the module: EAGAIN while somebody holds it, ENOENT when it is not loaded. */
export function unloadModule(draft: Draft): Errno | undefined {
  if (!draft.has(moduleDirectory)) return 'ENOENT';
  if (Number(draft.value(`${moduleDirectory}/refcnt`)) > 0) return 'EAGAIN';
  unregisterAlgorithm(draft, algorithm.driver);
  draft.remove(driverDirectory);
  draft.remove(moduleDirectory);
  removeStatistics(draft);
  return undefined;
}

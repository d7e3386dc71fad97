import { mappingOf } from '../discover/iaa-mapping.js';
import type { CryptoAlgorithm, IaaState, Inventory } from '../discover/inventory.js';

/** What status says of IAA: a label and items for each row; `said` is what the driver said last of itself. */
export function iaaItems(
  inventory: Inventory,
  said: 'enabled' | 'disabled' | undefined,
): readonly (readonly [string, readonly string[]])[] {
  const { iaa, compressors } = inventory;
  if (iaa === undefined) return [['iaa', ['idxd is not loaded']]];
  if (iaa.devices.length === 0) return [['iaa', ['no device']]];
  const enabled = iaa.devices.filter(({ state }) => state === 'enabled').length;
  const names = iaa.devices.map(({ name }) => name).join(' ');
  return [
    ['iaa', [`${names} (${enabled} of ${iaa.devices.length} enabled)`, ...wqItems(iaa)]],
    ['', driverItems(iaa)],
    ['', said === 'disabled' && iaa.wqs.some(({ driver }) => driver === 'crypto') ? [gaveUp] : []],
    ['', algorithmItems(compressors ?? [])],
    ['', statisticsItems(iaa)],
    ['', mappingItems(inventory)],
  ];
}

/** iaa_crypto goes without its hardware after one completion that did not come; bound WQs stay "enabled". */
const gaveUp = 'iaa_crypto is DISABLED although its WQs are enabled (kernel log)';

function wqItems(iaa: IaaState): string[] {
  const drivers = new Map<string, number>();
  for (const { driver } of iaa.wqs) {
    if (driver !== undefined) drivers.set(driver, (drivers.get(driver) ?? 0) + 1);
  }
  const grouped = iaa.engines.filter(({ groupId }) => groupId !== undefined && groupId >= 0).length;
  return [
    ...(drivers.size === 0 ? ['no WQ bound'] : []),
    ...[...drivers].map(([driver, count]) => `${count} ${count === 1 ? 'WQ' : 'WQs'} bound to ${driver}`),
    `${grouped} of ${iaa.engines.length} engines in groups`,
  ];
}

function driverItems(iaa: IaaState): string[] {
  if (iaa.driverAttributes === undefined) return ['iaa_crypto is not loaded'];
  return Object.entries(iaa.driverAttributes).map(([name, value]) => `${name} ${value}`);
}

function algorithmItems(compressors: readonly CryptoAlgorithm[]): string[] {
  return compressors
    .filter(({ module }) => module === 'iaa_crypto')
    .map(({ driver, refcnt, selftest }) => `${driver} (references ${refcnt}, self-test ${selftest})`);
}

function statisticsItems({ statistics }: IaaState): string[] {
  if (statistics.access !== 'readable') return [`statistics ${statistics.access}`];
  const number = (name: string): string => (statistics.global[name] ?? 0).toLocaleString('en-US');
  const errors = Object.entries(statistics.global).filter(
    ([name, value]) => /_errors$/.test(name) && value > 0,
  );
  return [
    `${number('total_comp_calls')} compressions`,
    `${number('total_decomp_calls')} decompressions`,
    `${number('total_sw_decomp_calls')} decompressions in software`,
    ...errors.map(([name, value]) => `${name} ${value.toLocaleString('en-US')}`),
  ];
}

function mappingItems(inventory: Inventory): string[] {
  const mapping = mappingOf(inventory);
  if (mapping === undefined || mapping.devices.length === 0) return [];
  const counts = mapping.devices.map(
    ({ wqs }) => mapping.cpus.filter(({ compress }) => compress.wqs.some((wq) => wqs.includes(wq))).length,
  );
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (mapping.variant === undefined) return ['mapping of CPUs not known'];
  return [`${least === most ? least : `${least} to ${most}`} CPUs compress with each device`];
}

import { iaaDriver } from '../kernel/iaa-crypto.js';
import { type CpuMapping, type MappedDevice, type MappingVariant, mapCpus } from '../kernel/iaa-mapping.js';
import { mappingTableBytes } from '../kernel/iaa-mapping-memory.js';
import { chooseVariant } from '../kernel/iaa-mapping-variant.js';
import type { CpuTopology, IaaState, Inventory } from './inventory.js';

/** Which WQs a machine's driver gives to each CPU, and what that answer rests on. */
export interface Mapping {
  /** undefined when it is not known how this kernel maps. */
  readonly variant: MappingVariant | undefined;
  /** Why this variant, or why none. */
  readonly source: string;
  /** In the driver's order. */
  readonly devices: readonly MappedDevice[];
  /** The order of devices was read from the driver's statistics; else it is taken to be that of their numbers. */
  readonly orderKnown: boolean;
  /** By CPU; empty while no WQ is bound to the driver. */
  readonly cpus: readonly CpuMapping[];
  /** What the driver's tables take; undefined without a variant or max_work_queues. */
  readonly tableBytes: number | undefined;
}

/**
 * The mapping for the WQs that are bound to the driver now, or as it would be with `bound` instead; `undefined`
 * without idxd. The driver made its tables at the last bind or unbind; CPUs that went offline or came back since
 * then are not seen here.
 */
export function mappingOf(inventory: Inventory, bound?: readonly MappedDevice[]): Mapping | undefined {
  const { iaa, cpu, kernel } = inventory;
  if (iaa === undefined) return undefined;
  const { variant, source } = chooseVariant(kernel.release, Object.keys(iaa.driverAttributes ?? {}));
  const { devices, orderKnown } =
    bound === undefined ? boundDevices(iaa) : { devices: bound, orderKnown: true };
  const none = { variant, source, devices, orderKnown, cpus: [], tableBytes: undefined };
  if (variant === undefined) return none;
  const packages = [...new Set(Object.values(cpu.packageOf))].sort((a, b) => a - b);
  if (variant === 'package' && iaa.coresPerPackage === undefined) {
    return { ...none, variant: undefined, source: 'the kernel does not say which CPUs share a core' };
  }
  const machine = {
    possibleCpus: cpu.possible.length,
    nodes: nodesOf(cpu),
    // Logical packages count up in the order of the physical ids, as on every server that has IAA.
    packageOf: Object.fromEntries(
      Object.entries(cpu.packageOf).map(([number, id]) => [number, packages.indexOf(id)]),
    ),
    packages: packages.length,
    coresPerPackage: iaa.coresPerPackage ?? 0,
  };
  const settings = {
    compWqsPerIaa: Number(iaa.driverAttributes?.['g_comp_wqs_per_iaa'] ?? 0),
    distributeComps: iaa.driverAttributes?.['distribute_comps'] === '1',
    distributeDecomps: iaa.driverAttributes?.['distribute_decomps'] === '1',
  };
  const deviceWqs = iaa.devices.find(({ name }) => name === devices[0]?.name)?.maxWorkQueues;
  return {
    variant,
    source,
    devices,
    orderKnown,
    cpus: mapCpus(variant, machine, devices, settings),
    tableBytes:
      deviceWqs === undefined ? undefined : mappingTableBytes(variant, machine, devices.length, deviceWqs),
  };
}

/** The devices with WQs bound to the driver. The order of the WQs in a device is taken to be that of their numbers. */
function boundDevices(iaa: IaaState): { devices: MappedDevice[]; orderKnown: boolean } {
  const devices = iaa.devices.flatMap(({ name }) => {
    const wqs = iaa.wqs.filter((wq) => wq.device === name && wq.driver === iaaDriver).map((wq) => wq.name);
    return wqs.length === 0 ? [] : [{ name, wqs }];
  });
  const order = iaa.statistics.devices.map(({ id }) => `iax${id}`);
  const orderKnown = devices.length > 0 && devices.every(({ name }) => order.includes(name));
  if (orderKnown) devices.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return { devices, orderKnown };
}

function nodesOf(cpu: CpuTopology): number[][] {
  const nodes = new Map<number, number[]>();
  for (const number of cpu.online) {
    const node = cpu.nodeOf[number];
    if (node !== undefined) nodes.set(node, [...(nodes.get(node) ?? []), number]);
  }
  return [...nodes.keys()].sort((a, b) => a - b).map((node) => nodes.get(node) ?? []);
}

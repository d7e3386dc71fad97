/**
 * Which work queues the iaa_crypto driver gives to each CPU: its rebalancing, one function per variant of
 * drivers/crypto/intel/iaa/iaa_crypto_main.c. Plain data in, plain data out. Where the code does other than its
 * documents say, this does as the code.
 */

/** A device with at least one WQ bound to the driver. */
export interface MappedDevice {
  /** As `iax1`. */
  readonly name: string;
  /** As `wq1.0`, in the order in which they were bound. */
  readonly wqs: readonly string[];
}

/** The CPUs as the driver sees them. */
export interface MappedMachine {
  /** num_possible_cpus(). */
  readonly possibleCpus: number;
  /** The CPUs of each node that has any, both ascending (cpumask_of_node). */
  readonly nodes: readonly (readonly number[])[];
  /** topology_logical_package_id() of the CPUs for which it is known. */
  readonly packageOf: Readonly<Record<number, number>>;
  /** topology_max_packages(). */
  readonly packages: number;
  /** topology_num_cores_per_package(): physical cores. */
  readonly coresPerPackage: number;
}

/**
 * - `node-restarting`: device by device, going on to the next device at the start of every node (6.8 to 6.15).
 * - `node-first`: the count of CPUs starts anew in every node, so all nodes use the first devices (from 6.16 on).
 * - `node-spanning`: the count of CPUs runs on from node to node (the repair of that).
 * - `package`: by packages and physical cores, with WQs of two kinds ("zswap compression batching" v9 and later).
 */
export type MappingVariant = 'node-restarting' | 'node-first' | 'node-spanning' | 'package';

/** The driver attributes that the variant `package` looks at. */
export interface PackageSettings {
  /** g_comp_wqs_per_iaa; v9 accepts negative numbers too. */
  readonly compWqsPerIaa: number;
  readonly distributeComps: boolean;
  readonly distributeDecomps: boolean;
}

/** The WQs that one CPU uses in turn. */
export interface WqTable {
  readonly wqs: readonly string[];
  /** Index of the first that is used; 0 in an empty table. */
  readonly first: number;
}

/** What one CPU got. Only the variant `package` tells compression and decompression apart. */
export interface CpuMapping {
  readonly cpu: number;
  readonly compress: WqTable;
  readonly decompress: WqTable;
}

const none: WqTable = { wqs: [], first: 0 };

/**
 * The table of every CPU that has one, ascending. `devices` are in the order of their first bound WQ, as in the
 * driver's list; an index into that list, not the place of a device in the machine, decides who gets what.
 */
export function mapCpus(
  variant: MappingVariant,
  machine: MappedMachine,
  devices: readonly MappedDevice[],
  settings: PackageSettings,
): CpuMapping[] {
  if (devices.length === 0) return [];
  const mapping =
    variant === 'package' ? byPackage(machine, devices, settings) : byNode(variant, machine, devices);
  return mapping.sort((a, b) => a.cpu - b.cpu);
}

/** Integer division that gives at least 1. */
function share(total: number, parts: number): number {
  return Math.max(1, Math.floor(total / parts));
}

function byNode(
  variant: Exclude<MappingVariant, 'package'>,
  machine: MappedMachine,
  devices: readonly MappedDevice[],
): CpuMapping[] {
  const tables = devices.map(({ wqs }): WqTable => {
    // wq_table_next_wq() goes on to the next WQ before it takes one.
    return { wqs, first: wqs.length > 1 ? 1 : 0 };
  });
  const entry = (cpu: number, device: number): CpuMapping => {
    // wq_table_add_wqs() takes the first device of the list for an index beyond its end.
    const table = tables[device] ?? tables[0] ?? none;
    return { cpu, compress: table, decompress: table };
  };
  if (devices.length === 1) {
    return Array.from({ length: machine.possibleCpus }, (_, cpu) => entry(cpu, 0));
  }
  const cpusPerNode = Math.floor(machine.possibleCpus / machine.nodes.length);
  const cpusPerDevice = share(machine.nodes.length * cpusPerNode, devices.length);
  const mapping: CpuMapping[] = [];
  let device = -1;
  let count = 0;
  for (const cpus of machine.nodes) {
    if (variant !== 'node-spanning') count = 0;
    for (const cpu of cpus) {
      if (variant !== 'node-restarting') device = Math.floor(count / cpusPerDevice);
      else if (count % cpusPerDevice === 0) device += 1;
      mapping.push(entry(cpu, device));
      count += 1;
    }
  }
  return mapping;
}

/** The two kinds of WQs of one device. */
export interface TypedWqs {
  /** For decompression, and for compression where there are no others. */
  readonly generic: readonly string[];
  readonly compress: readonly string[];
}

/**
 * Sorts a device's WQs into kinds as map_iaa_device_wqs() does: at every bind, with the number of WQs bound so
 * far, and for good. Hence four WQs and compWqsPerIaa 1 give one generic WQ and three for compression, not three
 * and one as documented, and of two WQs one is for compression for every compWqsPerIaa above 0.
 */
export function typeWqs(wqs: readonly string[], compWqsPerIaa: number): TypedWqs {
  const generic: string[] = [];
  const compress: string[] = [];
  for (const [index, wq] of wqs.entries()) {
    const bound = index + 1;
    (index === 0 || index + compWqsPerIaa < bound ? generic : compress).push(wq);
  }
  return { generic, compress };
}

function byPackage(
  machine: MappedMachine,
  devices: readonly MappedDevice[],
  settings: PackageSettings,
): CpuMapping[] {
  const { packages, coresPerPackage, packageOf } = machine;
  const cpusPerDevice = share(packages * coresPerPackage, devices.length);
  const devicesPerPackage = share(devices.length, packages);
  const typed = devices.map(({ wqs }) => typeWqs(wqs, settings.compWqsPerIaa));
  const deviceTables = {
    compress: typed.map(({ generic, compress }) => (compress.length > 0 ? compress : generic)),
    decompress: typed.map(({ generic }) => generic),
  };

  /** cpu_to_iaa(). */
  const deviceOf = (cpu: number, logicalPackage: number): number => {
    const index = logicalPackage * devicesPerPackage + Math.floor((cpu % coresPerPackage) / cpusPerDevice);
    return index < devices.length ? index : devices.length - 1;
  };

  const packageTables = {
    compress: gatherByPackage(deviceTables.compress, packages, devicesPerPackage),
    decompress: gatherByPackage(deviceTables.decompress, packages, devicesPerPackage),
  };

  const tableOf = (use: 'compress' | 'decompress', distribute: boolean, cpu: number): WqTable | undefined => {
    const own = packageOf[cpu];
    if (own === undefined) return undefined;
    if (!distribute) return { wqs: deviceTables[use][deviceOf(cpu, own)] ?? [], first: 0 };
    // create_cpu_wq_table_from_pkg_wqs() asks only the first CPU of each block for its package.
    const block = packageOf[cpu - (cpu % coresPerPackage)];
    if (block === undefined) return undefined;
    const wqs = packageTables[use][block] ?? [];
    const start = Math.floor(wqs.length / devicesPerPackage) * (deviceOf(cpu, own) % devicesPerPackage);
    return { wqs, first: start < wqs.length ? start : 0 };
  };

  const mapping: CpuMapping[] = [];
  for (const cpu of Object.keys(packageOf).map(Number)) {
    const compress = tableOf('compress', settings.distributeComps, cpu);
    const decompress = tableOf('decompress', settings.distributeDecomps, cpu);
    if (compress !== undefined && decompress !== undefined) mapping.push({ cpu, compress, decompress });
  }
  return mapping;
}

/**
 * The tables of consecutive devices put together, `devicesPerPackage` for each package; devices beyond the last
 * package stay unused. A single device serves every package (reinit_pkg_global_wqs()).
 */
function gatherByPackage(
  tables: readonly (readonly string[])[],
  packages: number,
  devicesPerPackage: number,
): (readonly string[])[] {
  return Array.from({ length: packages }, (_, logicalPackage) => {
    if (tables.length === 1) return tables[0] ?? [];
    return tables.slice(logicalPackage * devicesPerPackage, (logicalPackage + 1) * devicesPerPackage).flat();
  });
}

/** CPUs that use the same WQs for the same thing. */
export interface MappingGroup {
  readonly cpus: readonly number[];
  readonly wqs: readonly string[];
}

/** The CPUs put together by the WQs they use, in the order of their lowest CPU. */
export function groupCpus(mapping: readonly CpuMapping[], use: 'compress' | 'decompress'): MappingGroup[] {
  const groups = new Map<string, { cpus: number[]; wqs: readonly string[] }>();
  for (const entry of mapping) {
    const { wqs } = entry[use];
    const key = wqs.join(' ');
    const group = groups.get(key) ?? { cpus: [], wqs };
    group.cpus.push(entry.cpu);
    groups.set(key, group);
  }
  return [...groups.values()];
}

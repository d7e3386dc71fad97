/**
 * Makes machines: the kernel files of an Intel server as they are after boot, for tests and for the model. Forms and
 * values of the files: docs/kernel-interfaces.md. What boot does to the IAA devices is done by the reactions
 * themselves, so that the tree is one they can go on from.
 */

import { UsageError } from '../errors.js';
import { MemoryTree } from './memory-tree.js';
import { algorithmBlock } from './reactions/crypto.js';
import { reactToProgram, reactToWrite } from './reactions/reactions.js';
import { relativeTarget } from './reactions/tree.js';
import { type KernelVariant, variants } from './reactions/variant.js';

export type MachineKernel =
  | 'mainline 6.12'
  | 'mm-unstable-4-21-2025'
  | 'mainline 6.18'
  | 'mainline 7.3'
  | 'v9';

export interface MachineOptions {
  /** Default: mainline 7.3. */
  readonly kernel?: MachineKernel;
  /** Default 2. */
  readonly packages?: number;
  /** Default 1; a package's cores are divided among its nodes. */
  readonly nodesPerPackage?: number;
  /** Default 56. */
  readonly coresPerPackage?: number;
  /** Default 2: siblings come after all cores, as on Intel servers. */
  readonly threadsPerCore?: number;
  /** CPUs that are possible but not online. */
  readonly offlineCpus?: readonly number[];
  /** Default 512 GiB. */
  readonly memoryKiB?: number;
  /** Size of the one swap partition; default as the memory, 0 for none. */
  readonly swapKiB?: number;
  /** Default 4. With 0 the machine has neither idxd devices nor the idxd driver. */
  readonly iaaPerPackage?: number;
  /** One DSA device before each IAA device (default): IAA devices then have odd numbers. */
  readonly dsa?: boolean;
  /** numa_node of the devices: by their package (default), or -1 as with firmware that does not say. */
  readonly deviceNodes?: 'known' | 'unknown';
  /** The IOMMU in scalable mode (default): devices have PASIDs. */
  readonly scalableMode?: boolean;
  /** After boot: iaa_crypto loaded and bound to each device's default WQ (default), or not loaded yet. */
  readonly iaaCrypto?: 'loaded' | 'absent';
  /** A policy of intel_pstate for each CPU, ten files each; default: none, as without frequency scaling. */
  readonly cpufreq?: boolean;
  /** systemd owns the cgroup tree. Default: nobody does. */
  readonly systemd?: boolean;
  /** `model name` of its processors. */
  readonly cpuModel?: string;
  /** Further flags of its processors, as `hypervisor`. */
  readonly cpuFlags?: readonly string[];
  /** 32 hexadecimal digits. */
  readonly machineId?: string;
  /** As a UUID. */
  readonly bootId?: string;
  /** iaa_crypto keeps statistics (CONFIG_CRYPTO_DEV_IAA_CRYPTO_STATS); default: it was built without, as by distributions. */
  readonly iaaStatistics?: boolean;
  /** Of each IAA device, 1 to 8 (default). */
  readonly enginesPerIaa?: number;
  /** What else was done since boot: each must succeed. */
  readonly changes?: readonly MachineChange[];
  /** Files with other texts than a kernel of its own accord would give them, as `clients`; by their real paths. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A write to a kernel file, or a helper program that was run. */
export type MachineChange =
  | { readonly write: string; readonly text: string }
  | { readonly exec: readonly string[] };

/** What uname -r prints. */
export const machineReleases: Readonly<Record<MachineKernel, string>> = {
  'mainline 6.12': '6.12.9-test',
  'mm-unstable-4-21-2025': '6.15.0-rc3-mm',
  'mainline 6.18': '6.18.2-test',
  'mainline 7.3': '7.3.4-test',
  v9: '6.15.0-rc3-v9',
};

/** Kernels whose idxd puts all engines into the group of its default configuration; others the first one only. */
const groupsAllEngines: ReadonlySet<MachineKernel> = new Set(['mainline 7.3']);

// PCI buses of the accelerators of an SPR server's first two packages; further ones are made up.
const knownBuses = [
  [0x6a, 0x6f, 0x74, 0x79],
  [0xe7, 0xec, 0xf1, 0xf6],
];

const pciIds = { dsa: '0x0b25', iax: '0x0cfe' };
const limits = { groups: 4, wqs: 8, wqEntries: 128 };
const opCap = '00000000,00000000,00000000,00000000,00000000,007f331c,00000000,0000000d\n';
const noErrors = `${Array.from({ length: 8 }, () => '00000000').join(',')}\n`;
const folioSizesKiB = [16, 32, 64, 128, 256, 512, 1024, 2048];
const folioCounters = [
  'anon_fault_alloc',
  'anon_fault_fallback',
  'anon_fault_fallback_charge',
  'swpin',
  'swpout',
  'swpout_fallback',
  'zswpout',
];

/** Of /proc/vmstat, those that tell of anonymous memory and swap, in the kernel's order (mm/vmstat.c). */
const vmstatCounters = [
  'pswpin',
  'pswpout',
  'pgfault',
  'pgmajfault',
  'pgscan_anon',
  'pgsteal_anon',
  'thp_fault_alloc',
  'thp_fault_fallback',
  'thp_fault_fallback_charge',
  'thp_split_page',
  'thp_swpout',
  'thp_swpout_fallback',
  // Since 6.13.
  'swpin_zero',
  'swpout_zero',
  'zswpin',
  'zswpout',
  'zswpwb',
];

class Builder {
  readonly tree = new MemoryTree();

  file(path: string, text: string, mode = 0o444): void {
    this.tree.apply({ kind: 'file', path, text, mode });
  }

  files(directory: string, texts: Readonly<Record<string, string>>, mode = 0o444): void {
    for (const [name, text] of Object.entries(texts)) this.file(`${directory}/${name}`, text, mode);
  }

  link(path: string, to: string): void {
    this.tree.apply({ kind: 'link', path, target: relativeTarget(path, to) });
  }
}

/** Ascending numbers as the kernel lists them, as `0-3,8`. */
function listOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return `${ranges.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(',')}\n`;
}

type Settled = Required<MachineOptions> & { readonly variant: KernelVariant; readonly release: string };

/** The machine's files. Throws UsageError for a change that its kernel would refuse. */
export function machineTree(options: MachineOptions = {}): MemoryTree {
  const kernel = options.kernel ?? 'mainline 7.3';
  const variant = variants.find((each) => each.name === kernel);
  if (variant === undefined) throw new UsageError(`no such kernel: ${JSON.stringify(kernel)}`);
  const memoryKiB = options.memoryKiB ?? 512 * 1024 * 1024;
  const machine: Settled = {
    packages: 2,
    nodesPerPackage: 1,
    coresPerPackage: 56,
    threadsPerCore: 2,
    offlineCpus: [],
    swapKiB: memoryKiB,
    iaaPerPackage: 4,
    dsa: true,
    deviceNodes: 'known',
    scalableMode: true,
    iaaCrypto: 'loaded',
    cpufreq: false,
    systemd: false,
    cpuModel: 'Intel(R) Xeon(R) test processor',
    cpuFlags: [],
    machineId: '00112233445566778899aabbccddeeff',
    bootId: '11111111-2222-4333-8444-555555555555',
    iaaStatistics: false,
    enginesPerIaa: 8,
    changes: [],
    files: {},
    ...options,
    memoryKiB,
    kernel,
    variant,
    release: machineReleases[kernel],
  };
  const build = new Builder();
  addKernel(build, machine);
  addCpus(build, machine);
  addMemory(build, machine);
  addCgroup(build, machine);
  addAccelerators(build, machine);
  for (const each of machine.changes) change(build.tree, each);
  for (const [path, text] of Object.entries(machine.files)) {
    const node = build.tree.node(path);
    build.file(path, text, node?.kind === 'file' ? node.mode : 0o444);
  }
  return build.tree;
}

function addKernel(build: Builder, machine: Settled): void {
  const { release, kernel, variant, scalableMode, systemd } = machine;
  build.file('/proc/sys/kernel/osrelease', `${release}\n`);
  build.file('/proc/version', `Linux version ${release} (test@test) (gcc) #1 SMP PREEMPT_DYNAMIC\n`);
  build.file('/proc/cmdline', `ro quiet intel_iommu=on${scalableMode ? ',sm_on' : ''}\n`);
  build.file('/proc/sys/kernel/random/boot_id', `${machine.bootId}\n`);
  build.file('/etc/machine-id', `${machine.machineId}\n`, 0o644);
  build.file(
    `/boot/config-${release}`,
    [
      'CONFIG_CRYPTO_DEFLATE=m',
      'CONFIG_CRYPTO_DEV_IAA_CRYPTO=m',
      machine.iaaStatistics
        ? 'CONFIG_CRYPTO_DEV_IAA_CRYPTO_STATS=y'
        : '# CONFIG_CRYPTO_DEV_IAA_CRYPTO_STATS is not set',
      'CONFIG_CRYPTO_LZ4=m',
      'CONFIG_CRYPTO_LZO=y',
      'CONFIG_CRYPTO_ZSTD=m',
      'CONFIG_INTEL_IDXD=m',
      'CONFIG_INTEL_IDXD_SVM=y',
      'CONFIG_ZSWAP=y',
      'CONFIG_ZSWAP_COMPRESSOR_DEFAULT="lzo"',
      '',
    ].join('\n'),
    0o644,
  );
  const symbols = kernel === 'v9' ? ['crypto_acomp_batch_compress', 'zswap_store_pages'] : [];
  build.file(
    '/proc/kallsyms',
    ['zswap_store', ...symbols]
      .sort()
      .map((name) => `0000000000000000 t ${name}\n`)
      .join(''),
  );
  build.file('/dev/kmsg', `6,0,0,-;Linux version ${release}\n`, 0o644);
  build.file('/sys/kernel/debug/sleep_time', '0\n');
  build.file('/sys/kernel/security/lockdown', '[none] integrity confidentiality\n', 0o644);
  build.file('/sys/devices/virtual/iommu/dmar0/uevent', '', 0o200);
  build.link('/sys/class/iommu/dmar0', '/sys/devices/virtual/iommu/dmar0');
  build.tree.apply({ kind: 'directory', path: '/sys/bus/pci/devices' });
  build.files(
    '/proc/sys/vm',
    {
      compaction_proactiveness: '20\n',
      max_map_count: '65530\n',
      min_free_kbytes: '67584\n',
      overcommit_memory: '0\n',
      'page-cluster': '3\n',
      swappiness: '60\n',
      vfs_cache_pressure: '100\n',
      watermark_boost_factor: '15000\n',
      watermark_scale_factor: '10\n',
    },
    0o644,
  );
  build.files(
    '/sys/module/zswap/parameters',
    {
      accept_threshold_percent: '90\n',
      compressor: 'lzo\n',
      enabled: 'N\n',
      max_pool_percent: '20\n',
      shrinker_enabled: 'N\n',
      ...(variant.zpools.length === 0 ? {} : { zpool: 'zsmalloc\n' }),
    },
    0o644,
  );
  build.file(
    '/proc/crypto',
    ['lzo-rle', 'lzo']
      .map((name) =>
        algorithmBlock({ name, driver: `${name}-scomp`, module: 'kernel', priority: 0, type: 'scomp' }),
      )
      .join(''),
  );
  if (systemd) build.tree.apply({ kind: 'directory', path: '/run/systemd/system' });
}

function addCpus(build: Builder, machine: Settled): void {
  const { packages, nodesPerPackage, coresPerPackage, threadsPerCore } = machine;
  const cores = packages * coresPerPackage;
  const possible = Array.from({ length: cores * threadsPerCore }, (_, cpu) => cpu);
  const online = possible.filter((cpu) => !machine.offlineCpus.includes(cpu));
  const nodeOf = (cpu: number): number => Math.floor(((cpu % cores) * nodesPerPackage) / coresPerPackage);
  const cpuDirectory = '/sys/devices/system/cpu';
  build.files(cpuDirectory, { possible: listOf(possible), online: listOf(online) });
  for (const cpu of online) {
    const core = cpu % cores;
    build.files(`${cpuDirectory}/cpu${cpu}/topology`, {
      core_id: `${core % coresPerPackage}\n`,
      physical_package_id: `${Math.floor(core / coresPerPackage)}\n`,
    });
  }
  for (const cpu of machine.cpufreq ? online : []) addPolicy(build, cpu);
  if (machine.cpufreq)
    build.files(`${cpuDirectory}/intel_pstate`, { no_turbo: '0\n', status: 'active\n' }, 0o644);
  const nodes = Array.from({ length: packages * nodesPerPackage }, (_, node) => node);
  build.file('/sys/devices/system/node/online', listOf(nodes));
  for (const node of nodes) {
    const cpus = online.filter((cpu) => nodeOf(cpu) === node);
    build.file(`/sys/devices/system/node/node${node}/cpulist`, listOf(cpus));
  }
  build.file(
    '/proc/cpuinfo',
    [
      'processor\t: 0',
      'vendor_id\t: GenuineIntel',
      `model name\t: ${machine.cpuModel}`,
      'microcode\t: 0x2b000603',
      `flags\t\t: fpu sse2 avx2 movdiri movdir64b${[...(machine.scalableMode ? ['enqcmd'] : []), ...machine.cpuFlags].map((flag) => ` ${flag}`).join('')}`,
      '',
      '',
    ].join('\n'),
  );
}

function addPolicy(build: Builder, cpu: number): void {
  const policy = `/sys/devices/system/cpu/cpufreq/policy${cpu}`;
  build.files(policy, {
    affected_cpus: `${cpu}\n`,
    cpuinfo_max_freq: '3800000\n',
    cpuinfo_min_freq: '800000\n',
    energy_performance_available_preferences:
      'default performance balance_performance balance_power power \n',
    scaling_available_governors: 'performance powersave\n',
    scaling_driver: 'intel_pstate\n',
  });
  build.files(
    policy,
    {
      energy_performance_preference: 'balance_performance\n',
      scaling_governor: 'powersave\n',
      scaling_max_freq: '3800000\n',
      scaling_min_freq: '800000\n',
    },
    0o644,
  );
}

function addMemory(build: Builder, { memoryKiB, swapKiB, kernel }: Settled): void {
  const available = Math.floor(memoryKiB * 0.95);
  build.file(
    '/proc/meminfo',
    `MemTotal:       ${memoryKiB} kB\nMemAvailable:   ${available} kB\nSwapTotal:      ${swapKiB} kB\n`,
  );
  const vmstat = vmstatCounters.filter(
    (name) => kernel !== 'mainline 6.12' || !/^swp(in|out)_zero$/.test(name),
  );
  build.file('/proc/vmstat', vmstat.map((name) => `${name} 0\n`).join(''));
  const area = `${'/dev/nvme0n1p2'.padEnd(40)}partition\t${swapKiB}\t\t0\t\t-2\n`;
  build.file('/proc/swaps', `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n${swapKiB > 0 ? area : ''}`);
  build.file('/sys/class/block/nvme0n1p2/size', `${(swapKiB + 4) * 2}\n`);

  const directory = '/sys/kernel/mm/transparent_hugepage';
  build.files(
    directory,
    {
      defrag: 'always defer defer+madvise [madvise] never\n',
      enabled: 'always [madvise] never\n',
      shrink_underused: '1\n',
      use_zero_page: '1\n',
    },
    0o644,
  );
  build.file(`${directory}/hpage_pmd_size`, '2097152\n');
  build.files(
    `${directory}/khugepaged`,
    {
      alloc_sleep_millisecs: '60000\n',
      defrag: '1\n',
      max_ptes_none: '511\n',
      max_ptes_shared: '256\n',
      max_ptes_swap: '64\n',
      pages_to_scan: '4096\n',
      scan_sleep_millisecs: '10000\n',
    },
    0o644,
  );
  for (const size of folioSizesKiB) {
    const choice = size === 2048 ? 'always [inherit] madvise never\n' : 'always inherit madvise [never]\n';
    build.file(`${directory}/hugepages-${size}kB/enabled`, choice, 0o644);
    for (const name of folioCounters) build.file(`${directory}/hugepages-${size}kB/stats/${name}`, '0\n');
  }
}

function addCgroup(build: Builder, { systemd }: Settled): void {
  build.file(
    '/proc/self/mountinfo',
    [
      '22 27 0:21 / /proc rw - proc proc rw',
      '23 27 0:22 / /sys rw - sysfs sysfs rw',
      '28 23 0:7 / /sys/kernel/debug rw - debugfs debugfs rw',
      '29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
      '',
    ].join('\n'),
  );
  build.file('/sys/fs/cgroup/cgroup.controllers', 'cpuset cpu io memory pids\n');
  build.file('/sys/fs/cgroup/cgroup.procs', '1\n', 0o644);
  build.file('/sys/fs/cgroup/cgroup.subtree_control', systemd ? 'cpu memory pids\n' : '', 0o644);
}

function addAccelerators(build: Builder, machine: Settled): void {
  const { packages, nodesPerPackage, iaaPerPackage } = machine;
  if (iaaPerPackage === 0) return;
  build.file('/sys/module/idxd/initstate', 'live\n');
  build.file('/sys/module/idxd/refcnt', '0\n');
  build.files('/sys/module/idxd/parameters', { sva: 'Y\n', tc_override: 'N\n' });
  for (const driver of ['dmaengine', 'idxd', 'user']) {
    const directory = `/sys/bus/dsa/drivers/${driver}`;
    build.files(directory, { bind: '', uevent: '', unbind: '' }, 0o200);
    build.link(`${directory}/module`, '/sys/module/idxd');
  }
  let number = 0;
  const iax: string[] = [];
  for (let at = 0; at < packages * iaaPerPackage; at++) {
    const [inPackage, index] = [Math.floor(at / iaaPerPackage), at % iaaPerPackage];
    const bus = (knownBuses[inPackage]?.[index] ?? 0x10 + at).toString(16).padStart(2, '0');
    const node = inPackage * nodesPerPackage + Math.floor((index * nodesPerPackage) / iaaPerPackage);
    const numaNode = machine.deviceNodes === 'known' ? node : -1;
    if (machine.dsa) addDevice(build, machine, { name: `dsa${number++}`, bus, numaNode });
    iax.push(`iax${number}`);
    addDevice(build, machine, { name: `iax${number++}`, bus, numaNode });
  }
  for (const name of iax) change(build.tree, { write: '/sys/bus/dsa/drivers/idxd/bind', text: `${name}\n` });
  if (machine.iaaCrypto === 'loaded') change(build.tree, { exec: ['modprobe', 'iaa_crypto'] });
}

function addDevice(
  build: Builder,
  machine: Settled,
  device: { readonly name: string; readonly bus: string; readonly numaNode: number },
): void {
  const type = device.name.slice(0, 3) as 'dsa' | 'iax';
  const id = device.name.slice(3);
  const pci = `/sys/devices/pci0000:${device.bus}/0000:${device.bus}:${type === 'dsa' ? '01' : '02'}.0`;
  const directory = `${pci}/${device.name}`;
  const numaNode = `${device.numaNode}\n`;
  build.files(pci, { device: `${pciIds[type]}\n`, numa_node: numaNode, vendor: '0x8086\n' });
  build.files(directory, {
    cdev_major: '235\n',
    clients: '0\n',
    configurable: '1\n',
    errors: noErrors,
    gen_cap: '0x71f10901f0105\n',
    max_engines: `${machine.enginesPerIaa}\n`,
    max_groups: `${limits.groups}\n`,
    max_transfer_size: '2147483648\n',
    max_work_queues: `${limits.wqs}\n`,
    max_work_queues_size: `${limits.wqEntries}\n`,
    numa_node: numaNode,
    op_cap: opCap,
    pasid_enabled: machine.scalableMode ? '1\n' : '0\n',
    state: 'disabled\n',
    version: '0x100\n',
  });
  build.file(`${directory}/cmd_status`, '0\n', 0o644);
  build.link(`/sys/bus/dsa/devices/${device.name}`, directory);
  build.link(`/sys/bus/pci/devices/${pci.slice(pci.lastIndexOf('/') + 1)}`, pci);
  // Work queues of DSA devices would fill the archive, and nothing looks at them.
  if (type === 'dsa') return;
  for (let index = 0; index < limits.wqs; index++) addWq(build, directory, `${id}.${index}`, index === 0);
  const grouped = groupsAllEngines.has(machine.kernel) ? machine.enginesPerIaa : 1;
  for (let index = 0; index < machine.enginesPerIaa; index++) {
    const engine = `${directory}/engine${id}.${index}`;
    build.file(`${engine}/group_id`, index < grouped ? '0\n' : '-1\n', 0o644);
    build.link(`/sys/bus/dsa/devices/engine${id}.${index}`, engine);
  }
  for (let index = 0; index < limits.groups; index++) {
    const group = `${directory}/group${id}.${index}`;
    const engines = Array.from({ length: grouped }, (_, engine) => `engine${id}.${engine}`);
    build.file(`${group}/work_queues`, index === 0 ? `wq${id}.0\n` : '');
    build.file(`${group}/engines`, index === 0 ? `${engines.join(' ')}\n` : '');
    build.files(group, { traffic_class_a: '1\n', traffic_class_b: '1\n' }, 0o644);
    build.link(`/sys/bus/dsa/devices/group${id}.${index}`, group);
  }
}

/** A work queue; the first one as the driver's default configuration has it (drivers/dma/idxd/defaults.c). */
function addWq(build: Builder, device: string, id: string, first: boolean): void {
  const wq = `${device}/wq${id}`;
  build.files(wq, { clients: '0\n', state: 'disabled\n' });
  build.files(
    wq,
    {
      ats_disable: '0\n',
      block_on_fault: '0\n',
      driver_name: first ? 'crypto\n' : '\n',
      group_id: first ? '0\n' : '-1\n',
      max_transfer_size: '2097152\n',
      mode: first ? 'dedicated\n' : 'shared\n',
      name: first ? 'iaa_crypto\n' : '\n',
      op_config: opCap,
      priority: first ? '10\n' : '0\n',
      size: first ? `${limits.wqEntries}\n` : '0\n',
      threshold: '0\n',
      type: first ? 'kernel\n' : 'none\n',
      ...(first ? {} : { enqcmds_retries: '32\n' }),
    },
    0o644,
  );
  build.link(`/sys/bus/dsa/devices/wq${id}`, wq);
}

/** Does one thing to the machine; throws UsageError when the kernel would have refused it. */
function change(tree: MemoryTree, what: MachineChange): void {
  if ('write' in what) {
    const { refusal, updates } = reactToWrite(tree, what.write, what.text);
    if (refusal !== undefined) {
      throw new UsageError(`write ${JSON.stringify(what.text)} to ${what.write}: ${refusal.errno}`);
    }
    for (const update of updates) tree.apply(update);
    return;
  }
  const reaction = reactToProgram(tree, what.exec);
  if (reaction === undefined || reaction.result.exitCode !== 0) {
    throw new UsageError(`${what.exec.join(' ')}: ${reaction?.result.stderr.trimEnd() ?? 'not known here'}`);
  }
  for (const update of reaction.updates) tree.apply(update);
}

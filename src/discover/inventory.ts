/**
 * What discovery found on a host: plain JSON. `undefined` means that the kernel does not offer it; a value
 * the kernel offers but that could not be understood or read is a finding, never a made-up value.
 */

/** Where numbers come from: real hardware, a machine under a hypervisor or on our software device, or the model. */
export type Source = 'hardware' | 'emulated' | 'model';

/** Something about the machine a person should know: where, what, and how to mend it. */
export interface Finding {
  readonly path: string;
  readonly message: string;
  readonly mend: string;
}

export interface KernelIdentity {
  /** /proc/sys/kernel/osrelease. */
  readonly release: string | undefined;
  /** /proc/version, one line. */
  readonly version: string | undefined;
  /** /proc/cmdline. */
  readonly cmdline: string | undefined;
  /** The CONFIG_ options of zswap, THP, memcg, idxd and iaa_crypto from /boot/config-RELEASE, where readable. */
  readonly config: Readonly<Record<string, string>> | undefined;
  /** /proc/sys/kernel/random/boot_id. */
  readonly bootId: string | undefined;
  /** /etc/machine-id. */
  readonly machineId: string | undefined;
  /** First `model name` and `microcode` of /proc/cpuinfo. */
  readonly cpuModel: string | undefined;
  readonly microcode: string | undefined;
  /** /sys/devices/system/clocksource/clocksource0/current_clocksource. */
  readonly clocksource: string | undefined;
  /** /sys/kernel/mm/lru_gen/enabled, as 0x0007. */
  readonly lruGen: string | undefined;
}

export interface CpuTopology {
  /** CPU numbers, ascending. */
  readonly possible: readonly number[];
  readonly online: readonly number[];
  /** Per online CPU that says so: physical_package_id and node. */
  readonly packageOf: Readonly<Record<number, number>>;
  readonly nodeOf: Readonly<Record<number, number>>;
}

/** A cpufreq policy that has a CPU online; frequencies in kHz, as the kernel counts them. */
export interface CpufreqPolicy {
  /** As policy0. */
  readonly name: string;
  /** scaling_driver, as intel_pstate. */
  readonly driver: string | undefined;
  readonly governors: readonly string[] | undefined;
  /** energy_performance_available_preferences; undefined without hardware-managed P-states. */
  readonly preferences: readonly string[] | undefined;
  /** cpuinfo_min_freq and cpuinfo_max_freq. */
  readonly leastKHz: number | undefined;
  readonly mostKHz: number | undefined;
  /** base_frequency: without turbo no frequency is higher. */
  readonly baseKHz: number | undefined;
}

export interface CpufreqState {
  readonly policies: readonly CpufreqPolicy[];
}

export interface MemoryInfo {
  readonly totalBytes: number;
  readonly availableBytes: number;
}

export interface SwapArea {
  readonly path: string;
  readonly type: string;
  readonly sizeKiB: number;
  readonly usedKiB: number;
  readonly priority: number;
}

export interface ZswapState {
  readonly enabled: boolean | undefined;
  readonly compressor: string | undefined;
  /** True when zswap was set up since boot (its debugfs directory is there); undefined when debugfs is not readable. */
  readonly initialised: boolean | undefined;
  /** Names and values of /sys/module/zswap/parameters, without newline. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Counters of /sys/kernel/debug/zswap; undefined when not readable. */
  readonly debugfs: Readonly<Record<string, number>> | undefined;
}

export interface ThpSize {
  /** Kernel's directory name without prefix, as `64kB`. */
  readonly name: string;
  readonly bytes: number;
  /** The selected word of `enabled`: always, inherit, madvise, never. */
  readonly enabled: string | undefined;
}

export interface ThpState {
  readonly enabled: string | undefined;
  readonly defrag: string | undefined;
  readonly pmdSizeBytes: number | undefined;
  /** Ascending. */
  readonly sizes: readonly ThpSize[];
}

export interface CgroupState {
  /** Mount point of cgroup v2; undefined when none is mounted. */
  readonly mount: string | undefined;
  /** cgroup.controllers of the mount point. */
  readonly controllers: readonly string[];
  /** cgroup.subtree_control of the mount point. */
  readonly subtreeControl: readonly string[];
  /** systemd manages the hierarchy (/run/systemd/system is there): then only its delegated scopes are ours. */
  readonly systemd: boolean;
}

/** An IAA device as the idxd driver shows it. */
export interface IdxdDevice {
  /** As `iax1`. */
  readonly name: string;
  /** As `0000:6a:02.0`. */
  readonly pciAddress: string | undefined;
  /** `vendor:device`, as `8086:0cfe`. */
  readonly pciId: string | undefined;
  /** The driver it is bound to, `idxd`; undefined while it is disabled. */
  readonly driver: string | undefined;
  /** enabled, disabled, halted, unknown. */
  readonly state: string | undefined;
  /** -1: the firmware does not say. */
  readonly numaNode: number | undefined;
  /** physical_package_id of the CPUs on that node. */
  readonly packageId: number | undefined;
  /** Hexadecimal with 0x, as the kernel shows them. */
  readonly version: string | undefined;
  readonly genCap: string | undefined;
  readonly iaaCap: string | undefined;
  /** Opcodes it takes (op_cap), ascending. */
  readonly opcodes: readonly number[] | undefined;
  /** Set bits of its software error register (errors), ascending. */
  readonly errorBits: readonly number[] | undefined;
  readonly maxGroups: number | undefined;
  readonly maxWorkQueues: number | undefined;
  /** Entries of all WQs together. */
  readonly maxWorkQueuesSize: number | undefined;
  readonly maxEngines: number | undefined;
  readonly maxTransferSizeBytes: number | undefined;
  readonly configurable: boolean | undefined;
  readonly pasidEnabled: boolean | undefined;
  readonly clients: number | undefined;
  /** Why its last command failed, decoded. */
  readonly commandStatus: { readonly code: number; readonly text: string } | undefined;
}

/** A work queue of an IAA device. */
export interface IdxdWq {
  /** As `wq1.0`. */
  readonly name: string;
  readonly device: string;
  /** The driver it is bound to: crypto, user, dmaengine; undefined when to none. */
  readonly driver: string | undefined;
  readonly state: string | undefined;
  readonly mode: string | undefined;
  /** Entries. */
  readonly size: number | undefined;
  /** -1: in no group. */
  readonly groupId: number | undefined;
  readonly priority: number | undefined;
  /** none, kernel, user. */
  readonly type: string | undefined;
  /** Its attribute `name`. */
  readonly label: string | undefined;
  readonly driverName: string | undefined;
  readonly threshold: number | undefined;
  readonly clients: number | undefined;
}

export interface IdxdEngine {
  /** As `engine1.0`. */
  readonly name: string;
  readonly device: string;
  /** -1: in no group. */
  readonly groupId: number | undefined;
}

export interface IdxdGroup {
  /** As `group1.0`. */
  readonly name: string;
  readonly device: string;
  readonly wqs: readonly string[] | undefined;
  readonly engines: readonly string[] | undefined;
  readonly trafficClassA: number | undefined;
  readonly trafficClassB: number | undefined;
}

/** A compressor in /proc/crypto. */
export interface CryptoAlgorithm {
  readonly name: string;
  /** What zswap's compressor parameter may name too, as `deflate-iaa`. */
  readonly driver: string;
  readonly module: string;
  readonly priority: number;
  /** 1 when nobody uses it. */
  readonly refcnt: number;
  /** passed, unknown. */
  readonly selftest: string;
  readonly type: string;
}

/**
 * Why the statistics of iaa_crypto are there or not: the kernel was built without
 * CRYPTO_DEV_IAA_CRYPTO_STATS, lockdown keeps them closed, debugfs cannot be looked into, the driver is not loaded.
 */
export type IaaStatisticsAccess =
  | 'readable'
  | 'not-built'
  | 'locked-down'
  | 'no-debugfs'
  | 'not-loaded'
  | 'unreadable';

/** The driver's statistics since it was loaded: calls, and compressed bytes. */
export interface IaaStatistics {
  readonly access: IaaStatisticsAccess;
  readonly directory: string | undefined;
  readonly global: Readonly<Record<string, number>>;
  /** In the order of their first bound WQ. */
  readonly devices: readonly {
    /** The number in the device's name. */
    readonly id: number;
    readonly counters: Readonly<Record<string, number>>;
    readonly wqs: readonly {
      /** The WQ's attribute `name`, not unique. */
      readonly label: string;
      readonly counters: Readonly<Record<string, number>>;
    }[];
  }[];
}

/** IAA as the idxd and iaa_crypto drivers show it. */
export interface IaaState {
  /** By the number in the name, which follows the order of the PCI probe. */
  readonly devices: readonly IdxdDevice[];
  /** Names of the DSA devices, which are numbered together with the IAA devices. */
  readonly dsaDevices: readonly string[];
  /** By device, then by number. */
  readonly wqs: readonly IdxdWq[];
  readonly engines: readonly IdxdEngine[];
  readonly groups: readonly IdxdGroup[];
  /** Physical cores of the package with the most, by its online CPUs; undefined when the kernel does not say. */
  readonly coresPerPackage: number | undefined;
  /** Attributes of the iaa_crypto driver, without newline; undefined when it is not loaded. */
  readonly driverAttributes: Readonly<Record<string, string>> | undefined;
  readonly statistics: IaaStatistics;
  /** Those of perf's event sources that are idxd devices, as `iax1`. */
  readonly perfEventSources: readonly string[];
}

export interface Inventory {
  readonly schemaVersion: 1;
  /** Host.name. */
  readonly host: string;
  readonly source: Source;
  readonly kernel: KernelIdentity;
  readonly cpu: CpuTopology;
  /** undefined where the kernel does not scale frequencies. */
  readonly cpufreq: CpufreqState | undefined;
  readonly memory: MemoryInfo | undefined;
  readonly swap: readonly SwapArea[];
  /** The compressors that are registered (/proc/crypto); undefined when it cannot be read. */
  readonly compressors: readonly CryptoAlgorithm[] | undefined;
  readonly zswap: ZswapState | undefined;
  readonly thp: ThpState | undefined;
  readonly cgroup: CgroupState;
  /** undefined without the idxd driver. */
  readonly iaa: IaaState | undefined;
  /**
   * The exact text of every attribute a plan may set, by kernel path: zswap parameters, THP switches, vm
   * sysctls, CPU frequency, the cgroup root's cgroup.subtree_control, IAA devices, WQs, engines, groups and the iaa_crypto
   * driver. A path that is not here is not offered.
   */
  readonly attributes: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
}

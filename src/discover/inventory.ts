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

export interface Inventory {
  readonly schemaVersion: 1;
  /** Host.name. */
  readonly host: string;
  readonly source: Source;
  readonly kernel: KernelIdentity;
  readonly cpu: CpuTopology;
  readonly memory: MemoryInfo | undefined;
  readonly swap: readonly SwapArea[];
  readonly zswap: ZswapState | undefined;
  readonly thp: ThpState | undefined;
  readonly cgroup: CgroupState;
  /**
   * The exact text of every attribute a plan may set, by kernel path: zswap parameters, THP switches, vm
   * sysctls, the cgroup root's cgroup.subtree_control. A path that is not here is not offered.
   */
  readonly attributes: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
}

/** What a modelled machine takes beside what every machine does. */

/** Something that is done to the machine from outside while the next workload runs. */
export type OutsideEvent = { readonly atNs: number } & (
  | { readonly kind: 'cpu-offline' | 'cpu-online'; readonly cpu: number }
  /** By name, as `wq1.0`. */
  | { readonly kind: 'wq-unbind' | 'wq-bind'; readonly wq: string }
  /** By name, as `iax1`: it completes nothing any more. */
  | { readonly kind: 'device-loss'; readonly device: string }
  | { readonly kind: 'compressor'; readonly compressor: string }
  | { readonly kind: 'zswap-enabled' | 'max-pool-percent' | 'accept-threshold'; readonly value: number }
  /** Undefined: no limit. */
  | {
      readonly kind: 'memory-high' | 'memory-max' | 'swap-max' | 'zswap-max';
      readonly bytes: number | undefined;
    }
);

/** What no kernel file says and the model still depends on. */
export interface ModelRun {
  /** 0 to 2^53 - 1. */
  readonly seed: number;
  /** Mechanisms of the kernel that are switched, by their names in NativeModelConfig. */
  readonly switches: Readonly<Record<string, boolean>>;
  /** How the driver maps CPUs to WQs; undefined: as its kernel does. */
  readonly mapping: 'node-restarting' | 'node-first' | 'node-spanning' | 'package' | undefined;
  /** Constants with other values than their own, by name. */
  readonly constants: Readonly<Record<string, number>>;
  readonly events: readonly OutsideEvent[];
  /** So many pages in a million do not compress. */
  readonly incompressiblePerMillion: number;
  /** The letter's compressed sizes where there are any; else what the codecs give. */
  readonly calibrated: boolean;
  /** Every page is compressed when it is stored. */
  readonly exact: boolean;
}

export interface ModelControl {
  /** The machine's name. */
  readonly machine: string;
  /** The kernel that is running, by its name as `v9`. */
  readonly kernel: string;
  /** All that it can boot. */
  readonly kernels: readonly { readonly name: string; readonly release: string }[];
  /** Boots one: everything is as after a boot. Throws UsageError for another name, or while a workload runs. */
  boot(kernel: string): Promise<void>;
  /** Throws RequirementError for a command line that it has no mechanism for; so would `launch`. */
  require(argv: readonly string[]): void;
  /** What the next workloads run with. Throws UsageError for a constant that it does not have. */
  prepare(run: ModelRun): void;
}

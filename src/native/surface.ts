/**
 * All that the addon exports, declared once. Nothing outside src/native and src/host touches it.
 * Arguments are positional and already validated by the caller; misuse throws TypeError. A failed system
 * call is never thrown: it comes back as a NativeFailure, so that the error gets a JavaScript stack.
 */

/** A failed system call as data. */
export interface NativeFailure {
  /** errno, positive. */
  readonly errno: number;
  /** Name of the errno, as `ENOENT`. */
  readonly code: string;
  /**
   * The call that failed, as `openat2`, `write`. What no call reported has a name of its own (docs/errors.md):
   * `short-write`, `file-type` for what is no regular file, `size-limit`, `read-only-root`, `closed-root`, `name`,
   * `no-counter` for a file without one in the format it was to be sampled in.
   */
  readonly syscall: string;
  /** Bytes taken, for a short write. */
  readonly written?: number;
}

/**
 * The forms in which the kernel writes counters: one decimal; `name value` lines; `label name=value ...` lines, as of
 * pressure files; the statistics of iaa_crypto (native/sampler/text_template.h says how their keys are made).
 */
export type CounterFormat = 'number' | 'flat' | 'nested' | 'iaa-statistics';

/** Durations in ns, each at most 1/32 too large; 0 before the first. */
export interface NativeDurations {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How sampling went so far: each tick since the start is a row, or dropped, or missed. */
export interface NativeSamplingStatistics {
  readonly rows: number;
  /** Rows for which the buffer had no room. */
  readonly dropped: number;
  /** Ticks that passed while an earlier row was still being read, or while the thread did not get to run. */
  readonly missed: number;
  /** From each tick to the begin of its reading: the jitter. */
  readonly lateNs: NativeDurations;
  /** From the begin of reading all files to the end. */
  readonly readingNs: NativeDurations;
}

/** Counters read at a fixed rate by a thread of its own, until stopped, collected or the environment ends. */
export interface NativeSampler {
  /** For each path: the keys of its counters, a column each, in the order of the file; or why it is not sampled. */
  files(): (string[] | NativeFailure)[];
  /** CLOCK_MONOTONIC of tick 0, ns; tick k is k intervals later. */
  startNs(): bigint;
  /** The rows since the last call, in the encoding of docs/series.md. */
  take(): Buffer;
  statistics(): NativeSamplingStatistics;
  /** Ends the thread, after the row that it is at; its rows can still be taken. */
  stop(): void;
}

/**
 * A directory tree seen as a machine's root. Paths are absolute kernel paths (`/sys/...`) and are resolved
 * inside the root: absolute symlinks and `..` cannot leave it.
 */
export interface NativeHostRoot {
  /** Reads whole files, each to EOF without stat, at most 1 MiB (EFBIG beyond); in the order of `paths`. */
  readMany(paths: readonly string[]): Promise<(Buffer | NativeFailure)[]>;
  /**
   * Writes `data` with exactly one write(2) to an existing file (never created, O_TRUNC), on this root's own
   * writer thread, in the order of the calls. A read-only root answers EROFS before any call.
   */
  write(path: string, data: Uint8Array): Promise<undefined | NativeFailure>;
  /** As write, with O_APPEND in place of O_TRUNC. */
  append(path: string, data: Uint8Array): Promise<undefined | NativeFailure>;
  /** Creates one directory, mode 0755, on the writer thread. */
  mkdir(path: string): Promise<undefined | NativeFailure>;
  /** Removes one empty directory, on the writer thread. */
  rmdir(path: string): Promise<undefined | NativeFailure>;
  /** Names in a directory, sorted bytewise, without `.` and `..`. */
  list(path: string): Promise<string[] | NativeFailure>;
  /** A symlink's text, unresolved. */
  readlink(path: string): Promise<string | NativeFailure>;
  /** f_type of statfs(2): the file system's magic number (linux/magic.h). */
  statfsMagic(path: string): Promise<number | NativeFailure>;
  /**
   * Opens `paths`, each a file of counters in the format at the same place of `formats`, and reads them every
   * `intervalNs` until stopped; at most `bufferBytes` of rows wait to be taken. The sampler outlives the root.
   */
  sample(
    paths: readonly string[],
    formats: readonly CounterFormat[],
    intervalNs: number,
    bufferBytes: number,
  ): NativeSampler | NativeFailure;
  /** Closes the root. Operations under way finish first; later ones answer EBADF. */
  close(): void;
}

/** An exclusive flock(2) on a file, held until released or until the process is gone with all its threads. */
export interface NativeLock {
  release(): void;
}

/** A compressor, with the state it works in. Results are bytes, or an errno, negative. */
export interface NativeCompressor {
  /** Compresses `from`, 1 byte or more, into `to`. */
  compress(from: Uint8Array, to: Uint8Array): number;
  decompress(from: Uint8Array, to: Uint8Array): number;
  /**
   * Works on `slots` (four numbers each: offset and length of input, offset and length of output, in bytes of
   * `memory`) on `threads` threads, this one among them; one number of `outcomes` for each slot. A slot that is
   * empty, outside the memory or overlaps itself throws before any is worked on.
   */
  runBatch(
    compress: boolean,
    memory: ArrayBuffer,
    slots: Uint32Array,
    outcomes: Int32Array,
    threads: number,
  ): void;
}

/** What the iaa_crypto driver gives to each CPU: see src/kernel/iaa-mapping.ts. No CPUs: no work queue is bound. */
export interface NativeModelMapping {
  /** Lists of work queues, by their place in `wqs`. */
  readonly tables: readonly (readonly number[])[];
  /** Of each CPU: places in `tables`, and where in them it begins. */
  readonly cpus: readonly {
    readonly compressTable: number;
    readonly compressFirst: number;
    readonly decompressTable: number;
    readonly decompressFirst: number;
  }[];
}

/** What changes on the modelled machine from outside at a time. */
export type NativeModelEvent = { readonly timeNs: number } & (
  | { readonly kind: 'cpu-offline' | 'cpu-online'; readonly subject: number }
  /** `value` is the mapping that holds from then on, by its place in `mappings`. */
  | { readonly kind: 'wq-unbind' | 'wq-bind'; readonly subject: number; readonly value: number }
  /** The device completes nothing any more. */
  | { readonly kind: 'device-loss'; readonly subject: number }
  | { readonly kind: 'compressor'; readonly subject: 0; readonly value: string }
  | {
      readonly kind: 'zswap-enabled' | 'max-pool-percent' | 'accept-threshold';
      readonly subject: 0;
      readonly value: number;
    }
  /** Pages; undefined for no limit. */
  | {
      readonly kind: 'memory-high' | 'memory-max' | 'swap-max' | 'zswap-max';
      readonly subject: 0;
      readonly value: number | undefined;
    }
);

/** What runs on the modelled machine. Pages are of 4096 bytes. */
export type NativeModelWorkload =
  | {
      readonly kind: 'usemem';
      readonly tasks: number;
      readonly bindInterval: number;
      readonly taskPages: number;
      readonly unitPages: number;
      readonly stepBytes: number;
      readonly sleepNs: number;
    }
  /** A kernel build, or a part of one; the constants `build_*` say what it is. */
  | { readonly kind: 'build'; readonly workers: number; readonly partPerMillion: number }
  /** A recorded trace in columns; times are whole ns, kinds 0 read, 1 write, 2 exit. */
  | {
      readonly kind: 'trace';
      readonly tasks: number;
      readonly taskPages: number;
      readonly timesNs: Float64Array;
      readonly accessTasks: Uint32Array;
      readonly accessPages: Uint32Array;
      readonly accessKinds: Uint8Array;
    };

/** All that a run of the model depends on: native/model/config.h as JavaScript. */
export interface NativeModelConfig {
  readonly seed: number;
  /** A kernel by its name in src/host/reactions/variant.ts, and mechanisms of it that are switched. */
  readonly kernel: { readonly name: string; readonly switches: Readonly<Record<string, boolean>> };
  /** Constants that have another value than their default, by name. */
  readonly constants: Readonly<Record<string, number>>;
  readonly machine: {
    readonly cpus: number;
    readonly memoryPages: number;
    readonly swapPages: number;
    /** vm.page-cluster, which only the switch swapinBatching looks at. */
    readonly pageCluster: number;
  };
  readonly iaa: {
    readonly devices: readonly { readonly groupEngines: readonly number[] }[];
    readonly wqs: readonly {
      readonly device: number;
      readonly group: number;
      readonly size: number;
      readonly threshold: number;
      readonly priority: number;
      readonly shared: boolean;
      /** Entries of a shared queue that other clients keep filled. */
      readonly foreign: number;
    }[];
    readonly verifyCompress: boolean;
    readonly syncMode: 'sync' | 'async' | 'async_irq';
    /** The first holds at the start. */
    readonly mappings: readonly NativeModelMapping[];
  };
  readonly zswap: {
    readonly enabled: boolean;
    readonly compressor: string;
    readonly maxPoolPercent: number;
    readonly acceptThresholdPercent: number;
    readonly classes: readonly {
      readonly bytes: number;
      readonly zspagePages: number;
      readonly zspageObjects: number;
    }[];
  };
  /** Limits of the workload's cgroup; undefined for none. */
  readonly memcg: {
    readonly highPages: number | undefined;
    readonly maxPages: number | undefined;
    readonly swapMaxPages: number | undefined;
    readonly zswapMaxPages: number | undefined;
    readonly zswapWriteback: boolean;
  };
  /** The one folio size that is enabled, as its order; what its allocation may do. */
  readonly thp: {
    readonly order: number;
    readonly defrag: 'no-reclaim' | 'wake-kswapd' | 'direct-reclaim';
  };
  readonly content: {
    readonly kind: 'counter' | 'random' | 'zero' | 'ratio' | 'program' | 'corpus';
    readonly ratio?: number;
    readonly seed?: number;
    readonly corpus?: Uint8Array;
    /** The letter's compressed sizes where there are any. */
    readonly calibrated: boolean;
    readonly incompressiblePerMillion: number;
    /** Every page is encoded when it is stored. */
    readonly exact: boolean;
  };
  readonly workload: NativeModelWorkload;
  readonly events: readonly NativeModelEvent[];
  /** Allocations that fail. */
  readonly failures: {
    readonly zswapEntryPerMillion: number;
    readonly zsmallocPerMillion: number;
    readonly xarrayPerMillion: number;
  };
  /** 0 for no samples. */
  readonly sampleIntervalNs: number;
  /** Most spans of the trace; 0 for none. */
  readonly traceSpans: number;
}

/** How a task of the model fared; times in ns since the start, undefined for what never was. */
export interface NativeModelResult {
  readonly workedNs: number | undefined;
  readonly freeingBeganNs: number | undefined;
  readonly freedNs: number | undefined;
  readonly maxResidentPages: number;
  readonly signal?: string;
}

/** A machine in virtual time. Between two calls of `advance` it stands still and can be looked at. */
export interface NativeModel {
  /**
   * Lets time pass up to `untilNs` (Infinity: to the end), on another thread. Resolves with whether the workload
   * has ended, or nothing will ever happen any more; or with why there can be no such machine: a compressor's
   * library is missing. Throws while another call is under way; so do all others then.
   */
  advance(untilNs: number): Promise<boolean | string>;
  /** ns since the start. */
  now(): number;
  /** What it has simulated so far: the measure of its own speed. */
  events(): number;
  /** Every counter of modelCounters(). */
  counters(): Record<string, number>;
  /** debugfs iaa_crypto/wq_stats, in the order of `wqs`. */
  wqCounters(): {
    readonly compCalls: number;
    readonly compBytes: number;
    readonly decompCalls: number;
    readonly decompBytes: number;
  }[];
  /** What was kept since the last call: a row of all counters, in the order of modelCounters(), for each time. */
  takeSamples(): { readonly timesNs: Float64Array; readonly values: Float64Array };
  results(): NativeModelResult[];
  /** The trace so far, as JSON for chrome://tracing or Perfetto. */
  trace(): string;
}

/** A constant of the model. */
export interface NativeModelConstant {
  readonly name: string;
  readonly unit: string;
  readonly source: 'published' | 'measured' | 'fitted' | 'assumed';
  readonly meaning: string;
  /** Its default. */
  readonly value: number;
}

/** What libaccel-config would not do. */
export interface NativeRefusal {
  /** errno, positive, and its name; 0 and empty where the library gave none. */
  readonly errno: number;
  readonly code: string;
  /** The library's own words: its log, its last error, the device's command status. */
  readonly said: string;
}

/** A device of the dsa bus as libaccel-config sees it; states are `enabled`, `disabled`, `unknown` and the like. */
export interface NativeAccelDevice {
  readonly name: string;
  readonly state: string;
  readonly wqs: readonly { readonly name: string; readonly state: string }[];
  readonly engines: readonly string[];
}

/**
 * libaccel-config, for the running machine: its paths are compiled in. It keeps no state between calls; none of
 * them has a time limit, since what the kernel is at cannot be taken back.
 */
export interface NativeAccelConfig {
  /** Functions that newer versions have and this one lacks. */
  lacks(): string[];
  devices(): Promise<NativeAccelDevice[] | NativeRefusal>;
  /** Enables a device or WQ by its name, as `iax1`, `wq1.0`; ENODEV where the library sees none. */
  enable(name: string): Promise<undefined | NativeRefusal>;
  /** Disables one, unless it has clients. */
  disable(name: string): Promise<undefined | NativeRefusal>;
}

/** The export list of native/addon.cc (a test compares the two). */
export interface NativeAddon {
  /** Opens a root. `writable` false makes every write answer EROFS: a property of the handle. */
  openHostRoot(root: string, writable: boolean): NativeHostRoot | NativeFailure;
  /**
   * Takes an exclusive lock on `path` (opened O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode 0600) without waiting:
   * EWOULDBLOCK when another holds it.
   */
  tryLock(path: string): NativeLock | NativeFailure;
  /** All compressors that openCompressor knows; `library` is empty for our own code. */
  compressors(): { readonly name: string; readonly library: string }[];
  /** A new compressor, or why there is none. */
  openCompressor(name: string): NativeCompressor | string;
  /** A new model, or why the configuration is none, in a line. */
  openModel(config: NativeModelConfig): NativeModel | string;
  /** All constants of the model. */
  modelConstants(): NativeModelConstant[];
  /** The names of the model's counters: the kernel's file, then the key in it, as `vmstat.zswpout`. */
  modelCounters(): string[];
  /** libaccel-config.so.1, loaded by the dynamic linker, or why there is none to use. */
  openAccelConfig(): NativeAccelConfig | string;
}

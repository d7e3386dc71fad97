import * as z from 'zod';
import { iaaSchema } from './iaa-schema.js';
import { type Matrix, matrixSchema } from './matrix.js';
import { parseSize } from './size.js';

/** Largest byte count a plan writes: what still fits a signed 64-bit counter. */
const maxBytes = 2n ** 63n - 1n;
const pageBytes = 4096n;

const sizeBytes = z
  .union([z.string(), z.number()], 'expected a size as 64M, 10g or a number of bytes')
  .transform((given, context) => {
    const bytes = parseSize(String(given));
    if (bytes === undefined || bytes === 0n || bytes > maxBytes) {
      context.addIssue({
        code: 'custom',
        message: 'expected a size as 64M, 10g or a number of bytes above 0',
      });
      return z.NEVER;
    }
    return bytes;
  });

/** memory.high and its like: the kernel keeps whole pages, so another number would read back changed. */
const limitBytes = z
  .union([z.literal('max'), sizeBytes])
  .refine((value) => value === 'max' || value % pageBytes === 0n, {
    message: 'expected max or a size that is a multiple of 4096 bytes',
  });

const count = (smallest: number, largest: number) => z.int().min(smallest).max(largest);
const governorName = z.string().regex(/^[a-z0-9_]{1,32}$/, 'expected a word as powersave');
const cpuList = z.string().regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'expected a CPU list as 0-3,8');
const distinct = <T>(values: readonly T[]) => new Set(values).size === values.length;

/** Bytes of whole 64-bit words, as many as native/usemem takes. */
const words = sizeBytes.refine((bytes) => bytes % 8n === 0n && bytes <= 2n ** 56n, {
  message: 'expected a multiple of 8 bytes, at most 2^56',
});

/** What --content of native/usemem takes; the original writes counters. */
const content = z.string().refine(
  (given) => {
    const ratio = /^ratio:(\d{1,2}(?:\.\d{1,6})?)$/.exec(given)?.[1];
    if (ratio !== undefined) return Number(ratio) >= 1 && Number(ratio) <= 16;
    return /^(counter|random|zero|file:\/.+)$/.test(given);
  },
  { message: 'expected counter, random, zero, ratio:R (1 to 16) or file:/PATH' },
);

const usememFields = z.strictObject({
  /** -n: processes. */
  processes: count(1, 4096).default(1),
  /** -t: threads in each process. */
  threads: count(1, 4096).optional(),
  /** Bytes each process writes. */
  size: words,
  /** -b: process i runs on CPU (i x bind) modulo the online CPUs. */
  bind: count(1, 8192).optional(),
  /** -u: bytes of one mapping. */
  unit: words.optional(),
  /** -j: bytes from one written word to the next. */
  step: words.optional(),
  /** -s: seconds between the work and the end. */
  sleep_s: count(0, 86_400).default(0),
  /** What is written: counter (as the original), random, zero, ratio:R, file:PATH. */
  content: content.optional(),
  /** Seed of random and ratio contents. */
  seed: count(0, 2 ** 31 - 1).optional(),
});

const usemem = usememFields.refine(
  ({ seed, content: kind }) => seed === undefined || kind === 'random' || kind?.startsWith('ratio:') === true,
  { path: ['seed'], message: 'only random and ratio contents have a seed' },
);

const experimentFields = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'expected a short name of a-z, 0-9, . _ -'),
  description: z.string().max(2000).optional(),
  /** One point for each combination. */
  matrix: matrixSchema,
  /** How often each point is measured. */
  repetitions: count(1, 1000).default(1),
  /** Every point once, then all again (interleaved, or each round in random order); or each point all its times. */
  order: z.enum(['interleaved', 'random', 'grouped']).default('interleaved'),
  /** Of random orders. */
  seed: count(0, 2 ** 31 - 1).default(1),
  /** Rounds that come first and do not count. */
  warm_up: count(0, 100).default(0),
  /** Pause before each cell but the first. */
  cool_down_s: count(0, 3600).default(0),
  /** /sys/module/zswap/parameters. */
  zswap: z
    .strictObject({
      max_pool_percent: count(1, 100).optional(),
      accept_threshold_percent: count(1, 100).optional(),
      shrinker_enabled: z.boolean().optional(),
      zpool: z
        .string()
        .regex(/^[a-z0-9]{1,32}$/)
        .optional(),
    })
    .default({}),
  /** /sys/kernel/mm/transparent_hugepage, beside the folio size under test. */
  thp: z
    .strictObject({
      defrag: z.enum(['always', 'defer', 'defer+madvise', 'madvise', 'never']).optional(),
      shrink_underused: z.boolean().optional(),
      'khugepaged/defrag': z.boolean().optional(),
    })
    .default({}),
  /** /proc/sys/vm. */
  vm: z
    .strictObject({
      'page-cluster': count(0, 10).optional(),
      swappiness: count(0, 200).optional(),
      overcommit_memory: count(0, 2).optional(),
      max_map_count: count(1, 2 ** 31 - 1).optional(),
      watermark_scale_factor: count(1, 3000).optional(),
      watermark_boost_factor: count(0, 2 ** 31 - 1).optional(),
      min_free_kbytes: count(0, 2 ** 31 - 1).optional(),
      vfs_cache_pressure: count(0, 10_000).optional(),
      compaction_proactiveness: count(0, 100).optional(),
    })
    .default({}),
  /** Frequency and power of all CPUs that are online: /sys/devices/system/cpu/cpufreq and intel_pstate. */
  cpu: z
    .strictObject({
      scaling_governor: governorName.optional(),
      energy_performance_preference: governorName.optional(),
      scaling_min_freq_khz: count(1, 2 ** 31 - 1).optional(),
      scaling_max_freq_khz: count(1, 2 ** 31 - 1).optional(),
      no_turbo: z.boolean().optional(),
    })
    .default({}),
  /** IAA; only cells whose compressor is one of its algorithms set it up. */
  iaa: iaaSchema.optional(),
  /** A swap area of the experiment's own: swapped on with the highest priority, swapped off at the end. */
  swap: z
    .strictObject({
      device: z
        .string()
        .regex(/^\/dev\/[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/, 'expected a block device as /dev/nvme1n1'),
    })
    .refine(({ device }) => !device.split('/').includes('..'), {
      path: ['device'],
      message: 'must not go up',
    })
    .optional(),
  /** Keys that a machine may lack, as iaa.driver.distribute_comps: they are left out there, and the plan says so. */
  optional: z.array(z.string()).refine(distinct, 'names a key twice').default([]),
  /** The cgroup v2 the workload runs in. */
  cgroup: z
    .strictObject({
      'memory.high': limitBytes.optional(),
      'memory.max': limitBytes.optional(),
      'memory.swap.max': limitBytes.optional(),
      'memory.zswap.max': limitBytes.optional(),
      'memory.zswap.writeback': z.boolean().optional(),
      'cpuset.cpus': cpuList.optional(),
      'cpuset.mems': cpuList.optional(),
    })
    .default({}),
  workload: z.strictObject({ usemem }),
  limits: z
    .strictObject({
      /** A cell that takes longer is ended and fails. */
      time_s: count(1, 7 * 86_400).default(3600),
      /** So is one whose processes use no CPU for so long, beyond the workload's own sleep. */
      no_progress_s: count(1, 86_400).default(120),
    })
    .default({ time_s: 3600, no_progress_s: 120 }),
  /** A cell that goes beyond is INVALID. */
  bounds: z
    .strictObject({
      /** Most times that zswap may refuse a page because its pool is full. */
      pool_limit_hit: count(0, 2 ** 31 - 1).default(0),
    })
    .default({ pool_limit_hit: 0 }),
});

/** The parts of an experiment whose keys may be optional: those that a kernel may lack. */
const optionalParts = /^(?:cpu|iaa\.driver|thp|vm|zswap)\./;

/** An experiment as its file says it, checked and with sizes in bytes. Field names are the kernel's own. */
export const experimentSchema = experimentFields.superRefine((experiment, context) => {
  for (const [index, path] of experiment.optional.entries()) {
    if (optionalParts.test(path) && isGiven(experiment, path)) continue;
    context.addIssue({
      code: 'custom',
      path: ['optional', index],
      message: 'expected a key of this file in cpu, iaa.driver, thp, vm or zswap, as iaa.driver.sync_mode',
    });
  }
});

function isGiven(experiment: object, path: string): boolean {
  const value = path
    .split('.')
    .reduce<unknown>(
      (at, key) =>
        at !== null && typeof at === 'object' && Object.hasOwn(at, key)
          ? (at as Record<string, unknown>)[key]
          : undefined,
      experiment,
    );
  return value !== undefined;
}

/** What a file says, before the values of its axes are looked at. */
export type GivenExperiment = z.output<typeof experimentSchema>;
export type Experiment = Omit<GivenExperiment, 'matrix'> & { readonly matrix: Matrix };
export type UsememParameters = z.output<typeof usemem>;

import * as z from 'zod';
import { collectSchema } from './collect-schema.js';
import { count, distinct, sizeBytes } from './fields.js';
import { iaaSchema } from './iaa-schema.js';
import { type Matrix, matrixSchema } from './matrix.js';
import { modelSchema } from './model-schema.js';
import { workloadSchema } from './workload-schema.js';

const pageBytes = 4096n;

/** memory.high and its like: the kernel keeps whole pages, so another number would read back changed. */
const limitBytes = z
  .union([z.literal('max'), sizeBytes])
  .refine((value) => value === 'max' || value % pageBytes === 0n, {
    message: 'expected max or a size that is a multiple of 4096 bytes',
  });

const governorName = z.string().regex(/^[a-z0-9_]{1,32}$/, 'expected a word as powersave');
const cpuList = z.string().regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'expected a CPU list as 0-3,8');
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
  /** What is gathered while a cell runs, beside what is always. */
  collect: collectSchema.optional(),
  workload: workloadSchema,
  /** What only a modelled machine takes. */
  model: modelSchema.optional(),
  limits: z
    .strictObject({
      /** A cell that takes longer is ended and fails. */
      time_s: count(1, 7 * 86_400).default(3600),
      /** So is one whose processes use no CPU for so long, beyond the workload's own sleep. */
      no_progress_s: count(1, 86_400).default(120),
      /** Its set-up, and its clean-up, may take so long each. */
      setup_s: count(1, 7 * 86_400).default(1800),
      cleanup_s: count(1, 7 * 86_400).default(600),
    })
    .default({ time_s: 3600, no_progress_s: 120, setup_s: 1800, cleanup_s: 600 }),
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

/** The `model` part of an experiment file: what only a modelled machine takes. */
import * as z from 'zod';
import { type MachineKernel, machineReleases } from '../host/machine-tree.js';
import { count, distinct, sizeBytes } from './fields.js';

const kernelNames = Object.keys(machineReleases) as [MachineKernel, ...MachineKernel[]];

/** KernelFeatures of native/model/kernel.h, in their order. */
const switches = z.strictObject({
  large_folios: z.boolean().optional(),
  exact_charge: z.boolean().optional(),
  batched_store: z.boolean().optional(),
  stores_incompressible: z.boolean().optional(),
  contexts_live_with_pool: z.boolean().optional(),
  bounded_descriptors: z.boolean().optional(),
  decompresses_in_software: z.boolean().optional(),
  polls_async: z.boolean().optional(),
  separate_cursors: z.boolean().optional(),
  // In no kernel: study/projections.ts marks what comes of them.
  reclaim_batching: z.boolean().optional(),
  swapin_batching: z.boolean().optional(),
  zram: z.boolean().optional(),
});

const limit = z.union([z.literal('max'), sizeBytes]);
const percent = count(0, 100);

/** What an event does; each has one of these. */
const eventKinds = {
  cpu_offline: count(0, 8191).optional(),
  cpu_online: count(0, 8191).optional(),
  wq_unbind: z
    .string()
    .regex(/^wq\d{1,4}\.\d{1,3}$/, 'expected a WQ as wq1.0')
    .optional(),
  wq_bind: z
    .string()
    .regex(/^wq\d{1,4}\.\d{1,3}$/, 'expected a WQ as wq1.0')
    .optional(),
  device_loss: z
    .string()
    .regex(/^iax\d{1,4}$/, 'expected a device as iax1')
    .optional(),
  'zswap.compressor': z.string().min(1).max(127).optional(),
  'zswap.enabled': z.boolean().optional(),
  'zswap.max_pool_percent': percent.optional(),
  'zswap.accept_threshold_percent': percent.optional(),
  'memory.high': limit.optional(),
  'memory.max': limit.optional(),
  'memory.swap.max': limit.optional(),
  'memory.zswap.max': limit.optional(),
};

const event = z
  .strictObject({
    /** Seconds since the workload began. */
    at_s: z.number().min(0).max(604_800),
    ...eventKinds,
  })
  .refine((given) => Object.values(given).filter((value) => value !== undefined).length === 2, {
    message: `expected one of ${Object.keys(eventKinds).join(', ')}`,
  });

export const modelSchema = z.strictObject({
  /** Kernels that it boots one after another, each with all cells: an axis that other hosts do not have. */
  kernels: z.array(z.enum(kernelNames)).min(1).refine(distinct, 'names a kernel twice').optional(),
  /** Mechanisms that are as in another kernel. */
  switches: switches.optional(),
  /** How iaa_crypto maps CPUs to WQs; else as its kernel does. */
  mapping: z.enum(['node-restarting', 'node-first', 'node-spanning', 'package']).optional(),
  /** Constants of docs/model.md with other values. */
  constants: z
    .record(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'expected the name of a constant'), count(0, 1e12))
    .optional(),
  /** Pages that do not compress at all. */
  incompressible_percent: z.number().min(0).max(100).optional(),
  /** The letter's compressed sizes where there are any (default); else what the codecs give. */
  calibrated: z.boolean().optional(),
  /** Compress every page when it is stored, not one of each kind. */
  exact: z.boolean().optional(),
  /** What is done to the machine from outside. */
  events: z.array(event).max(1000).optional(),
});

export type ModelPart = z.output<typeof modelSchema>;
export type ModelEvent = z.output<typeof event>;

/** The `iaa` part of an experiment file: devices, work queues, groups, the driver. Field names are idxd's and iaa_crypto's own. */
import * as z from 'zod';
import { count, distinct } from './fields.js';

// drivers/dma/idxd/sysfs.c: strings are kept in buffers of WQ_NAME_SIZE (idxd.h); blanks around them are cut off.
const label = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected a name of A-Z, a-z, 0-9, _ . - and at most 64 characters');

const workQueue = z
  .strictObject({
    /** Entries of the device's WQ storage. */
    size: count(1, 65_535),
    mode: z.enum(['dedicated', 'shared']).default('dedicated'),
    group_id: count(0, 255).default(0),
    /** 1 to 15 (IDXD_MAX_PRIORITY); the hardware refuses 0. */
    priority: count(1, 15).default(10),
    /** Shown in the driver's statistics in place of the number. */
    name: label.default('iaa_crypto'),
    /** Entries a shared WQ takes from ENQCMD; 1 to size. */
    threshold: count(1, 65_535).optional(),
    block_on_fault: z.boolean().optional(),
    /** Bytes; the kernel rounds up to a power of two, so only these read back as written. */
    max_transfer_size: z
      .int()
      .min(1)
      .refine((bytes) => Number.isInteger(Math.log2(bytes)), 'expected a power of two')
      .optional(),
    ats_disable: z.boolean().optional(),
    prs_disable: z.boolean().optional(),
  })
  .refine(({ mode, threshold }) => mode === 'shared' || threshold === undefined, {
    path: ['threshold'],
    message: 'only a shared WQ has a threshold',
  })
  .refine(({ mode, threshold }) => mode === 'dedicated' || threshold !== undefined, {
    path: ['threshold'],
    message: 'a shared WQ needs a threshold',
  })
  .refine(({ size, threshold }) => threshold === undefined || threshold <= size, {
    path: ['threshold'],
    message: 'must be at most size',
  });

const group = z.strictObject({
  /** Engines by number, as 0-3,6; all of the device's where there is one group. */
  engines: z
    .string()
    .regex(/^\d+(-\d+)?(,\d+(-\d+)?)*$/, 'expected a list as 0-3,6')
    .optional(),
  traffic_class_a: count(0, 7).optional(),
  traffic_class_b: count(0, 7).optional(),
  desc_progress_limit: count(0, 3).optional(),
  batch_progress_limit: count(0, 3).optional(),
});

/** What an experiment says about IAA. What it does not name stays as it is. */
export const iaaSchema = z
  .strictObject({
    /** By name, as iax1; all IAA devices if not given. */
    devices: z
      .array(z.string().regex(/^iax\d{1,4}$/, 'expected names as iax1'))
      .min(1)
      .refine(distinct, 'names a device twice')
      .optional(),
    /** The first so many devices of each package, in place of names. */
    devices_per_package: count(1, 64).optional(),
    /** By what devices and WQs are bound and unbound: sysfs, or libaccel-config where it is installed (only on live). */
    backend: z.enum(['sysfs', 'libaccel-config']).optional(),
    /** WQs 0, 1, ... of each device; the others get no entries. Not given: WQs, engines and groups stay as found. */
    wqs: z.array(workQueue).min(1).max(256).optional(),
    /** Groups 0, 1, ... of each device. */
    groups: z.array(group).min(1).max(256).optional(),
    /** Attributes of the iaa_crypto driver (kernel.md 1.1: those beyond the first two come with the batching patches). */
    driver: z
      .strictObject({
        verify_compress: z.boolean().optional(),
        sync_mode: z.enum(['sync', 'async', 'async_irq']).optional(),
        g_comp_wqs_per_iaa: count(0, 256).optional(),
        distribute_comps: z.boolean().optional(),
        distribute_decomps: z.boolean().optional(),
      })
      .default({}),
  })
  .refine(
    ({ devices, devices_per_package: perPackage }) => devices === undefined || perPackage === undefined,
    {
      path: ['devices_per_package'],
      message: 'devices are named already',
    },
  )
  .refine(({ wqs, groups }) => groups === undefined || wqs !== undefined, {
    path: ['groups'],
    message: 'groups are set together with wqs',
  })
  .refine(({ groups = [] }) => groups.length < 2 || groups.every(({ engines }) => engines !== undefined), {
    path: ['groups'],
    message: 'with more than one group each needs its engines',
  })
  .refine(({ wqs = [], groups = [{}] }) => wqs.every(({ group_id: id }) => id < groups.length), {
    path: ['wqs'],
    message: 'group_id names a group that is not among groups',
  });

export type IaaSettings = z.output<typeof iaaSchema>;
export type WorkQueueSettings = z.output<typeof workQueue>;

import * as z from 'zod';
import { distinct } from './fields.js';
import { folioName } from './size.js';

/** A kernel that cells run on. */
export interface MatrixKernel {
  /** As the tables have it. */
  readonly name: string;
  /** As `uname -r` prints it. */
  readonly release: string;
}

/** A key of the experiment that differs from cell to cell. */
export interface Axis {
  /** As `vm.page-cluster`. */
  readonly path: string;
  /** The key's place in the experiment; empty for one that changes nothing. */
  readonly keys: readonly string[];
  readonly values: readonly { readonly name: string; readonly value: unknown }[];
}

/** What a run goes through: one point for each combination. */
export interface Matrix {
  readonly compressor: readonly string[];
  readonly folio: readonly string[];
  /** Kernels to run on; undefined: whichever is running. */
  readonly kernel: readonly MatrixKernel[] | undefined;
  readonly axes: readonly Axis[];
}

const folio = z.string().transform((given, context) => {
  const name = folioName(given);
  if (name === undefined) {
    context.addIssue({
      code: 'custom',
      message: 'expected a folio size as 64kB, 2048kB or 2M (a power of two; 4kB for none)',
    });
    return z.NEVER;
  }
  return name;
});

/** CRYPTO_MAX_ALG_NAME of include/linux/crypto.h is 128 with the NUL. */
const compressor = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._()-]{0,126}$/,
    'expected the name of a compressor as the kernel knows it, as zstd or deflate-iaa',
  );

/** __NEW_UTS_LEN of include/uapi/linux/utsname.h is 64. */
const release = z.string().regex(/^[\w.+~-]{1,64}$/, 'expected a kernel release as uname -r prints it');

const kernel = z.union(
  [
    release.transform((given): MatrixKernel => ({ name: given, release: given })),
    z.strictObject({ name: z.string().regex(/^[\w.+~-]{1,32}$/), release }),
  ],
  'expected a kernel release as uname -r prints it, or { name, release }',
);

/** Values of an axis: a list of plain ones, or a map that gives each a name. */
const axisValues = z.union(
  [
    z.array(z.union([z.string(), z.number(), z.boolean()])),
    z.record(z.string().regex(/^[\w.+-]{1,32}$/), z.unknown()),
  ],
  'expected a list of plain values, or a map that gives each value a name',
);

/** The matrix as a file has it: keys but the first three are paths of the experiment's own keys. */
export const matrixSchema = z
  .object({
    compressor: z.array(compressor).min(1).refine(distinct, 'names a compressor twice'),
    folio: z.array(folio).min(1).refine(distinct, 'names a folio size twice'),
    kernel: z
      .array(kernel)
      .min(1)
      .refine((all) => distinct(all.map(({ name }) => name)), 'names a kernel twice')
      .refine((all) => distinct(all.map(({ release: one }) => one)), 'has a release twice')
      .optional(),
  })
  .catchall(axisValues);

/** Parts of an experiment whose keys may be axes. */
export const axisParts = [
  'bounds',
  'cgroup',
  'cpu',
  'iaa',
  'limits',
  'model',
  'swap',
  'thp',
  'vm',
  'workload',
  'zswap',
] as const;

/** An axis as a file has it. */
export interface GivenAxis {
  readonly path: string;
  readonly values: readonly { readonly name: string; readonly value: unknown }[];
}

/** The axes of a matrix that are keys of the experiment. */
export function axesOf({
  compressor: _c,
  folio: _f,
  kernel: _k,
  ...axes
}: z.output<typeof matrixSchema>): GivenAxis[] {
  return Object.entries(axes as Record<string, unknown>).map(([path, given]) => ({
    path,
    values: Array.isArray(given)
      ? given.map((value: unknown) => ({ name: String(value), value }))
      : Object.entries(given as object).map(([name, value]) => ({ name, value: value as unknown })),
  }));
}

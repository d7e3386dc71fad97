/** Which variant of the CPU-to-WQ mapping a kernel has, from its release and the attributes of its driver. */
import type { MappingVariant } from './iaa-mapping.js';
import { isWithin, parseRelease, type VersionRange } from './release.js';

/** The answer, and what it rests on; without a variant: why there is none. */
export interface VariantChoice {
  readonly variant: MappingVariant | undefined;
  readonly source: string;
}

const ranges: readonly (VersionRange & { readonly variant: MappingVariant; readonly source: string })[] = [
  {
    from: [6, 8, 0],
    before: [6, 16, 0],
    variant: 'node-restarting',
    source: 'Linux 6.8 to 6.15: iaa_crypto as it was merged (rebalance_wq_table)',
  },
  {
    from: [6, 16, 0],
    before: [6, 18, 33],
    variant: 'node-first',
    source: 'Linux 6.16 to 6.18.32: commit 714ca27e9bf4 counts CPUs anew in every node',
  },
  {
    from: [6, 18, 33],
    before: [6, 19, 0],
    variant: 'node-spanning',
    source: 'Linux 6.18.33 and later 6.18.y: has the backport of commit 590fa5d69c27',
  },
  {
    from: [6, 19, 0],
    before: [7, 0, 10],
    variant: 'node-first',
    source: 'Linux 6.19 to 7.0.9: commit 714ca27e9bf4 counts CPUs anew in every node',
  },
  {
    from: [7, 0, 10],
    before: undefined,
    variant: 'node-spanning',
    source: 'Linux 7.0.10 and later 7.0.y, 7.1 and later: has commit 590fa5d69c27',
  },
];

/**
 * Chooses by the attributes first: kernels with the batching patches carry any release. `release` is osrelease,
 * `attributes` the names of the driver's attributes. A distribution may have a repair of a later kernel.
 */
export function chooseVariant(release: string | undefined, attributes: readonly string[]): VariantChoice {
  const marks = ['g_comp_wqs_per_iaa', 'distribute_comps', 'distribute_decomps'];
  const found = marks.filter((name) => attributes.includes(name));
  if (found.length > 0) {
    return {
      variant: 'package',
      source: `the driver has ${found.join(', ')}: "zswap compression batching" v9 or later`,
    };
  }
  if (attributes.includes('g_wqs_per_iaa')) {
    return {
      variant: undefined,
      source: 'the driver has g_wqs_per_iaa: a version before v9 whose mapping is not known here',
    };
  }
  const version = release === undefined ? undefined : parseRelease(release);
  if (version === undefined) return { variant: undefined, source: 'the kernel release is not known' };
  const range = ranges.find((each) => isWithin(version, each));
  if (range === undefined) {
    return { variant: undefined, source: 'Linux before 6.8 has no iaa_crypto driver' };
  }
  return { variant: range.variant, source: range.source };
}

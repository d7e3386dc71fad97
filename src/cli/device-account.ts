import { isIaaCompressor } from '../kernel/iaa-crypto.js';
import type { Result } from '../study/record.js';

/** What is counted here of a WQ, of all that native/iax/device.h has. */
interface WqCounts {
  readonly compress_pages: number;
  readonly incompressible: number;
}

/** The answer of a guest's devices to `stats`. */
export type DeviceCounts = readonly { readonly wqs: readonly WqCounts[] }[];

/**
 * Sets what the devices compressed since `before` beside what the kernel says it stored through them, each term with
 * its number: compressed = zswpout of the cells with IAA - what did not shrink. One line.
 */
export function deviceAccount(before: DeviceCounts, after: DeviceCounts, results: readonly Result[]): string {
  const total = (devices: DeviceCounts, name: keyof WqCounts): number =>
    devices.flatMap(({ wqs }) => wqs).reduce((sum, wq) => sum + wq[name], 0);
  const compressed = total(after, 'compress_pages') - total(before, 'compress_pages');
  const uncompressed = total(after, 'incompressible') - total(before, 'incompressible');
  const stored = results
    .flatMap(({ cells }) => cells)
    .filter(({ cell }) => isIaaCompressor(cell.compressor))
    .reduce((sum, { values }) => sum + (values['zswpout'] ?? 0), 0);
  const shown = (count: number): string => count.toLocaleString('en-US');
  const difference = compressed - (stored - uncompressed);
  return (
    `devices: ${shown(compressed)} pages compressed; zswpout of the cells with IAA ${shown(stored)}, ` +
    `stored uncompressed ${shown(uncompressed)}: ` +
    (difference === 0 ? 'equal' : `a difference of ${shown(difference)}`)
  );
}

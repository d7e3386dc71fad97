import { UsageError } from '../errors.js';

declare const brand: unique symbol;

/** An absolute kernel path, as `/sys/module/zswap`: without `..`, `//`, NUL or a trailing slash, and without the root. */
export type HostPath = string & { readonly [brand]: 'HostPath' };

/** Joins the parts to a HostPath. Throws UsageError when the result is not an absolute, plain path. */
export function hostPath(...parts: readonly string[]): HostPath {
  const path = parts.join('/');
  const segments = path.split('/');
  if (
    segments.length < 2 ||
    segments[0] !== '' ||
    segments.slice(1).some((s) => s === '' || s === '.' || s === '..' || s.includes('\0'))
  ) {
    throw new UsageError(`not an absolute kernel path: ${JSON.stringify(path)}`);
  }
  return path as HostPath;
}

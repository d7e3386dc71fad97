/** Kernel releases (/proc/sys/kernel/osrelease) and ranges of them. */

/** Major, minor, patch. */
export type KernelVersion = readonly [number, number, number];

/** The version at the head of a release, as `6.18.33-1-amd64` or `7.1.0-rc3`; `undefined` for other text. */
export function parseRelease(release: string): KernelVersion | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,5}))?(?:[-+_~].*)?$/.exec(release);
  if (match === null) return undefined;
  return [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
}

/** Below 0 when `a` is older than `b`, 0 when they are the same. */
export function compareVersions(a: KernelVersion, b: KernelVersion): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** A range of releases; `before` is the first one outside, `undefined` for a range without end. */
export interface VersionRange {
  readonly from: KernelVersion;
  readonly before: KernelVersion | undefined;
}

export function isWithin(version: KernelVersion, range: VersionRange): boolean {
  return (
    compareVersions(version, range.from) >= 0 &&
    (range.before === undefined || compareVersions(version, range.before) < 0)
  );
}

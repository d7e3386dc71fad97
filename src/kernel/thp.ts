/**
 * Transparent huge pages: the global switches, khugepaged, and one directory per folio size (mm/huge_memory.c,
 * mm/khugepaged.c). The sizes a kernel offers depend on its page size and version (per-size files since 6.8).
 */
import type { Finding, ThpSize, ThpState } from '../discover/inventory.js';
import { type CodecName, codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { kernelFile, listDirectory, parseCount, parseWith, readFiles, readList } from './attribute.js';
import type { Counters } from './flat-keyed.js';

export const thpDirectory = hostPath('/sys/kernel/mm/transparent_hugepage');

/** Path of a machine-wide switch, as `enabled` or `khugepaged/defrag`. */
export function thpSwitch(name: string): HostPath {
  return hostPath(thpDirectory, name);
}

/** Path of a folio size's `enabled`; the size as `64kB`. */
export function thpSizeEnabled(size: string): HostPath {
  return hostPath(thpDirectory, `hugepages-${size}`, 'enabled');
}

/** Path of one of a folio size's counters; the size as `64kB`, the counter as `swpout_fallback`. */
export function thpSizeStat(size: string, counter: string): HostPath {
  return hostPath(thpDirectory, `hugepages-${size}`, 'stats', counter);
}

/** The machine-wide switches that can be set, with their codecs. */
export const thpSwitches: Readonly<Record<string, CodecName>> = {
  enabled: 'choice',
  defrag: 'choice',
  shrink_underused: 'oneZero',
  use_zero_page: 'oneZero',
  'khugepaged/defrag': 'oneZero',
  'khugepaged/alloc_sleep_millisecs': 'decimal',
  'khugepaged/scan_sleep_millisecs': 'decimal',
  'khugepaged/pages_to_scan': 'decimal',
  'khugepaged/max_ptes_none': 'decimal',
  'khugepaged/max_ptes_shared': 'decimal',
  'khugepaged/max_ptes_swap': 'decimal',
};

/** khugepaged's two counters, in events and huge pages since boot. */
export interface KhugepagedCounts {
  readonly fullScans: number | undefined;
  readonly pagesCollapsed: number | undefined;
}

/** Reads how far khugepaged has come. */
export async function readKhugepaged(host: Host, findings: Finding[]): Promise<KhugepagedCounts> {
  return readFiles(host, findings, {
    fullScans: kernelFile(thpSwitch('khugepaged/full_scans'), parseCount),
    pagesCollapsed: kernelFile(thpSwitch('khugepaged/pages_collapsed'), parseCount),
  });
}

/** The folio sizes among the names of the THP directory, as `64kB`, ascending. */
export function parseSizeNames(
  names: readonly string[],
): { readonly name: string; readonly bytes: number }[] {
  return names
    .flatMap((directory) => {
      const match = /^hugepages-(([1-9]\d{0,9})kB)$/.exec(directory);
      return match?.[1] === undefined ? [] : [{ name: match[1], bytes: Number(match[2]) * 1024 }];
    })
    .sort((a, b) => a.bytes - b.bytes);
}

/**
 * Reads a folio size's counters (stats/ of its directory), in folios; `undefined` when the kernel keeps none
 * for it. The sums over all CPUs are decimal; a counter that cannot be read is left out, with a finding.
 */
export async function readThpStats(
  host: Host,
  size: string,
  findings: Finding[],
): Promise<Counters | undefined> {
  const directory = hostPath(thpDirectory, `hugepages-${size}`, 'stats');
  const names = await listDirectory(host, findings, directory);
  if (names === undefined) return undefined;
  const values = await readList(
    host,
    findings,
    names.map((name) => kernelFile(thpSizeStat(size, name), parseWith(codecs.decimal))),
  );
  const counters = new Map<string, bigint>();
  for (const [index, name] of names.entries()) {
    const value = values[index];
    if (value !== undefined) counters.set(name, value);
  }
  return counters;
}

/** Reads the switches; `undefined` when this kernel has no transparent huge pages. */
export async function readThp(host: Host, findings: Finding[]): Promise<ThpState | undefined> {
  const names = await listDirectory(host, findings, thpDirectory);
  if (names === undefined) return undefined;
  const choice = parseWith(codecs.choice);
  const { enabled, defrag, pmdSizeBytes } = await readFiles(host, findings, {
    enabled: kernelFile(thpSwitch('enabled'), choice),
    defrag: kernelFile(thpSwitch('defrag'), choice),
    pmdSizeBytes: kernelFile(thpSwitch('hpage_pmd_size'), parseCount),
  });
  const sizes = parseSizeNames(names);
  const perSize = await readList(
    host,
    findings,
    sizes.map((size) => kernelFile(thpSizeEnabled(size.name), choice)),
  );
  return {
    enabled,
    defrag,
    pmdSizeBytes,
    sizes: sizes.map((size, index): ThpSize => ({ ...size, enabled: perSize[index] })),
  };
}

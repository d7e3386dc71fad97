/** Transparent huge pages (mm/huge_memory.c, mm/khugepaged.c). */
import { kstrto, sysfsStreq } from './parsing.js';
import type { Draft, Errno } from './tree.js';

const directory = '/sys/kernel/mm/transparent_hugepage/';

/** Marks the chosen word of `always [madvise] never`. */
function storeChoice(draft: Draft, path: string, text: string, shown: string): Errno | undefined {
  const words = shown.trim().replace(/[[\]]/g, '').split(' ');
  const chosen = words.find((word) => sysfsStreq(text, word));
  if (chosen === undefined) return 'EINVAL';
  draft.write(path, `${words.map((word) => (word === chosen ? `[${word}]` : word)).join(' ')}\n`);
  return undefined;
}

// HPAGE_PMD_NR - 1 on x86
const mostPtes = 511n;
const anyUint = { least: 0n, most: 2n ** 32n - 1n };

/** Numbers and their ranges. */
const ranges: Readonly<Record<string, { readonly least: bigint; readonly most: bigint }>> = {
  shrink_underused: { least: 0n, most: 1n },
  use_zero_page: { least: 0n, most: 1n },
  'khugepaged/alloc_sleep_millisecs': anyUint,
  'khugepaged/defrag': { least: 0n, most: 1n },
  'khugepaged/max_ptes_none': { least: 0n, most: mostPtes },
  'khugepaged/max_ptes_shared': { least: 0n, most: mostPtes },
  'khugepaged/max_ptes_swap': { least: 0n, most: mostPtes },
  'khugepaged/pages_to_scan': { least: 1n, most: anyUint.most },
  'khugepaged/scan_sleep_millisecs': anyUint,
};

/** The store behind a switch at a real path; `undefined` when the path is none. */
export function thpStore(draft: Draft, path: string): ((text: string) => Errno | undefined) | undefined {
  if (!path.startsWith(directory)) return undefined;
  const shown = draft.text(path) ?? '';
  if (/(^|\s)\[\S+\](\s|$)/.test(shown)) return (text) => storeChoice(draft, path, text, shown);
  const name = path.slice(directory.length);
  const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
  if (range === undefined) return undefined;
  return (text) => {
    const value = kstrto('ulong', 10, text);
    if (typeof value !== 'bigint' || value < range.least || value > range.most) return 'EINVAL';
    draft.write(path, `${value}\n`);
    return undefined;
  };
}

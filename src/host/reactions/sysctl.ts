/** The sysctls of memory management (kernel/sysctl.c proc_dointvec_minmax; ranges: the tables in mm/). */
import type { Draft, Errno } from './tree.js';

const directory = '/proc/sys/vm/';
const mostInt = 2 ** 31 - 1;

const ranges: Readonly<Record<string, { readonly least: number; readonly most: number }>> = {
  compaction_proactiveness: { least: 0, most: 100 },
  max_map_count: { least: 0, most: mostInt },
  min_free_kbytes: { least: 0, most: mostInt },
  overcommit_memory: { least: 0, most: 2 },
  'page-cluster': { least: 0, most: 31 },
  swappiness: { least: 0, most: 200 },
  vfs_cache_pressure: { least: 0, most: mostInt },
  watermark_boost_factor: { least: 0, most: mostInt },
  watermark_scale_factor: { least: 1, most: 3000 },
};

/** The store behind a sysctl; `undefined` when its range is not known here. */
export function sysctlStore(draft: Draft, path: string): ((text: string) => Errno | undefined) | undefined {
  const name = path.startsWith(directory) ? path.slice(directory.length) : '';
  const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
  if (range === undefined) return undefined;
  return (text) => {
    // The number ends at white space; what follows it is not read.
    const match = /^\s*(-?)(0x[0-9a-f]+|\d+)(?:\s|$)/i.exec(text);
    if (match?.[2] === undefined) return 'EINVAL';
    const octal = /^0\d/.test(match[2]);
    const value = (match[1] === '-' ? -1 : 1) * (octal ? Number.parseInt(match[2], 8) : Number(match[2]));
    if (value < range.least || value > range.most) return 'EINVAL';
    draft.write(path, `${value}\n`);
    return undefined;
  };
}

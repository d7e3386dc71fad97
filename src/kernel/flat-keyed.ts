/**
 * `name value` lines: /proc/vmstat (mm/vmstat.c vmstat_show) and the flat keyed files of cgroup v2
 * (Documentation/admin-guide/cgroup-v2.rst), as memory.stat, memory.events, cpu.stat.
 */
import { ParseError } from '../errors.js';

/** Counters by the kernel's own names, in the file's order. A name that is not there is not offered. */
export type Counters = ReadonlyMap<string, bigint>;

/** Parses `name value` lines; throws ParseError with the line. */
export function parseFlatKeyed(text: string, path: string): Counters {
  const counters = new Map<string, bigint>();
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const [index, line] of lines.entries()) {
    const match = /^([\w.()-]+) (\d{1,20})$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new ParseError({ path, line: index + 1, found: line, expected: 'a name and a decimal number' });
    }
    if (counters.has(match[1])) {
      throw new ParseError({ path, line: index + 1, found: line, expected: 'each name once' });
    }
    counters.set(match[1], BigInt(match[2]));
  }
  return counters;
}

/** /proc/meminfo (fs/proc/meminfo.c). */
import type { Finding, MemoryInfo } from '../discover/inventory.js';
import { ParseError } from '../errors.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, readFiles } from './attribute.js';
import type { Counters } from './flat-keyed.js';

export const meminfoPath = hostPath('/proc/meminfo');

/** Parses /proc/meminfo: sizes (lines in kB) in bytes, counts (HugePages_*) as they are; throws ParseError with the line. */
export function parseMeminfo(text: string, path: string = meminfoPath): Counters {
  const values = new Map<string, bigint>();
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const [index, line] of lines.entries()) {
    const match = /^([\w()]+): +(\d{1,20})( kB)?$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new ParseError({ path, line: index + 1, found: line, expected: 'Name: number [kB]' });
    }
    values.set(match[1], BigInt(match[2]) * (match[3] === undefined ? 1n : 1024n));
  }
  return values;
}

/** Reads the machine's memory size; `undefined` when /proc/meminfo does not say, with a finding where that is a fault. */
export async function readMemory(host: Host, findings: Finding[]): Promise<MemoryInfo | undefined> {
  const { memory } = await readFiles(host, findings, {
    memory: kernelFile(meminfoPath, (text, path) => {
      const values = parseMeminfo(text, path);
      const total = values.get('MemTotal');
      const available = values.get('MemAvailable');
      if (total === undefined || available === undefined) {
        throw new ParseError({ path, found: text, expected: 'lines MemTotal and MemAvailable' });
      }
      return { totalBytes: Number(total), availableBytes: Number(available) };
    }),
  });
  return memory;
}

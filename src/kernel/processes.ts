/** Processes and what of them is swapped out or in huge pages (fs/proc/array.c, fs/proc/task_mmu.c task_mem). */
import { ParseError } from '../errors.js';
import { chomp } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';

export const procDirectory = hostPath('/proc');

/** A process as /proc/PID/status shows it. */
export interface ProcessMemory {
  readonly pid: number;
  /** The first 15 bytes of its name. */
  readonly name: string;
  /** VmSwap: anonymous memory in swap or zswap, shared memory not counted. */
  readonly swapBytes: number;
  /** HugetlbPages. */
  readonly hugetlbBytes: number;
}

/** Parses /proc/PID/status; kernel threads have no memory lines, so 0. Throws ParseError. */
export function parseProcessStatus(text: string, path: string): Omit<ProcessMemory, 'pid'> {
  const name = /^Name:\t(.*)$/m.exec(text)?.[1];
  if (name === undefined) throw new ParseError({ path, found: text, expected: 'a line Name' });
  const kibibytes = (field: string): number => {
    const match = new RegExp(`^${field}:\\s+(\\S.*)$`, 'm').exec(text);
    if (match?.[1] === undefined) return 0;
    const size = /^(\d{1,15}) kB$/.exec(match[1])?.[1];
    if (size === undefined) throw new ParseError({ path, found: match[0], expected: `${field} in kB` });
    return Number(size) * 1024;
  };
  return { name, swapBytes: kibibytes('VmSwap'), hugetlbBytes: kibibytes('HugetlbPages') };
}

/** The texts of one file of every process that has it and lets us read it; processes come and go meanwhile. */
async function readEach(host: Host, file: string): Promise<{ pid: number; path: string; text: string }[]> {
  const names = (await host.list(procDirectory)) ?? [];
  const pids = names.filter((name) => /^[1-9]\d{0,9}$/.test(name)).map(Number);
  const paths = pids.map((pid) => hostPath(procDirectory, String(pid), file));
  const outcomes = await host.probe(paths);
  return outcomes.flatMap((outcome, index) => {
    const pid = pids[index];
    const path = paths[index];
    return outcome.ok && pid !== undefined && path !== undefined ? [{ pid, path, text: outcome.text }] : [];
  });
}

/** Names (the first 15 bytes) of the processes that run, each once. */
export async function readProcessNames(host: Host): Promise<ReadonlySet<string>> {
  return new Set((await readEach(host, 'comm')).map(({ text }) => chomp(text)));
}

/** All processes with their swapped memory, most first; one whose status is malformed is left out. */
export async function readProcessMemory(host: Host): Promise<ProcessMemory[]> {
  const processes = (await readEach(host, 'status')).flatMap(({ pid, path, text }) => {
    try {
      return [{ pid, ...parseProcessStatus(text, path) }];
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      return [];
    }
  });
  return processes.sort((a, b) => b.swapBytes - a.swapBytes || a.pid - b.pid);
}

/** Where pages come from: files, standard input, the anonymous memory of processes. */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { RequirementError, UsageError } from '../errors.js';

export const pageBytes = 4096;

/** Pages in groups of one folio size. */
export interface PageSource {
  readonly name: string;
  readonly folios: number;
  /**
   * Copies the pages that the folio `index` has into `into`, one after the other, and returns their number; 0 when
   * they are gone by now.
   */
  read(index: number, into: Uint8Array): number;
  close(): void;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** Reads until `into` is full or there is no more; the number of bytes. */
function readFully(fd: number, into: Uint8Array, position: number | null): number {
  let done = 0;
  while (done < into.length) {
    const at = position === null ? null : position + done;
    const count = readSync(fd, into, done, into.length - done, at);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** The most that standard input may hold: it has to be kept. */
const largestInput = 1024 * 1024 * 1024;

/** A file's pages; the last is filled up with zeros, as the page cache does. `-` is standard input. */
export function openFile(path: string, folioBytes: number): PageSource {
  const name = path === '-' ? 'standard input' : path;
  let fd = 0;
  if (path !== '-') {
    try {
      // O_NONBLOCK: a FIFO without a writer must not hang.
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw new RequirementError(`${name} cannot be opened: ${codeOf(error)}`, { cause: error });
    }
  }
  const close = () => {
    if (path !== '-') closeSync(fd);
  };
  const status = fstatSync(fd);
  if (path !== '-' && !status.isFile()) {
    close();
    throw new UsageError(`${name} is not a regular file`, { hint: "use '-' for standard input" });
  }
  if (!status.isFile()) return bytesSource(name, readInput(), folioBytes);
  const { size } = status;
  return {
    name,
    folios: Math.ceil(size / folioBytes),
    read(index, into) {
      const count = readFully(fd, into.subarray(0, folioBytes), index * folioBytes);
      into.fill(0, count, folioBytes);
      return Math.ceil(count / pageBytes);
    },
    close,
  };
}

function readInput(): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const part = new Uint8Array(1 << 20);
    const count = readInputPart(part);
    if (count === 0) break;
    size += count;
    if (size > largestInput) {
      throw new UsageError('standard input is larger than 1 GiB', { hint: 'give it as a file' });
    }
    parts.push(part.subarray(0, count));
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One read of standard input; a terminal's or pipe's "not yet" is waited for. */
function readInputPart(part: Uint8Array): number {
  for (;;) {
    try {
      return readSync(0, part);
    } catch (error) {
      if (codeOf(error) === 'EOF') return 0;
      if (codeOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function bytesSource(name: string, bytes: Uint8Array, folioBytes: number): PageSource {
  return {
    name,
    folios: Math.ceil(bytes.length / folioBytes),
    read(index, into) {
      const part = bytes.subarray(index * folioBytes, (index + 1) * folioBytes);
      into.set(part);
      into.fill(0, part.length, folioBytes);
      return Math.ceil(part.length / pageBytes);
    },
    close: () => {},
  };
}

/** Bits of a pagemap entry's upper half (Documentation/admin-guide/mm/pagemap.rst). */
const present = 0x8000_0000;
const fileOrShared = 0x2000_0000;

/** Pages looked up in pagemap at once. */
const lookUpPages = 8192;

/**
 * The anonymous pages of a process that are in memory: the ones zswap would get. Pages that are swapped out are left
 * there. Throws RequirementError when there is no such process or its memory must not be read.
 */
export function openProcess(pid: number, folioBytes: number): PageSource {
  const directory = `/proc/${pid}`;
  const fds: number[] = [];
  const close = () => {
    for (const fd of fds.splice(0)) closeSync(fd);
  };
  try {
    const maps = readFileSync(`${directory}/maps`, 'utf8');
    const pagemap = openSync(`${directory}/pagemap`, 'r');
    fds.push(pagemap);
    const memory = openSync(`${directory}/mem`, 'r');
    fds.push(memory);
    return processSource(pid, { maps, pagemap, memory }, folioBytes, close);
  } catch (error) {
    close();
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ESRCH') {
      throw new RequirementError(`there is no process ${pid}`, { cause: error });
    }
    throw new RequirementError(`the memory of process ${pid} cannot be read: ${code}`, {
      cause: error,
      hint: 'run as root or as its user; /proc/sys/kernel/yama/ptrace_scope may forbid it too',
    });
  }
}

function processSource(
  pid: number,
  files: { maps: string; pagemap: number; memory: number },
  folioBytes: number,
  close: () => void,
): PageSource {
  const folioPages = folioBytes / pageBytes;
  const entries = new Uint8Array(8 * Math.max(lookUpPages, folioPages));
  const view = new DataView(entries.buffer);
  /** Pages from `address` on that pagemap tells about; fewer than asked for once the process is gone. */
  const lookUp = (address: number, pages: number): number => {
    try {
      return Math.floor(
        readFully(files.pagemap, entries.subarray(0, 8 * pages), (address / pageBytes) * 8) / 8,
      );
    } catch (error) {
      if (codeOf(error) === 'ESRCH') return 0;
      throw error;
    }
  };
  const isAnonymous = (index: number): boolean => {
    const upper = view.getUint32(8 * index + 4, true);
    return (upper & present) !== 0 && (upper & fileOrShared) === 0;
  };

  // Runs of folios with at least one page, each with the number of folios before it.
  const starts: number[] = [];
  const before: number[] = [];
  let folios = 0;
  let last = -1;
  const add = (address: number): void => {
    if (address === last) return;
    if (address !== last + folioBytes || starts.length === 0) {
      starts.push(address);
      before.push(folios);
    }
    last = address;
    folios += 1;
  };
  for (const [start, end] of privateRanges(files.maps)) {
    for (let at = start; at < end; at += lookUpPages * pageBytes) {
      const count = lookUp(at, Math.min(lookUpPages, (end - at) / pageBytes));
      for (let i = 0; i < count; i++) {
        if (isAnonymous(i)) add(Math.floor((at + i * pageBytes) / folioBytes) * folioBytes);
      }
    }
  }

  return {
    name: `process ${pid}`,
    folios,
    read(index, into) {
      let low = 0;
      let high = starts.length - 1;
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if ((before[middle] ?? 0) <= index) low = middle;
        else high = middle - 1;
      }
      const address = (starts[low] ?? 0) + (index - (before[low] ?? 0)) * folioBytes;
      const count = lookUp(address, folioPages);
      let pages = 0;
      for (let i = 0; i < count; i++) {
        if (!isAnonymous(i)) continue;
        const page = into.subarray(pages * pageBytes, (pages + 1) * pageBytes);
        if (readPage(files.memory, page, address + i * pageBytes)) pages += 1;
      }
      return pages;
    },
    close,
  };
}

/** False when the page is gone by now. */
function readPage(memory: number, page: Uint8Array, address: number): boolean {
  try {
    return readFully(memory, page, address) === pageBytes;
  } catch (error) {
    if (['EIO', 'ESRCH', 'EFAULT'].includes(codeOf(error))) return false;
    throw error;
  }
}

/** Start and end of the private mappings; the kernel's own are no memory of the process. */
function privateRanges(maps: string): [number, number][] {
  const ranges: [number, number][] = [];
  for (const line of maps.split('\n')) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) ...p \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (match === null || /^\[v/.test(match[3] ?? '')) continue;
    ranges.push([Number.parseInt(match[1] ?? '', 16), Number.parseInt(match[2] ?? '', 16)]);
  }
  return ranges;
}

/** Numbers of the processes in a cgroup v2 and those below it. A relative path is one below /sys/fs/cgroup. */
export function processesOf(cgroup: string): number[] {
  const directory = resolve('/sys/fs/cgroup', cgroup);
  const found: number[] = [];
  const visit = (path: string): void => {
    found.push(...readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number));
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) visit(join(path, entry.name));
    }
  };
  try {
    visit(directory);
  } catch (error) {
    throw new RequirementError(`the processes of ${directory} cannot be read: ${codeOf(error)}`, {
      cause: error,
      hint: 'give a cgroup v2 directory',
    });
  }
  return [...new Set(found)].sort((a, b) => a - b);
}

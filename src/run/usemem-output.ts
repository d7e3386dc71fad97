import { ParseError } from '../errors.js';

/** A process's (or thread's) throughput line, `12079595520 bytes / 58097421 usecs = 203046 KB/s`. */
export interface UsememProcess {
  /** Credited bytes: 1.125 x what was written (docs/usemem.md). */
  readonly bytes: bigint;
  readonly usecs: bigint;
  /** One KB is 1024 bytes. */
  readonly kbPerSec: bigint;
}

/** What usemem printed, ours or vm-scalability's. */
export interface UsememOutput {
  /** Time of setting up (--init-time); undefined when it was not asked for. */
  readonly initUsecs: bigint | undefined;
  /** In the order of their ends. */
  readonly processes: readonly UsememProcess[];
  /** Reading all once more (-Z), by task in the order of their ends: no part of the throughput. */
  readonly readAgain: readonly UsememProcess[];
  /** How long each process took to free its memory, in the order of their ends. */
  readonly freeUsecs: readonly bigint[];
}

/** The rate that usemem prints: both divisions round down. */
function kbPerSecOf(bytes: bigint, usecs: bigint): bigint {
  return (bytes * 1_000_000n) / 1024n / usecs;
}

/**
 * Reads usemem's stdout; of the dots that the original puts between passes (-r without -q) nothing is kept. Throws ParseError with the line for anything but its lines, for a rate that is not
 * that of its bytes and usecs, and for a last line that was cut off.
 */
export function parseUsemem(stdout: string): UsememOutput {
  const lines = stdout.split('\n');
  const rest = lines.pop();
  const malformed = (index: number, found: string, expected: string) =>
    new ParseError({ path: 'output of usemem', line: index + 1, found, expected });
  if (rest !== undefined && rest !== '') throw malformed(lines.length, rest, 'a whole line');

  let initUsecs: bigint | undefined;
  const processes: UsememProcess[] = [];
  const readAgain: UsememProcess[] = [];
  const freeUsecs: bigint[] = [];
  for (const [index, whole] of lines.entries()) {
    const line = whole.replace(/^\.+/, '');
    const number = (text: string | undefined): bigint => {
      if (text === undefined || text.length > 20) throw malformed(index, whole, 'numbers of 64 bits');
      return BigInt(text);
    };
    const throughput = /^(read again )?(\d+) bytes \/ (\d+) usecs = (\d+) KB\/s$/.exec(line);
    const free = /^(\d+) usecs to free memory$/.exec(line);
    const init = /^the initialization time is (\d+) secs (\d+) usecs$/.exec(line);
    if (throughput !== null) {
      const [bytes, usecs, kbPerSec] = throughput.slice(2).map(number) as [bigint, bigint, bigint];
      if (usecs === 0n || kbPerSec !== kbPerSecOf(bytes, usecs)) {
        throw malformed(index, whole, 'the KB/s that the bytes and usecs give');
      }
      (throughput[1] === undefined ? processes : readAgain).push({ bytes, usecs, kbPerSec });
    } else if (free !== null) {
      freeUsecs.push(number(free[1]));
    } else if (init !== null && initUsecs === undefined) {
      initUsecs = number(init[1]) * 1_000_000n + number(init[2]);
    } else {
      throw malformed(index, whole, "a line of usemem's output");
    }
  }
  return { initUsecs, processes, readAgain, freeUsecs };
}

/** Sum of the processes' rates, KB/s: the cover letter's "Total throughput". */
export function totalThroughput(processes: readonly UsememProcess[]): bigint {
  return processes.reduce((sum, process) => sum + process.kbPerSec, 0n);
}

/** The cover letter's "Avg throughput", KB/s: the total over the processes, of which there is one at least, rounded down. */
export function averageThroughput(processes: readonly UsememProcess[]): bigint {
  return totalThroughput(processes) / BigInt(processes.length);
}

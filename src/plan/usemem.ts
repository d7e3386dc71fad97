import type { CpuTopology } from '../discover/inventory.js';
import type { UsememParameters } from '../experiment/schema.js';
import { formatSize } from '../experiment/size.js';

/** usemem as a plan holds it: its arguments without the program, and what they amount to. */
export interface UsememTask {
  readonly arguments: readonly string[];
  /** Bytes that all tasks write together. */
  readonly totalBytes: bigint;
  /** CPUs the tasks are bound to; empty without -b. */
  readonly cpus: readonly number[];
  /** Seconds it sleeps after its work (-s). */
  readonly sleepSeconds: number;
}

/** The command line of the cover letter for these parameters: `--init-time -w -O -b 1 -s 10 -n 30 10g`. */
export function usememTask(parameters: UsememParameters, cpu: CpuTopology): UsememTask {
  const { processes, size, bind } = parameters;
  const options: [string, string | number | undefined][] = [
    ['-b', bind],
    ['-s', parameters.sleep_s],
    ['-n', processes],
    ['-t', parameters.threads],
    ['-u', parameters.unit === undefined ? undefined : formatSize(parameters.unit)],
    ['-j', parameters.step === undefined ? undefined : formatSize(parameters.step)],
    ['--content', parameters.content],
    ['--seed', parameters.seed],
  ];
  const given = options.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)]));
  // Each thread is a task of its own and writes `size`.
  const tasks = processes * (parameters.threads ?? 1);
  const onlineCount = Math.max(cpu.online.length, 1);
  const cpus =
    bind === undefined ? [] : Array.from({ length: tasks }, (_, index) => (index * bind) % onlineCount);
  return {
    arguments: ['--init-time', '-w', '-O', ...given, formatSize(size)],
    totalBytes: BigInt(tasks) * size,
    cpus: [...new Set(cpus)].sort((a, b) => a - b),
    sleepSeconds: parameters.sleep_s,
  };
}

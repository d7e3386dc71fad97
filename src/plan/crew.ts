import type { CpuTopology } from '../discover/inventory.js';
import type { Need, WorkloadTask } from './workload-task.js';

/** How many processes and threads one of this package's own workloads has, and where. */
export interface Crew {
  readonly processes: number;
  readonly threads?: number | undefined;
  readonly bind?: number | undefined;
}

/** Every process, or each of their threads. */
export function tasksOf({ processes, threads = 1 }: Crew): number {
  return processes * threads;
}

/** The CPUs that native/crew binds its tasks to. */
export function bindOf(crew: Crew, cpu: CpuTopology): WorkloadTask['bind'] {
  const { bind: interval } = crew;
  if (interval === undefined) return undefined;
  const online = Math.max(cpu.online.length, 1);
  const cpus = Array.from({ length: tasksOf(crew) }, (_, index) => (index * interval) % online);
  return { interval, cpus: [...new Set(cpus)].sort((a, b) => a - b) };
}

/** Options that were given, each with its value. */
export function optionWords(options: readonly (readonly [string, string | number | undefined])[]): string[] {
  return options.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)]));
}

/** The corpus of `file:PATH` contents. */
export function contentNeeds(kind: string, content: string | undefined): Need[] {
  const path = /^file:(.*)$/.exec(content ?? '')?.[1];
  return path === undefined ? [] : [{ path, mode: 'r', what: `workload.${kind}.content` }];
}

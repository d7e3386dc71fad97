import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process of ours that outlives the one that started it. */
export interface OwnProcess {
  readonly pid: number;
  /** When it was started, clock ticks since the machine's boot: tells it from another with its pid. */
  readonly startTicks: string;
}

/** Field 22 of /proc/PID/stat (proc(5)); undefined when there is no such process or it is dead already. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, field 2, may hold blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** A process that has just been started. */
export function ownProcess(pid: number): OwnProcess {
  return { pid, startTicks: startTicks(pid) ?? '' };
}

/** Whether exactly that process runs. */
export function isAlive({ pid, startTicks: started }: OwnProcess): boolean {
  return startTicks(pid) === started;
}

/** Waits for its end; false when it still runs after `limitMs`. */
export async function hasEnded(one: OwnProcess, limitMs: number): Promise<boolean> {
  for (let waitedMs = 0; isAlive(one) && waitedMs < limitMs; waitedMs += 20) await sleep(20);
  return !isAlive(one);
}

/** Ends it by SIGTERM, or else by SIGKILL; false when it still runs then. */
export async function end(one: OwnProcess): Promise<boolean> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (isAlive(one)) process.kill(one.pid, signal);
    if (await hasEnded(one, 3_000)) return true;
  }
  return false;
}

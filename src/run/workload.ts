import { emptyCgroup } from '../apply/restore.js';
import { type Snapshot, takeSnapshot } from '../collect/snapshot.js';
import { WorkloadError } from '../errors.js';
import type { Host, WorkloadExit, WorkloadSpec } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';

export interface WorkloadLimits {
  /** The whole workload. */
  readonly timeMs: number;
  /** Without any use of CPU by the group. */
  readonly noProgressMs: number;
}

export interface WorkloadOptions extends WorkloadLimits {
  /** What messages call it; default: the workload. */
  readonly what?: string;
  /** The key of an experiment that has its time; default: limits.time_s. */
  readonly timeKey?: string;
  readonly signal?: AbortSignal | undefined;
  /** Files that each look reads, beside the group's cpu.stat. */
  readonly lookPaths: readonly HostPath[];
  /** Called with what each look saw. */
  readonly onLook: (snapshot: Snapshot) => void;
}

/** How often a running workload is looked at (ms). memory.stat makes the kernel sum up its per-CPU counters, so not more often. */
const lookMs = 500;

/**
 * Runs a workload inside a cgroup to its end. It is ended, with all it forked (cgroup.kill), when it runs out of
 * time, makes no progress, or `signal` aborts; then throws WorkloadError, or the signal's reason.
 */
export async function runWorkload(
  host: Host,
  spec: WorkloadSpec,
  cgroup: HostPath,
  options: WorkloadOptions,
): Promise<WorkloadExit> {
  const { what = 'the workload', timeKey = 'limits.time_s' } = options;
  options.signal?.throwIfAborted();
  const running = host.launch(spec, cgroup);
  let ended = false;
  const exit = running.exit.finally(() => {
    ended = true;
  });
  // Awaited below; a failure before that must not count as unhandled.
  exit.catch(() => {});
  try {
    await watch();
    return await exit;
  } catch (error) {
    // First, since it may be on its way into the group.
    running.kill();
    await emptyCgroup(host, cgroup);
    await exit.catch(() => {});
    throw error;
  }

  async function watch(): Promise<void> {
    const cpuStat = hostPath(cgroup, 'cpu.stat');
    const begin = host.now();
    let usage = '';
    let progressAt = begin;
    while (!ended) {
      await Promise.race([exit.catch(() => {}), host.delay(lookMs, options.signal)]);
      options.signal?.throwIfAborted();
      if (ended) return;
      const snapshot = await takeSnapshot(host, [cpuStat, ...options.lookPaths]);
      options.onLook(snapshot);
      const now = host.now();
      const usageNow = /^usage_usec (\d+)$/m.exec(snapshot.files[cpuStat] ?? '')?.[1] ?? '';
      if (usageNow !== usage) {
        usage = usageNow;
        progressAt = now;
      }
      if (now - begin > BigInt(options.timeMs) * 1_000_000n) {
        throw new WorkloadError(`${what} did not end within ${options.timeMs / 1000} s`, {
          hint: `raise ${timeKey}`,
        });
      }
      if (now - progressAt > BigInt(options.noProgressMs) * 1_000_000n) {
        throw new WorkloadError(`${what} used no CPU for ${options.noProgressMs / 1000} s`, {
          hint: 'it hangs (look at the kernel log), or raise limits.no_progress_s',
        });
      }
    }
  }
}

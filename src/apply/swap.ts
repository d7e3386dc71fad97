import { CommandError } from '../errors.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { readCgroupUse } from '../kernel/cgroup-use.js';
import { cgroupFile } from '../kernel/memcg.js';
import { parseSwaps, swapsPath } from '../kernel/swap.js';

/** Reading an area back takes as long as its device and compressor need for every page in it (ms). */
const swapOffTimeLimitMs = 30 * 60_000;

/**
 * Swaps an area off, after a look whether what is in it fits: swapoff charges each page to its owner's cgroup, and
 * makes its caller the first victim of the OOM killer, so it runs in a child (mm/swapfile.c).
 */
export async function swapOff(
  host: Host,
  area: HostPath,
): Promise<'nothing to do' | 'swapped off' | { readonly problem: string }> {
  const [text = ''] = await host.read([swapsPath]);
  const used = parseSwaps(text).find(({ path }) => path === area)?.usedKiB;
  if (used === undefined) return 'nothing to do';
  const obstacle = used === 0 ? undefined : await whyNot(host, used);
  if (obstacle !== undefined) return { problem: `${used} KiB are in it, and ${obstacle}` };
  const argv = ['swapoff', area];
  const { exitCode, stderr } = await host.exec(argv, { timeLimitMs: swapOffTimeLimitMs });
  if (exitCode !== 0) throw new CommandError(argv, `exit code ${exitCode}: ${stderr.trim()}`);
  return 'swapped off';
}

async function whyNot(host: Host, usedKiB: number): Promise<string | undefined> {
  const [meminfo = ''] = await host.read([hostPath('/proc/meminfo')]);
  const available = Number(/^MemAvailable:\s*(\d+) kB$/m.exec(meminfo)?.[1] ?? 0);
  if (usedKiB > available) return `only ${available} KiB of memory are available`;
  const mount = hostPath('/sys/fs/cgroup');
  for (const { group, swapBytes } of await readCgroupUse(host, mount)) {
    if (swapBytes === 0 || group === '/') continue;
    const directory = hostPath(mount, group.slice(1));
    const [max, current] = await host.tryRead([
      cgroupFile(directory, 'memory.max'),
      cgroupFile(directory, 'memory.current'),
    ]);
    if (max === undefined || current === undefined || max.trim() === 'max') continue;
    if (Number(current) + swapBytes > Number(max)) {
      return `cgroup ${group} may hold ${max.trim()} bytes, fewer than it has in memory and swap`;
    }
  }
  return undefined;
}

import { parseExperiment } from '../../src/experiment/file.js';
import type { Experiment } from '../../src/experiment/schema.js';
import { MemoryHost } from './memory-host.js';

const thp = '/sys/kernel/mm/transparent_hugepage';
const zswap = '/sys/module/zswap/parameters';
const cgroup = '/sys/fs/cgroup';

/** A machine of two CPUs, 2 GiB, swap, zswap that was never enabled, three THP sizes and a bare cgroup v2. */
export function smallMachine(): MemoryHost {
  const host = new MemoryHost({
    '/proc/sys/kernel/osrelease': '7.3.4-test\n',
    '/proc/version': 'Linux version 7.3.4-test\n',
    '/proc/cmdline': 'quiet\n',
    '/proc/sys/kernel/random/boot_id': '11111111-2222-3333-4444-555555555555\n',
    '/proc/cpuinfo': 'processor\t: 0\nmodel name\t: Test CPU\nmicrocode\t: 0x1\nflags\t\t: fpu hypervisor\n',
    '/proc/meminfo': 'MemTotal:        2048000 kB\nMemAvailable:    1800000 kB\n',
    '/proc/swaps':
      'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/vda                                partition\t4194300\t\t0\t\t-2\n',
    '/proc/crypto':
      'name         : lzo\ndriver       : lzo-scomp\nmodule       : kernel\npriority     : 0\nrefcnt       : 1\nselftest     : passed\ninternal     : no\ntype         : scomp\n\n',
    '/proc/vmstat': 'zswpin 0\nzswpout 0\n',
    '/proc/self/mountinfo':
      '24 1 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n25 1 0:23 / /sys/kernel/debug rw - debugfs debugfs rw\n',
    '/sys/devices/system/cpu/possible': '0-1\n',
    '/sys/devices/system/cpu/online': '0-1\n',
    '/sys/devices/system/cpu/cpu0/topology/physical_package_id': '0\n',
    '/sys/devices/system/cpu/cpu1/topology/physical_package_id': '0\n',
    '/sys/devices/system/node/online': '0\n',
    '/sys/devices/system/node/node0/cpulist': '0-1\n',
    '/sys/kernel/debug/sleep_time': '0\n',
    [`${zswap}/enabled`]: 'N\n',
    [`${zswap}/compressor`]: 'lzo\n',
    [`${zswap}/max_pool_percent`]: '20\n',
    [`${zswap}/accept_threshold_percent`]: '90\n',
    [`${zswap}/shrinker_enabled`]: 'Y\n',
    [`${thp}/enabled`]: 'always [madvise] never\n',
    [`${thp}/defrag`]: 'always defer defer+madvise [madvise] never\n',
    [`${thp}/hpage_pmd_size`]: '2097152\n',
    [`${thp}/hugepages-8kB/shmem_enabled`]: 'always inherit within_size advise [never]\n',
    [`${thp}/hugepages-64kB/enabled`]: 'always inherit madvise [never]\n',
    [`${thp}/hugepages-128kB/enabled`]: 'always [inherit] madvise never\n',
    [`${thp}/hugepages-2048kB/enabled`]: 'always [inherit] madvise never\n',
    '/proc/sys/vm/page-cluster': '3\n',
    '/proc/sys/vm/swappiness': '60\n',
    '/proc/sys/vm/min_free_kbytes': '30000\n',
    [`${cgroup}/cgroup.controllers`]: 'cpuset cpu io memory pids\n',
    [`${cgroup}/cgroup.subtree_control`]: '\n',
  });
  for (const path of host.files.keys()) {
    if (path.startsWith(thp) && /\[/.test(host.files.get(path) ?? '')) host.react(path, chooseIn(path));
  }
  host.react(`${zswap}/enabled`, (text, at) => {
    if (/^[1Yy]/.test(text)) at.files.set('/sys/kernel/debug/zswap/pool_total_size', '0\n');
    return /^[1Yy]/.test(text) ? 'Y\n' : 'N\n';
  });
  host.react(`${zswap}/compressor`, (text, at) => {
    const known = ['lzo', 'zstd'].includes(text.trim());
    if (!known && at.files.has('/sys/kernel/debug/zswap/pool_total_size')) {
      throw at.error('write', `${zswap}/compressor`, 'ENOENT', text);
    }
    return `${text.trim()}\n`;
  });
  host.react(`${cgroup}/cgroup.subtree_control`, (text, at) => {
    const now = new Set((at.files.get(`${cgroup}/cgroup.subtree_control`) ?? '').trim().split(' '));
    now.delete('');
    const name = text.trim().slice(1);
    if (text.startsWith('+')) now.add(name);
    else now.delete(name);
    return `${[...now].join(' ')}\n`;
  });
  host.onMkdir = (path) => {
    host.files.set(`${path}/cgroup.events`, 'populated 0\nfrozen 0\n');
    host.files.set(`${path}/cgroup.kill`, '');
    for (const name of ['memory.high', 'memory.max', 'memory.swap.max'])
      host.files.set(`${path}/${name}`, 'max\n');
  };
  return host;
}

/** What a write to a file of choices makes of it: `always [madvise] never`. */
function chooseIn(path: string): (text: string, host: MemoryHost) => string {
  return (text, host) => {
    const words = (host.files.get(path) ?? '').replace(/[[\]\n]/g, '').split(' ');
    const chosen = text.trim();
    if (!words.includes(chosen)) throw host.error('write', path, 'EINVAL', text);
    // khugepaged starts or stops, and the kernel sets its own idea of min_free_kbytes (seen on 7.3).
    if (path === `${thp}/enabled`)
      host.files.set('/proc/sys/vm/min_free_kbytes', chosen === 'never' ? '5578\n' : '45056\n');
    return `${words.map((word) => (word === chosen ? `[${word}]` : word)).join(' ')}\n`;
  };
}

/** An experiment of one cell for the small machine; `more` is added to its YAML. */
export function smallExperiment(more = ''): Experiment {
  return parseExperiment(
    `name: small
matrix: { compressor: [zstd], folio: [64kB] }
zswap: { max_pool_percent: 50, shrinker_enabled: false }
vm: { page-cluster: 0 }
cgroup: { memory.high: 64M }
workload: { usemem: { processes: 2, size: 64M, bind: 1 } }
${more}`,
    'small.yaml',
  );
}

/** The texts of all files, for comparing before and after. */
export function textsOf(host: MemoryHost): Record<string, string> {
  return Object.fromEntries(
    [...host.files].filter(([path]) => !path.startsWith('/sys/kernel/debug/zswap')).sort(),
  );
}

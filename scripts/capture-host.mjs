// Writes the kernel files that iaa-zswap reads, of this machine or of the tree ROOT, as one archive to standard
// output: node scripts/capture-host.mjs [ROOT] >test/hosts/NAME.host. Run as root, or debugfs is not in it. Needs
// 'npm run build'. The machine id stays out; the kernel's command line is in it: read it before you give it away.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packTree } from '../dist/testing.js';

const root = process.argv[2] ?? '/';

/** Paths of a directory's entries whose names match, in order of their numbers. */
function below(directory, pattern, rest) {
  return readdirSync(join(root, directory))
    .filter((name) => pattern.test(name))
    .map((name) => `${directory}/${name}/${rest}`);
}

const release = readFileSync(join(root, '/proc/sys/kernel/osrelease'), 'utf8').trimEnd();
const paths = [
  `/boot/config-${release}`,
  '/proc/cmdline',
  '/proc/cpuinfo',
  '/proc/meminfo',
  '/proc/self/mountinfo',
  '/proc/swaps',
  '/proc/sys/kernel/osrelease',
  '/proc/sys/kernel/random/boot_id',
  ...[
    'compaction_proactiveness',
    'max_map_count',
    'min_free_kbytes',
    'overcommit_memory',
    'page-cluster',
  ].map((name) => `/proc/sys/vm/${name}`),
  ...['swappiness', 'vfs_cache_pressure', 'watermark_boost_factor', 'watermark_scale_factor'].map(
    (name) => `/proc/sys/vm/${name}`,
  ),
  '/proc/version',
  '/proc/vmstat',
  '/run/systemd/system',
  '/sys/devices/system/clocksource/clocksource0/current_clocksource',
  '/sys/devices/system/cpu/online',
  '/sys/devices/system/cpu/possible',
  ...below('/sys/devices/system/cpu', /^cpu\d+$/, 'topology/physical_package_id'),
  ...below('/sys/devices/system/node', /^node\d+$/, 'cpulist'),
  ...['cgroup.controllers', 'cgroup.subtree_control'].map((name) => `/sys/fs/cgroup/${name}`),
  '/sys/kernel/debug/zswap',
  '/sys/kernel/mm/lru_gen/enabled',
  '/sys/kernel/mm/transparent_hugepage',
  '/sys/module/zswap/parameters',
];
process.stdout.write(packTree(root, paths, [`Captured by scripts/capture-host.mjs from Linux ${release}.`]));

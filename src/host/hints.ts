/** What to do about a failed operation. Hints are for people; no code decides anything by them. */
import type { HostOperation } from '../errors.js';

interface HintRule {
  readonly operations: readonly HostOperation[];
  readonly path: RegExp;
  readonly errnoCodes: readonly string[];
  readonly hint: string;
}

const read: readonly HostOperation[] = ['read', 'list', 'readlink', 'statfs', 'open'];
const change: readonly HostOperation[] = ['write', 'mkdir', 'rmdir'];
const any: readonly HostOperation[] = [...read, ...change];

/** The first rule that fits counts: particular paths stand before general ones. */
const rules: readonly HintRule[] = [
  {
    operations: ['write'],
    path: /^\/sys\/module\/zswap\/parameters\/compressor$/,
    errnoCodes: ['ENOENT'],
    hint: 'this kernel has no such compressor: see /proc/crypto, load its module (for deflate-iaa: modprobe iaa_crypto) or choose another',
  },
  {
    operations: ['write'],
    path: /^\/sys\/module\/zswap\/parameters\/compressor$/,
    errnoCodes: ['EINVAL'],
    hint: 'zswap could not make a pool with this compressor: dmesg says why',
  },
  {
    operations: ['write'],
    path: /^\/sys\/module\/zswap\/parameters\/(enabled|compressor)$/,
    errnoCodes: ['ENODEV'],
    hint: 'zswap could not be set up (no usable compressor or pool): dmesg says why; only a reboot gives it another try',
  },
  {
    operations: ['write'],
    path: /\/cgroup\.subtree_control$/,
    errnoCodes: ['EBUSY'],
    hint: 'there are processes in the cgroup itself: move them to a child cgroup first (cgroups(7), no internal processes)',
  },
  {
    operations: ['write'],
    path: /\/cgroup\.subtree_control$/,
    errnoCodes: ['ENOENT'],
    hint: "a controller named there is not in this cgroup's cgroup.controllers: enable it in the parent first",
  },
  {
    operations: ['rmdir'],
    path: /^\/sys\/fs\/cgroup\//,
    errnoCodes: ['EBUSY'],
    hint: 'there are processes or child cgroups in it: see its cgroup.procs; writing 1 to its cgroup.kill ends them',
  },
  {
    operations: ['write'],
    path: /\/memory\.[a-z.]+$/,
    errnoCodes: ['EINVAL'],
    hint: "a memory limit is a number of bytes (K, M and G are allowed) or 'max'",
  },
  {
    operations: ['write'],
    path: /\/memory\.max$/,
    errnoCodes: ['EBUSY', 'EINTR'],
    hint: 'the group holds more than this limit and its memory could not be reclaimed',
  },
  {
    operations: any,
    path: /^\/sys\/kernel\/debug(\/|$)/,
    errnoCodes: ['EACCES'],
    hint: 'debugfs is for root: run as root',
  },
  {
    operations: any,
    path: /^\/sys\/kernel\/debug(\/|$)/,
    errnoCodes: ['EPERM'],
    hint: 'kernel lockdown closes writable debugfs files to root too: see /sys/kernel/security/lockdown',
  },
  {
    operations: change,
    path: /^\//,
    errnoCodes: ['EACCES'],
    hint: 'run as root; as root, the file takes no writes',
  },
  {
    operations: change,
    path: /^\//,
    errnoCodes: ['EPERM'],
    hint: 'run as root with CAP_SYS_ADMIN; kernel lockdown refuses root too: see /sys/kernel/security/lockdown',
  },
  {
    operations: read,
    path: /^\//,
    errnoCodes: ['EACCES', 'EPERM'],
    hint: 'run as root',
  },
  {
    operations: change,
    path: /^\//,
    errnoCodes: ['EROFS'],
    hint: 'captured trees, traces and hosts opened for reading take no writes; on a live machine see how the file system is mounted',
  },
  {
    operations: change,
    path: /^\//,
    errnoCodes: ['ETIMEDOUT'],
    hint: 'the kernel is still at it and may finish: see dmesg for hung tasks; nothing more is written until it has ended',
  },
  {
    operations: ['read'],
    path: /^\//,
    errnoCodes: ['EFBIG'],
    hint: 'no kernel file we read is larger than 1 MiB: see what is mounted there',
  },
];

/** What to do about `errnoCode` from `operation` on the kernel path; `undefined` where we know nothing useful. */
export function hintFor(operation: HostOperation, path: string, errnoCode: string): string | undefined {
  return rules.find(
    (rule) =>
      rule.operations.includes(operation) && rule.errnoCodes.includes(errnoCode) && rule.path.test(path),
  )?.hint;
}

/**
 * What the kernel makes of a change: from the tree as it is and what is to be done to it, an errno or the files
 * that change, or both. Pure: the tree itself stays as it is. What no file shows is taken from files that do:
 * that zswap was set up from its debugfs directory, pools in use from the references in /proc/crypto, an enabled
 * iaa_crypto from the work queues bound to it.
 */
import type { ExecResult } from '../host.js';
import { cgroupStore, isCgroup, makeCgroup, removeCgroup } from './cgroup.js';
import { cpufreqStore } from './cpufreq.js';
import { driverDirectory, driverStore, wqDrivers } from './iaa-crypto.js';
import { iaaStatisticsDirectory, resetStatistics } from './iaa-statistics.js';
import { busDrivers, idxdStore, writeToDriver } from './idxd.js';
import { runProgram } from './programs.js';
import { sysctlStore } from './sysctl.js';
import { thpStore } from './thp.js';
import { Draft, type Errno, type KernelTree, nameOf, parentOf, realPath, type TreeUpdate } from './tree.js';
import { variantOf } from './variant.js';
import { parametersDirectory, zswapStore } from './zswap.js';

/** An errno and the call that gives it, as the native layer names it. */
export interface Refusal {
  readonly errno: Errno;
  /** `no-reaction`: this file's behaviour is not known, so nothing is claimed about it. */
  readonly syscall: string;
}

/** What a change comes to. A refusal may have updates, too: a bind that fails sets cmd_status. */
export interface Reaction {
  readonly refusal: Refusal | undefined;
  readonly updates: readonly TreeUpdate[];
}

type Store = (text: string) => Errno | undefined;

/** The store behind a file at a real path. */
function storeOf(draft: Draft, path: string): Store | undefined {
  const bind = path.startsWith(`${busDrivers}/`)
    ? /^\/([^/]+)\/(bind|unbind)$/.exec(path.slice(busDrivers.length))
    : null;
  if (bind?.[1] !== undefined) {
    const [, driver, file] = bind;
    return (text) => writeToDriver(draft, driver, file as 'bind' | 'unbind', text, wqDrivers(draft));
  }
  const name = nameOf(path);
  if (parentOf(path) === driverDirectory) return driverStore(draft, name, variantOf(draft));
  if (path === `${iaaStatisticsDirectory}/stats_reset`) return () => resetStatistics(draft);
  if (parentOf(path) === parametersDirectory) return zswapStore(draft, name, variantOf(draft));
  return (
    thpStore(draft, path) ??
    sysctlStore(draft, path) ??
    cpufreqStore(draft, path) ??
    cgroupStore(draft, path) ??
    idxdStore(draft, path)
  );
}

function reaction(draft: Draft, syscall: string, errno: Errno | undefined): Reaction {
  return { refusal: errno && { errno, syscall }, updates: draft.updates };
}

/** A write(2) of the whole text to the file at a path. */
export function reactToWrite(tree: KernelTree, path: string, text: string): Reaction {
  const draft = new Draft(tree);
  const real = realPath(tree, path);
  if (typeof real === 'string') {
    // The file reads as EOPNOTSUPP then, and a tree has none (idxd.ts); writing it gives the same.
    const dedicated =
      nameOf(path) === 'enqcmds_retries' && draft.value(`${parentOf(path)}/mode`) === 'dedicated';
    return dedicated ? reaction(draft, 'write', 'EOPNOTSUPP') : reaction(draft, 'openat2', real);
  }
  const node = tree.node(real.path);
  if (node?.kind !== 'file') return reaction(draft, 'file-type', 'EISDIR');
  // sysfs looks at the mode even for root (KERNFS_ROOT_EXTRA_OPEN_PERM_CHECK).
  if ((node.mode & 0o222) === 0) return reaction(draft, 'openat', 'EACCES');
  const store = storeOf(draft, real.path);
  if (store === undefined) return reaction(draft, 'no-reaction', 'EOPNOTSUPP');
  // kernfs does not call the store for no bytes.
  return reaction(draft, 'write', text === '' ? undefined : store(text));
}

/** A mkdir(2). Only cgroups can be made: sysfs and procfs answer EPERM. */
export function reactToMkdir(tree: KernelTree, path: string): Reaction {
  const draft = new Draft(tree);
  const parent = realPath(tree, parentOf(path));
  if (typeof parent === 'string') return reaction(draft, 'openat2', parent);
  if (tree.node(`${parent.path}/${nameOf(path)}`) !== undefined) return reaction(draft, 'mkdirat', 'EEXIST');
  if (!isCgroup(draft, parent.path)) return reaction(draft, 'mkdirat', 'EPERM');
  makeCgroup(draft, `${parent.path}/${nameOf(path)}`);
  return reaction(draft, 'mkdirat', undefined);
}

/** A rmdir(2) of a cgroup. */
export function reactToRmdir(tree: KernelTree, path: string): Reaction {
  const draft = new Draft(tree);
  const real = realPath(tree, path, true);
  if (typeof real === 'string') return reaction(draft, 'unlinkat', real);
  if (tree.node(real.path)?.kind !== 'directory') return reaction(draft, 'unlinkat', 'ENOTDIR');
  if (!isCgroup(draft, real.path)) return reaction(draft, 'unlinkat', 'EPERM');
  return reaction(draft, 'unlinkat', removeCgroup(draft, real.path));
}

/** A program's result and the files it changed; `undefined` for one that cannot be answered for. */
export function reactToProgram(
  tree: KernelTree,
  argv: readonly string[],
): { readonly result: ExecResult; readonly updates: readonly TreeUpdate[] } | undefined {
  const draft = new Draft(tree);
  const result = runProgram(draft, argv);
  return result && { result, updates: draft.updates };
}

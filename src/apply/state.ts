import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { StateError } from '../errors.js';
import { native } from '../native/load.js';
import { Journal, pendingError } from './journal.js';

/** Where state is kept for the live host unless --state says otherwise. */
export const liveStateDirectory = '/var/lib/iaa-zswap';
/** One run per machine, whatever its state directory: /run is empty after a boot, as sysfs is. */
const liveRuntimeDirectory = '/run/iaa-zswap';

/** The state directory of a host, owned by us and locked: while it is held no other run can change the host. */
export interface HeldState {
  readonly directory: string;
  /** Tells other state directories that a journal is pending in this one. */
  announce(): void;
  /** Takes the announcement back. */
  withdraw(): void;
  release(): void;
}

/**
 * Takes the lock of a host and its state directory. Throws StateError: locked by another run, a directory that
 * others can write, or a journal pending in another state directory.
 */
export function holdState(
  directory: string,
  live: boolean,
  runtimeDirectory = liveRuntimeDirectory,
): HeldState {
  const state = resolve(directory);
  const runtime = live ? runtimeDirectory : state;
  for (const each of new Set([state, runtime])) prepareDirectory(each);
  const lockPath = join(runtime, 'lock');
  const lock = native().tryLock(lockPath);
  if (!('release' in lock)) {
    if (lock.code === 'EWOULDBLOCK' || lock.code === 'EAGAIN') {
      throw new StateError(`${lockPath}: another iaa-zswap is at work on this host`, {
        hint: 'wait for it, or end it',
      });
    }
    throw new StateError(`${lockPath}: cannot be locked: ${lock.code} from ${lock.syscall}`);
  }
  const pointer = join(runtime, 'pending');
  const pending = readPointer(pointer);
  if (pending !== undefined && pending !== state && exists(Journal.pathIn(pending))) {
    lock.release();
    throw new StateError(`${Journal.pathIn(pending)}: an earlier run has not put the machine back`, {
      hint: `run 'iaa-zswap restore --state ${pending}' first`,
    });
  }
  return {
    directory: state,
    announce() {
      writeFileSync(`${pointer}.new`, `${state}\n`, { mode: 0o600 });
      renameSync(`${pointer}.new`, pointer);
    },
    withdraw() {
      rmSync(pointer, { force: true });
    },
    release: () => lock.release(),
  };
}

/** Throws StateError when a journal is pending in the directory. */
export function refusePending(directory: string): void {
  const path = Journal.pathIn(directory);
  if (exists(path)) throw pendingError(path);
}

function readPointer(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** mkdir -p, mode 0700. Node's own `recursive` never returns below a directory that refuses with ENOENT, as /proc. */
function makeDirectories(directory: string): void {
  if (exists(directory)) return;
  makeDirectories(dirname(directory));
  mkdirSync(directory, { mode: 0o700 });
}

/**
 * Creates the directory if need be and makes sure that nobody else can put files into it, by way of any
 * directory above it: what restore writes to the kernel comes from here.
 */
function prepareDirectory(directory: string): void {
  try {
    makeDirectories(directory);
  } catch (cause) {
    throw new StateError(`${directory}: cannot be created: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
      hint: 'name another directory with --state',
    });
  }
  const uid = process.geteuid?.() ?? 0;
  for (let at = directory; ; at = dirname(at)) {
    const stat = lstatSync(at);
    const ours = stat.uid === uid || stat.uid === 0;
    const closed = (stat.mode & 0o022) === 0;
    // In a sticky directory (as /tmp) others cannot replace what is ours.
    const sticky = at !== directory && stat.uid === 0 && (stat.mode & 0o1000) !== 0;
    if (!stat.isDirectory() || !ours || !(closed || sticky)) {
      throw new StateError(`${at}: is not a directory that only root and this user can write`, {
        hint: `name another directory with --state, or 'chmod go-w ${at}'`,
      });
    }
    if (at === dirname(at)) return;
  }
}

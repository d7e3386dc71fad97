import type { Stats } from 'node:fs';
import { lstat, mkdir, realpath } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { isLabError, TrustError, UsageError, VmError } from '../errors.js';

const uid = (): number => process.geteuid?.() ?? 0;

/** Folder for what is downloaded: IAA_ZSWAP_CACHE, or ~/.cache/iaa-zswap. Throws UsageError when that is not absolute. */
export function cacheFolder(): string {
  const folder = process.env['IAA_ZSWAP_CACHE'] || join(homedir(), '.cache', 'iaa-zswap');
  if (!isAbsolute(folder)) throw new UsageError(`IAA_ZSWAP_CACHE is not an absolute path: ${folder}`);
  return folder;
}

/** Folder of the guest that `vm start` leaves running: one for each user and boot of the machine. */
export function runtimeFolder(): string {
  // What root uses must not lie in another user's folder, which the environment could name.
  const base = uid() === 0 ? '/run' : process.env['XDG_RUNTIME_DIR'] || tmpdir();
  return join(base, `iaa-zswap-vm-${uid()}`);
}

/**
 * Creates a folder, and those above it, for this user alone, and gives its real path. Throws TrustError when
 * somebody else could change or replace what is in it: that is executed, or written through.
 */
export async function ownFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    // What is there instead is looked at below.
    if (error.code !== 'EEXIST') throw error;
  });
  const real = await realpath(folder);
  for (let at = real; ; at = dirname(at)) {
    const wrong = whatIsWrong(await lstat(at), at === real);
    if (wrong !== undefined) {
      throw new TrustError(`${folder}: ${at} ${wrong}`, { hint: 'mend that, or name another folder' });
    }
    if (at === '/') return real;
  }
}

function whatIsWrong(stat: Stats, last: boolean): string | undefined {
  if (!stat.isDirectory()) return 'is not a folder';
  if (stat.uid !== uid() && (last || stat.uid !== 0)) return `belongs to user ${stat.uid}`;
  // In a sticky folder of root's, as /tmp, others cannot replace what is ours.
  const sticky = !last && stat.uid === 0 && (stat.mode & 0o1000) !== 0;
  if ((stat.mode & 0o022) !== 0 && !sticky) return 'can be written by others';
  return undefined;
}

/** Does the work; a failed file operation in it, as a full disk, becomes a VmError with its path. */
export async function withFileErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code, syscall, path } = cause as NodeJS.ErrnoException;
    if (isLabError(cause) || code === undefined || syscall === undefined) throw cause;
    throw new VmError(`${path ?? 'a file of the guest'}: ${code} from ${syscall}`, { cause });
  }
}

import { lstat, mkdir } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
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
  const base = process.env['XDG_RUNTIME_DIR'] || (uid() === 0 ? '/run' : tmpdir());
  return join(base, `iaa-zswap-vm-${uid()}`);
}

/**
 * Creates a folder, and those above it, for this user alone. Throws TrustError for one that is there and that
 * somebody else owns or can write to: what lies in it is executed, or written through.
 */
export async function ownFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    // What is there instead is looked at below.
    if (error.code !== 'EEXIST') throw error;
  });
  const stat = await lstat(folder);
  const wrong = !stat.isDirectory()
    ? 'is not a folder'
    : stat.uid !== uid()
      ? `belongs to user ${stat.uid}`
      : (stat.mode & 0o022) !== 0
        ? 'can be written by others'
        : undefined;
  if (wrong !== undefined) {
    throw new TrustError(`${folder} ${wrong}`, { hint: 'remove it, or name another folder' });
  }
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

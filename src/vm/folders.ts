import { lstat, mkdir, mkdtemp } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { TrustError, UsageError } from '../errors.js';

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
  await mkdir(folder, { recursive: true, mode: 0o700 });
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

/** A new empty folder beside `folder`, for a guest that lives as long as one command. */
export async function temporaryFolder(folder: string): Promise<string> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  return mkdtemp(`${folder}-`);
}

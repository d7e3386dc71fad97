import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { TrustError } from '../errors.js';
import { packageRoot } from '../native/load.js';

/** The part of lstat(2) that says who can change a file or a folder. */
export type FileStatus = Pick<Stats, 'mode' | 'uid' | 'gid' | 'isSymbolicLink'>;

/** The file system as the check sees it. */
export interface TrustView {
  /** Users who may change the files. */
  readonly uids: ReadonlySet<number>;
  /** As lstat(2); `undefined` for a path that is not there. */
  lstat(path: string): FileStatus | undefined;
  readlink(path: string): string;
}

/** One file, link or folder that somebody else can change. */
export interface UntrustedPath {
  readonly path: string;
  /** As `belongs to user 1000`. */
  readonly reason: string;
  /** The command that mends it, for a shell. */
  readonly mend: string;
}

const groupWrite = 0o020;
const otherWrite = 0o002;
const sticky = 0o1000;
/** Links followed on the way to one file; Linux stops at 40 too (MAXSYMLINKS, include/linux/namei.h). */
const maxLinks = 40;

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/**
 * Of the absolute `paths`, and of every folder and link on the way to them from `/`, those that somebody else than
 * `uids` can change. Root's group may write. A sticky folder may be open to everybody as long as it only leads on to
 * something that passes itself: others can add names to it, but not take its entries away. Paths that are not there
 * count as nothing.
 *
 * Access lists need no look of their own: with one, the group bits of the mode are its mask, so whatever it grants
 * to others shows up as writable by the group. Only on a file of root's group does that stay unseen.
 */
export function findUntrusted(paths: readonly string[], view: TrustView): UntrustedPath[] {
  const found = new Map<string, UntrustedPath>();

  const check = (path: string, status: FileStatus, leadsOn: boolean): void => {
    const { mode, uid, gid } = status;
    if (!view.uids.has(uid)) {
      found.set(path, { path, reason: `belongs to user ${uid}`, mend: `chown -h root ${quoted(path)}` });
      return;
    }
    // Linux gives every link mode 0777; what counts is who can replace it.
    if (status.isSymbolicLink() || (leadsOn && (mode & sticky) !== 0)) return;
    const mend = `chmod go-w ${quoted(path)}`;
    if ((mode & otherWrite) !== 0) found.set(path, { path, reason: 'is writable by everybody', mend });
    else if ((mode & groupWrite) !== 0 && gid !== 0) {
      found.set(path, { path, reason: `is writable by group ${gid}`, mend });
    }
  };

  // Goes down from `/` name by name as the kernel does; `at` has no link in it, so `..` is its parent.
  const walk = (path: string, links: number): void => {
    const names = path.split('/').filter((name) => name !== '' && name !== '.');
    let at = '/';
    for (let index = -1; index < names.length; index += 1) {
      const name = names[index];
      if (name !== undefined) at = name === '..' ? dirname(at) : join(at, name);
      const leadsOn = index + 1 < names.length;
      const status = view.lstat(at);
      if (status === undefined) return;
      check(at, status, leadsOn);
      if (status.isSymbolicLink()) {
        if (links === maxLinks) return;
        const target = view.readlink(at);
        const start = target.startsWith('/') ? '' : dirname(at);
        walk([start, target, ...names.slice(index + 1)].join('/'), links + 1);
        return;
      }
    }
  };

  for (const path of paths) walk(path, 0);
  return [...found.values()];
}

/** The user who called sudo(8), who may own the installation; `undefined` without sudo. */
function invokingUser(): number | undefined {
  const uid = process.env['SUDO_UID'];
  return uid !== undefined && /^\d{1,10}$/.test(uid) ? Number(uid) : undefined;
}

/**
 * Refuses to go on as root when somebody else than root and the user who called sudo could change what this program
 * executes: its own bundle, the addon, the helpers, any folder above them, or the link it was called by. The npm
 * libraries are inside the bundle. As another user there is nothing to protect. Throws TrustError.
 */
export function assertTrusted(): void {
  if (process.geteuid?.() !== 0) return;
  const user = invokingUser();
  const root = packageRoot();
  const release = join(root, 'build/Release');
  const untrusted = findUntrusted(
    [
      // As typed: a link in node_modules/.bin or /usr/bin, which Node has followed by now.
      ...(process.argv[1] === undefined ? [] : [process.argv[1]]),
      root,
      join(root, 'package.json'),
      // Folders too: Node and `bindings` take files from them that need not exist now.
      join(root, 'dist'),
      join(root, 'dist/cli.js'),
      join(root, 'build'),
      release,
      ...['iaa_zswap.node', 'usemem', 'madvise', 'launch', 'guest_init'].map((name) => join(release, name)),
    ],
    {
      uids: new Set(user === undefined ? [0] : [0, user]),
      lstat: (path) => lstatSync(path, { throwIfNoEntry: false }),
      readlink: (path) => readlinkSync(path),
    },
  );
  if (untrusted.length === 0) return;
  throw new TrustError(
    `root would execute files that others can change: ${untrusted.map(({ path, reason }) => `${path} ${reason}`).join('; ')}`,
    { hint: untrusted.map(({ mend }) => mend).join(' && ') },
  );
}

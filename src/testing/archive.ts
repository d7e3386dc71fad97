/**
 * A directory tree as one text that people can review and diff: how machines are kept for tests. By lines:
 *
 *     host-archive 1                      the first line
 *     # text                              a comment, between entries
 *     file 0644 /proc/swaps               mode (octal) and path; the content follows
 *     |a line of the content              ended by a newline in the file
 *     :a last line                        not ended by one
 *     dir 0755 /run/systemd/system        a directory with nothing in it; others come with their contents
 *     link /sys/class/a -> ../devices/a   relative, and within the tree
 *
 * Entries are in the byte order of their paths. A backslash is `\\`; any byte but tab and printable ASCII is
 * `\xNN`, in paths a blank too.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ParseError, UsageError } from '../errors.js';

export type TreeEntry =
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Buffer }
  | { readonly kind: 'dir'; readonly path: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string };

const heading = 'host-archive 1';
const wellEscaped = 'printable ASCII, with \\\\ and \\xNN for anything else';

function escapeBytes(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    if (byte === 0x5c) text += '\\\\';
    else if (byte === 0x09 || (byte >= 0x20 && byte < 0x7f)) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}

function escapePath(path: string): string {
  return escapeBytes(Buffer.from(path)).replaceAll(' ', '\\x20').replaceAll('\t', '\\x09');
}

/** The entries as an archive. */
export function formatArchive(entries: readonly TreeEntry[], comments: readonly string[] = []): string {
  const lines = [heading, ...comments.map((comment) => `# ${escapeBytes(Buffer.from(comment))}`)];
  const byPath = (a: TreeEntry, b: TreeEntry) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
  for (const entry of [...entries].sort(byPath)) {
    const path = escapePath(entry.path);
    if (entry.kind === 'link') {
      lines.push(`link ${path} -> ${escapePath(entry.target)}`);
      continue;
    }
    lines.push(`${entry.kind} ${entry.mode.toString(8).padStart(4, '0')} ${path}`);
    if (entry.kind === 'dir') continue;
    let start = 0;
    while (start < entry.content.length) {
      const newline = entry.content.indexOf(0x0a, start);
      const end = newline === -1 ? entry.content.length : newline;
      lines.push(`${newline === -1 ? ':' : '|'}${escapeBytes(entry.content.subarray(start, end))}`);
      start = end + 1;
    }
  }
  return `${lines.join('\n')}\n`;
}

/** The bytes behind their escaped form; `undefined` when it is not in that form. */
function unescapeBytes(escaped: string): Buffer | undefined {
  if (!/^(?:[\t\x20-\x5b\x5d-\x7e]|\\\\|\\x[0-9a-f]{2})*$/.test(escaped)) return undefined;
  const bytes = escaped.replace(/\\(?:\\|x(..))/g, (_, hex?: string) =>
    hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1');
}

/** A line that starts an entry; a string says what it should have been instead. */
function parseEntry(line: string): TreeEntry | string {
  const match = /^(?:(file|dir) ([0-7]{4}) (\/\S+)|link (\/\S+) -> (\S+))$/.exec(line);
  if (match === null) return 'file MODE PATH, dir MODE PATH, link PATH -> TARGET or #';
  const [, kind, octal = '', plainPath, linkPath = '', escapedTarget = ''] = match;
  const path = unescapeBytes(plainPath ?? linkPath)?.toString();
  const target = unescapeBytes(escapedTarget)?.toString();
  if (path === undefined || target === undefined) return wellEscaped;
  if (!isPlain(path)) return 'an absolute path without . and .. and //';
  if (kind === undefined) {
    return isWithin(path, target)
      ? { kind: 'link', path, target }
      : 'a relative link that stays within the tree';
  }
  const mode = Number.parseInt(octal, 8);
  if (mode > 0o777) return 'a mode of at most 0777';
  return kind === 'dir' ? { kind, path, mode } : { kind: 'file', path, mode, content: Buffer.alloc(0) };
}

/** The entries of an archive, in its order. Throws ParseError, with the line, for all that is not as described above. */
export function parseArchive(text: string, name = 'archive'): TreeEntry[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const entries: TreeEntry[] = [];
  const lineOf = new Map<string, number>();
  const fail = (line: number, expected: string): never => {
    throw new ParseError({ path: name, line, found: lines[line - 1] ?? '', expected });
  };
  if (lines[0] !== heading) fail(1, `the first line '${heading}'`);

  const contents = new Map<string, Buffer[]>();
  /** Takes the content of the file that the last entry is; undefined when none may follow. */
  let open: Buffer[] | undefined;
  for (let number = 2; number <= lines.length; number++) {
    const line = lines[number - 1] ?? '';
    // Comments too: a reviewer's terminal must show what is there.
    if (!/^[\t\x20-\x7e]*$/.test(line)) fail(number, wellEscaped);
    if (line.startsWith('|') || line.startsWith(':')) {
      if (open === undefined) return fail(number, 'an entry before its content');
      const bytes = unescapeBytes(line.slice(1));
      if (bytes === undefined) return fail(number, wellEscaped);
      open.push(bytes);
      if (line.startsWith('|')) open.push(Buffer.from('\n'));
      if (line.startsWith(':')) open = undefined;
      continue;
    }
    open = undefined;
    if (line.startsWith('#')) continue;
    const entry = parseEntry(line);
    if (typeof entry === 'string') return fail(number, entry);
    const earlier = lineOf.get(entry.path);
    if (earlier !== undefined) fail(number, `each path once (line ${earlier} has this one too)`);
    lineOf.set(entry.path, number);
    entries.push(entry);
    if (entry.kind === 'file') {
      open = [];
      contents.set(entry.path, open);
    }
  }

  // Nothing lies below a file or a link: so unpacking never goes through a link that the archive made.
  const kinds = new Map(entries.map((entry) => [entry.path, entry.kind]));
  for (const entry of entries) {
    for (let parent = dirname(entry.path); parent !== '/'; parent = dirname(parent)) {
      const kind = kinds.get(parent);
      if (kind === 'file' || kind === 'link') {
        fail(lineOf.get(entry.path) ?? 0, `nothing below ${parent}, which is a ${kind}`);
      }
    }
  }
  return entries.map((entry) =>
    entry.kind === 'file' ? { ...entry, content: Buffer.concat(contents.get(entry.path) ?? []) } : entry,
  );
}

function isPlain(path: string): boolean {
  const [first, ...segments] = path.split('/');
  return first === '' && segments.every((s) => s !== '' && s !== '.' && s !== '..' && !s.includes('\0'));
}

/** `..` only at the start of a link and not above the root: such links stay within, also one through another. */
function isWithin(path: string, target: string): boolean {
  const depth = path.split('/').length - 2;
  const segments = target.split('/');
  const up = segments.findIndex((segment) => segment !== '..');
  const names = up === -1 ? [] : segments.slice(up);
  return segments.length - names.length <= depth && (names.length === 0 || isPlain(`/${names.join('/')}`));
}

/**
 * The tree at `root`, or only the given paths of it (those that exist, with all below them), as an archive. A
 * file that cannot be read is named in a comment.
 */
export function packTree(
  root: string,
  paths: readonly string[] = ['/'],
  comments: readonly string[] = [],
): string {
  const entries = new Map<string, TreeEntry>();
  const notes: string[] = [...comments];

  const visit = (path: string): void => {
    const real = join(root, path);
    try {
      const stats = lstatSync(real);
      const mode = stats.mode & 0o777;
      if (stats.isSymbolicLink()) {
        entries.set(path, { kind: 'link', path, target: readlinkSync(real) });
      } else if (stats.isDirectory()) {
        const names = readdirSync(real);
        for (const name of names) visit(path === '/' ? `/${name}` : `${path}/${name}`);
        if (names.length === 0 && path !== '/') entries.set(path, { kind: 'dir', path, mode });
      } else if (stats.isFile()) {
        entries.set(path, { kind: 'file', path, mode, content: readFileSync(real) });
      } else {
        notes.push(`left out: ${escapePath(path)} is neither file, directory nor link`);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      if (code !== 'ENOENT') notes.push(`left out: ${escapePath(path)} cannot be read: ${code}`);
    }
  };
  for (const path of paths) visit(path);
  return formatArchive([...entries.values()], notes);
}

/** Makes the tree of an archive in an empty directory. Throws ParseError before anything is made. */
export function unpackTree(text: string, directory: string, name = 'archive'): void {
  unpackEntries(parseArchive(text, name), directory);
}

function unpackEntries(entries: readonly TreeEntry[], directory: string): void {
  if (readdirSync(directory).length > 0) throw new UsageError(`${directory}: not an empty directory`);
  const made = new Set<string>();
  const makeDirectory = (path: string): void => {
    if (!made.has(path)) mkdirSync(path, { recursive: true });
    made.add(path);
  };
  for (const entry of entries) {
    const real = join(directory, entry.path);
    if (entry.kind === 'dir') {
      makeDirectory(real);
      chmodSync(real, entry.mode);
    } else {
      makeDirectory(dirname(real));
      if (entry.kind === 'link') {
        symlinkSync(entry.target, real);
      } else {
        writeFileSync(real, entry.content, { flag: 'wx' });
        chmodSync(real, entry.mode);
      }
    }
  }
}

/** A machine's tree in a fresh directory, which goes when it is disposed of. */
export interface HostTree extends Disposable {
  /** For `--host root:DIR`. */
  readonly root: string;
}

/**
 * Unpacks an archive into a fresh directory, with other contents for some files: a text replaces or adds a
 * file, `undefined` removes a path and all below it.
 */
export function hostTree(
  text: string,
  overrides: Readonly<Record<string, string | undefined>> = {},
): HostTree {
  const changed = Object.keys(overrides);
  const entries = parseArchive(text).filter(
    (entry) => !changed.some((path) => entry.path === path || entry.path.startsWith(`${path}/`)),
  );
  for (const [path, content] of Object.entries(overrides)) {
    if (content !== undefined)
      entries.push({ kind: 'file', path, mode: 0o644, content: Buffer.from(content) });
  }
  const root = mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'iaa-zswap-host-'));
  const dispose = () => rmSync(root, { recursive: true, force: true });
  try {
    unpackEntries(parseArchive(formatArchive(entries)), root);
  } catch (error) {
    dispose();
    throw error;
  }
  return { root, [Symbol.dispose]: dispose };
}

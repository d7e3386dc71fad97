/** The files of a machine as reactions see them, and the changes a reaction makes to them. */
import type { constants } from 'node:os';

export type Errno = keyof typeof constants.errno;

export type TreeNode =
  | { readonly kind: 'file'; readonly mode: number; read(): Buffer }
  | { readonly kind: 'directory' }
  | { readonly kind: 'link'; readonly target: string };

/** A tree of files, links as they are. Paths are real ones: absolute, and no directory on the way is a link. */
export interface KernelTree {
  /** `undefined` where there is nothing, or something no kernel file system has. */
  node(path: string): TreeNode | undefined;
  /** Names in a directory, sorted; `undefined` when it is none. */
  names(path: string): readonly string[] | undefined;
}

/** One change of a tree. Paths are real ones; the directory they are in exists. */
export type TreeUpdate =
  | { readonly kind: 'file'; readonly path: string; readonly text: string; readonly mode: number }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  /** A file, a link, or a directory with all below it. */
  | { readonly kind: 'remove'; readonly path: string };

/** A tree that takes the updates of reactions. */
export interface WritableTree extends KernelTree {
  apply(update: TreeUpdate): void;
  /** Lets go of what was kept for the operation under way: by the next one others may have changed the tree. */
  endOperation(): void;
  close(): void;
}

// MAXSYMLINKS of include/linux/namei.h
const maxLinks = 40;

/** The directory that a path is in. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Text of a link at `from` that leads to `to`: relative, as sysfs makes them. */
export function relativeTarget(from: string, to: string): string {
  const start = parentOf(from).split('/');
  const end = to.split('/');
  let same = 0;
  while (same < start.length && same < end.length && start[same] === end[same]) same += 1;
  return [...start.slice(same).map(() => '..'), ...end.slice(same)].join('/');
}

/**
 * Where a path really is in a tree, all links followed; what is not there is ENOENT, ENOTDIR or ELOOP. `keepLast`
 * leaves a link that the path itself is.
 */
export function realPath(tree: KernelTree, path: string, keepLast = false): { path: string } | Errno {
  const pending = path.split('/').filter((part) => part !== '');
  const way: string[] = [];
  let links = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '.') continue;
    if (part === '..') {
      way.pop();
      continue;
    }
    const here = `/${[...way, part].join('/')}`;
    const node = tree.node(here);
    if (node === undefined) return 'ENOENT';
    if (node.kind === 'link' && !(keepLast && pending.length === 0)) {
      links += 1;
      if (links > maxLinks) return 'ELOOP';
      if (node.target.startsWith('/')) way.length = 0;
      pending.unshift(...node.target.split('/').filter((each) => each !== ''));
      continue;
    }
    if (node.kind === 'file' && pending.length > 0) return 'ENOTDIR';
    way.push(part);
  }
  return { path: `/${way.join('/')}` };
}

/** The node, its content read at most once. */
function readOnce(node: TreeNode | undefined): TreeNode | undefined {
  if (node?.kind !== 'file') return node;
  let content: Buffer | undefined;
  return {
    ...node,
    read() {
      content ??= node.read();
      return content;
    },
  };
}

/** A tree with the changes of one reaction, which are seen at once and kept apart from the tree itself. */
export class Draft implements KernelTree {
  readonly updates: TreeUpdate[] = [];
  readonly #base: KernelTree;
  readonly #changed = new Map<string, TreeNode | undefined>();
  /** What the tree was seen to hold: one reaction looks at the same directories again and again. */
  readonly #seen = new Map<string, TreeNode | undefined>();

  constructor(base: KernelTree) {
    this.#base = base;
  }

  node(path: string): TreeNode | undefined {
    if (this.#changed.has(path)) return this.#changed.get(path);
    if (!this.#seen.has(path)) this.#seen.set(path, readOnce(this.#base.node(path)));
    return this.#seen.get(path);
  }

  names(path: string): readonly string[] | undefined {
    if (this.node(path)?.kind !== 'directory') return undefined;
    const names = new Set(this.#base.names(path) ?? []);
    for (const [changed, node] of this.#changed) {
      if (parentOf(changed) !== path) continue;
      if (node === undefined) names.delete(nameOf(changed));
      else names.add(nameOf(changed));
    }
    return [...names].sort();
  }

  /** Text of the file at a path, links followed; `undefined` when there is none. */
  text(path: string): string | undefined {
    const real = realPath(this, path);
    if (typeof real === 'string') return undefined;
    const node = this.node(real.path);
    return node?.kind === 'file' ? node.read().toString('utf8') : undefined;
  }

  /** The file's text without white space around it; empty when there is no such file. */
  value(path: string): string {
    return (this.text(path) ?? '').trim();
  }

  /** Names in the directory at a path, links followed; none when there is no such directory. */
  list(path: string): readonly string[] {
    const real = realPath(this, path);
    return typeof real === 'string' ? [] : (this.names(real.path) ?? []);
  }

  /** Whether something is at a path, links followed. */
  has(path: string): boolean {
    return typeof realPath(this, path) !== 'string';
  }

  /** Gives a file its text; one that is not there is made. The path's directory may be reached by links. */
  write(path: string, text: string, mode = 0o644): void {
    const at = this.#place(path);
    const before = this.node(at);
    const kept = before?.kind === 'file' ? before.mode : mode;
    if (before?.kind === 'file' && before.read().toString('utf8') === text) return;
    this.#change({ kind: 'file', path: at, text, mode: kept });
  }

  /** Gives a file its text if it is there: what this kernel does not offer does not appear. */
  writeIfThere(path: string, text: string): void {
    if (this.text(path) !== undefined) this.write(path, text);
  }

  makeDirectory(path: string): void {
    const at = this.#place(path);
    if (this.node(at) === undefined) this.#change({ kind: 'directory', path: at });
  }

  /** Makes a link to a real path. */
  link(path: string, to: string): void {
    const at = this.#place(path);
    this.#change({ kind: 'link', path: at, target: relativeTarget(at, to) });
  }

  /** Removes what is at a path, a link itself and not where it leads, and all below it. */
  remove(path: string): void {
    const real = realPath(this, path, true);
    if (typeof real === 'string') return;
    this.#forget(real.path);
    this.updates.push({ kind: 'remove', path: real.path });
  }

  #forget(path: string): void {
    for (const name of this.names(path) ?? []) this.#forget(`${path}/${name}`);
    this.#changed.set(path, undefined);
  }

  /** The real path of an entry that need not be there, in a directory that is. */
  #place(path: string): string {
    const whole = realPath(this, path);
    if (typeof whole !== 'string') return whole.path;
    const directory = realPath(this, parentOf(path));
    if (typeof directory === 'string') throw new TypeError(`${path}: its directory is not there`);
    return `${directory.path === '/' ? '' : directory.path}/${nameOf(path)}`;
  }

  #change(update: Exclude<TreeUpdate, { kind: 'remove' }>): void {
    this.updates.push(update);
    this.#changed.set(
      update.path,
      update.kind === 'file'
        ? { kind: 'file', mode: update.mode, read: () => Buffer.from(update.text, 'utf8') }
        : update,
    );
  }
}

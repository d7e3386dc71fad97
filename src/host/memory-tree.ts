import { nameOf, parentOf, type TreeNode, type TreeUpdate, type WritableTree } from './reactions/tree.js';

/** A tree of files in memory. */
export class MemoryTree implements WritableTree {
  readonly #nodes = new Map<string, TreeNode>();
  readonly #children = new Map<string, Set<string>>();

  constructor(updates: Iterable<TreeUpdate> = []) {
    this.#nodes.set('/', { kind: 'directory' });
    this.#children.set('/', new Set());
    for (const update of updates) this.apply(update);
  }

  node(path: string): TreeNode | undefined {
    return this.#nodes.get(path);
  }

  names(path: string): readonly string[] | undefined {
    const names = this.#children.get(path);
    return names && [...names].sort();
  }

  /** Makes the directories on the way that are missing, too. */
  apply(update: TreeUpdate): void {
    if (update.kind === 'remove') {
      this.#remove(update.path);
      return;
    }
    const directory = parentOf(update.path) || '/';
    if (!this.#nodes.has(directory)) this.apply({ kind: 'directory', path: directory });
    this.#children.get(directory)?.add(nameOf(update.path));
    if (update.kind === 'file') {
      const content = Buffer.from(update.text, 'utf8');
      this.#nodes.set(update.path, { kind: 'file', mode: update.mode, read: () => content });
    } else {
      this.#nodes.set(update.path, update);
      if (update.kind === 'directory' && !this.#children.has(update.path)) {
        this.#children.set(update.path, new Set());
      }
    }
  }

  endOperation(): void {}

  close(): void {}

  #remove(path: string): void {
    for (const name of this.#children.get(path) ?? []) this.#remove(`${path}/${name}`);
    this.#children.delete(path);
    this.#nodes.delete(path);
    this.#children.get(parentOf(path) || '/')?.delete(nameOf(path));
  }
}

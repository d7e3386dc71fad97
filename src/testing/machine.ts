/** Machines made to order, as entries of an archive. */
import { type MachineOptions, machineTree } from '../host/machine-tree.js';
import { MemoryTree } from '../host/memory-tree.js';
import type { TreeEntry } from './archive.js';

export type { MachineChange, MachineKernel, MachineOptions } from '../host/machine-tree.js';

/** The machine's files as entries of an archive: formatArchive writes them as one text, writeTree to a directory. */
export function buildMachine(options: MachineOptions = {}): TreeEntry[] {
  return entriesOf(machineTree(options));
}

/** All of a tree in memory, as entries of an archive. */
export function entriesOf(tree: MemoryTree): TreeEntry[] {
  const entries: TreeEntry[] = [];
  const visit = (path: string): void => {
    const node = tree.node(path === '' ? '/' : path);
    if (node?.kind === 'file') entries.push({ kind: 'file', path, mode: node.mode, content: node.read() });
    else if (node?.kind === 'link') entries.push({ kind: 'link', path, target: node.target });
    else {
      const names = tree.names(path === '' ? '/' : path) ?? [];
      for (const name of names) visit(`${path}/${name}`);
      if (names.length === 0 && path !== '') entries.push({ kind: 'dir', path, mode: 0o755 });
    }
  };
  visit('');
  return entries;
}

/** The entries of an archive as a tree in memory. */
export function treeOf(entries: readonly TreeEntry[]): MemoryTree {
  return new MemoryTree(
    entries.map((entry) =>
      entry.kind === 'file'
        ? { kind: 'file', path: entry.path, mode: entry.mode, text: entry.content.toString('utf8') }
        : entry.kind === 'link'
          ? entry
          : { kind: 'directory', path: entry.path },
    ),
  );
}

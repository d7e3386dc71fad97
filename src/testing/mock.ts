import type { Host } from '../host/host.js';
import { MockHost } from '../host/mock.js';
import type { TreeEntry } from './archive.js';
import { treeOf } from './machine.js';

/** A machine in memory that reacts to changes as the kernel does: mock:DIR without a directory. */
export function mockHost(entries: readonly TreeEntry[]): Host {
  return new MockHost('mock:memory', '/memory', treeOf(entries));
}

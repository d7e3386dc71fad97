import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bootModules, type CachedKernel, loadOrder } from './kernel-package.js';

/** One entry of an initramfs: a folder, or a file with its bytes. */
export interface InitramfsEntry {
  /** Path without leading slash. */
  readonly path: string;
  /** Type and permission bits, as stat's st_mode. */
  readonly mode: number;
  readonly data: Uint8Array;
}

/** An archive as the kernel unpacks it: cpio's `newc` form (Documentation/driver-api/early-userspace/buffer-format.rst). */
export function cpioArchive(entries: readonly InitramfsEntry[]): Buffer {
  const trailer: InitramfsEntry = { path: 'TRAILER!!!', mode: 0, data: Buffer.alloc(0) };
  const parts: Uint8Array[] = [];
  for (const [index, { path, mode, data }] of [...entries, trailer].entries()) {
    const name = Buffer.from(`${path}\0`);
    const inode = index + 1;
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
    const head = Buffer.concat([Buffer.from(header), name]);
    parts.push(head, padding(head.length), data, padding(data.length));
  }
  return Buffer.concat(parts);
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}

/**
 * The guest's initramfs: guest_init as /init, the modules it needs to reach the machine's root, and others by their
 * files, loaded last.
 */
export async function guestInitramfs(
  kernel: CachedKernel,
  guestInit: string,
  others: readonly string[],
): Promise<Buffer> {
  const dep = await readFile(join(kernel.modules, 'modules.dep'), 'utf8');
  const folder = (path: string): InitramfsEntry => ({ path, mode: 0o040755, data: Buffer.alloc(0) });
  const entries = [
    folder('dev'),
    folder('root'),
    folder('modules'),
    { path: 'init', mode: 0o100755, data: await readFile(guestInit) },
  ];
  const modules = loadOrder(dep, bootModules).map((module) => join(kernel.modules, module));
  for (const [index, module] of [...modules, ...others].entries()) {
    // guest_init loads them in the order of their names.
    const path = `modules/${String(index).padStart(2, '0')}-${basename(module)}`;
    entries.push({ path, mode: 0o100644, data: await readFile(module) });
  }
  return cpioArchive(entries);
}

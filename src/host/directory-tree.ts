import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { TreeNode, TreeUpdate, WritableTree } from './reactions/tree.js';

// include/uapi/asm-generic/fcntl.h; node:fs has no name for it.
const O_PATH = 0o10000000;

/** As the native root has it: no kernel file we read is larger. */
const maxFileBytes = 1024 * 1024;

/** What node:fs says of a path where nothing is, or no directory on the way. */
function isAbsence(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function tooLarge(): NodeJS.ErrnoException {
  return Object.assign(new Error('larger than 1 MiB'), { code: 'EFBIG', syscall: 'size-limit' });
}

/**
 * A directory as a tree. Nothing outside it is ever touched, whatever others do to it meanwhile: each part of a
 * path is opened from the descriptor of the part before, and links are not followed. The native root would do the
 * same but creates no files, on purpose (docs/decisions/0006-mocks.md).
 */
export class DirectoryTree implements WritableTree {
  readonly #root: number;
  readonly #opened = new Map<string, number>();

  /** Throws what open(2) says. */
  constructor(directory: string) {
    this.#root = openSync(directory, O_PATH | constants.O_DIRECTORY);
  }

  node(path: string): TreeNode | undefined {
    return this.#look(path, (entry) => {
      const stats = lstatSync(entry);
      if (stats.isDirectory()) return { kind: 'directory' };
      if (stats.isSymbolicLink()) return { kind: 'link', target: readlinkSync(entry) };
      if (!stats.isFile()) return undefined;
      return { kind: 'file', mode: stats.mode & 0o777, read: () => this.#read(path) };
    });
  }

  names(path: string): readonly string[] | undefined {
    return this.#look(path, (entry) => {
      const directory = openSync(entry, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      try {
        return readdirSync(`/proc/self/fd/${directory}`).sort();
      } finally {
        closeSync(directory);
      }
    });
  }

  apply(update: TreeUpdate): void {
    if (update.kind === 'remove') this.#remove(update.path);
    else if (update.kind === 'directory') this.#at(update.path, (entry) => mkdirSync(entry, 0o755));
    else if (update.kind === 'link') this.#at(update.path, (entry) => symlinkSync(update.target, entry));
    else this.#write(update.path, update.text, update.mode);
  }

  endOperation(): void {
    for (const directory of this.#opened.values()) closeSync(directory);
    this.#opened.clear();
  }

  close(): void {
    this.endOperation();
    closeSync(this.#root);
  }

  #read(path: string): Buffer {
    return this.#at(path, (entry) => {
      // O_NONBLOCK: should a FIFO have taken the file's place, this does not wait for its other end.
      const file = openSync(entry, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const content = readFileSync(file);
        if (content.length > maxFileBytes) throw tooLarge();
        return content;
      } finally {
        closeSync(file);
      }
    });
  }

  /** Over the old content first and cut to length then: at no time is the file empty. */
  #write(path: string, text: string, mode: number): void {
    this.#at(path, (entry) => {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      const file = openSync(entry, flags, mode);
      try {
        const stats = fstatSync(file);
        // A second name could be one outside the directory.
        if (!stats.isFile() || stats.nlink > 1) {
          throw Object.assign(new Error('not a file with one name'), { code: 'EPERM', syscall: 'file-type' });
        }
        const data = Buffer.from(text, 'utf8');
        for (let done = 0; done < data.length; )
          done += writeSync(file, data, done, data.length - done, done);
        ftruncateSync(file, data.length);
      } finally {
        closeSync(file);
      }
    });
  }

  #remove(path: string): void {
    const kind = this.node(path)?.kind;
    for (const name of kind === 'directory' ? (this.names(path) ?? []) : []) this.#remove(`${path}/${name}`);
    this.#at(path, (entry) => (kind === 'directory' ? rmdirSync(entry) : unlinkSync(entry)));
    const opened = this.#opened.get(path);
    if (opened !== undefined) closeSync(opened);
    this.#opened.delete(path);
  }

  #look<T>(path: string, use: (entry: string) => T): T | undefined {
    try {
      return this.#at(path, use);
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }

  /** Calls `use` with a path of the entry that starts at the open directory it is in. */
  #at<T>(path: string, use: (entry: string) => T): T {
    const slash = path.lastIndexOf('/');
    return use(`/proc/self/fd/${this.#directory(path.slice(0, slash))}/${path.slice(slash + 1) || '.'}`);
  }

  /** Descriptor of a directory, which stays open until the operation has ended. */
  #directory(path: string): number {
    if (path === '') return this.#root;
    const known = this.#opened.get(path);
    if (known !== undefined) return known;
    const slash = path.lastIndexOf('/');
    const opened = openSync(
      `/proc/self/fd/${this.#directory(path.slice(0, slash))}/${path.slice(slash + 1)}`,
      O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW,
    );
    this.#opened.set(path, opened);
    return opened;
  }
}

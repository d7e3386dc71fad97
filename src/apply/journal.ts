import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StateError } from '../errors.js';
import type { CodecName } from '../host/codecs.js';
import type { HostPath } from '../host/path.js';
import type { RememberedState } from './dsa-bus.js';

/** What one step is about to change, written and synced before it does. */
export type Change =
  | {
      readonly kind: 'attribute';
      readonly path: HostPath;
      readonly codec: CodecName;
      /** Exact text before. */
      readonly old: string;
      /** Text written. */
      readonly value: string;
      readonly oneWay?: string | undefined;
      /** The device or module that puts it back with itself. */
      readonly of?: string | undefined;
    }
  /** Nothing was written, but the kernel changes it with what is: always put back. */
  | { readonly kind: 'keep'; readonly path: HostPath; readonly codec: CodecName; readonly old: string }
  | { readonly kind: 'controller'; readonly path: HostPath; readonly controller: string }
  | { readonly kind: 'cgroup'; readonly path: HostPath }
  | { readonly kind: 'scope'; readonly path: HostPath; readonly unit: string }
  /** An IAA device and all in it, before anything of it is unbound. */
  | {
      readonly kind: 'device';
      readonly path: HostPath;
      readonly device: string;
      readonly was: RememberedState;
    }
  | {
      readonly kind: 'module';
      readonly path: HostPath;
      readonly module: string;
      readonly was: RememberedState;
    }
  | {
      readonly kind: 'bind';
      readonly path: HostPath;
      readonly name: string;
      readonly device: string;
      readonly driver: string;
    }
  | { readonly kind: 'swap'; readonly path: HostPath }
  /** Probes and an instance of our own in tracefs, by the names of batchProbes. */
  | { readonly kind: 'tracing'; readonly path: HostPath; readonly probes: readonly string[] };

/** One change of the journal with what became of it. */
export interface Entry {
  readonly sequence: number;
  readonly stepId: string;
  /** The run's own changes are taken back after each of its cells, the machine's at the end. */
  readonly affects: 'machine' | 'run';
  readonly change: Change;
  /** The change was made, as far as was noted: a process may end between the two. */
  readonly done: boolean;
  /** The text read back after the write of an attribute. */
  readonly readBack?: string;
  /** How a device or module was once its change (or the bind of a part of it) was done. */
  readonly state?: RememberedState;
  /** Restore has begun with it: how it is now is our own doing. */
  readonly undoing?: boolean;
  readonly undone: boolean;
}

/** The machine and the boot that a journal belongs to. */
export interface JournalHeader {
  readonly schemaVersion: 1;
  /** Host.name. */
  readonly host: string;
  readonly machineId: string | undefined;
  readonly bootId: string | undefined;
  readonly startedAt: string;
  readonly tool: string;
}

type Line =
  | ({ readonly type: 'header' } & JournalHeader)
  | {
      readonly type: 'intent';
      readonly sequence: number;
      readonly stepId: string;
      readonly affects: 'machine' | 'run';
      readonly change: Change;
    }
  | {
      readonly type: 'done';
      readonly sequence: number;
      readonly readBack?: string;
      readonly state?: RememberedState;
    }
  | { readonly type: 'undoing'; readonly sequence: number }
  | { readonly type: 'undone'; readonly sequence: number };

const fileName = 'journal.ndjson';

/**
 * What was changed and what it was before, on disk before each write: the one thing that can put a machine
 * back after SIGKILL. Lines of JSON, each synced; a torn last line was never acted upon.
 */
export class Journal {
  readonly path: string;
  readonly header: JournalHeader;
  readonly #entries: Entry[];
  readonly #fd: number;

  private constructor(path: string, fd: number, header: JournalHeader, entries: Entry[]) {
    this.path = path;
    this.#fd = fd;
    this.header = header;
    this.#entries = entries;
  }

  /** Path of the journal in a state directory. */
  static pathIn(stateDirectory: string): string {
    return join(stateDirectory, fileName);
  }

  /** Starts a journal. Throws StateError when one is pending there. */
  static create(stateDirectory: string, header: JournalHeader): Journal {
    const path = Journal.pathIn(stateDirectory);
    let fd: number;
    try {
      fd = openSync(
        path,
        constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
        0o600,
      );
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw pendingError(path);
      throw new StateError(`${path}: cannot be created: ${(cause as NodeJS.ErrnoException).code}`, { cause });
    }
    const journal = new Journal(path, fd, header, []);
    journal.#append({ type: 'header', ...header });
    syncDirectory(stateDirectory);
    return journal;
  }

  /** Opens the journal that is pending in a state directory; undefined when there is none. Throws StateError. */
  static open(stateDirectory: string): Journal | undefined {
    const path = Journal.pathIn(stateDirectory);
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new StateError(`${path}: cannot be opened: ${(cause as NodeJS.ErrnoException).code}`, { cause });
    }
    try {
      const stat = fstatSync(fd);
      // Restoring writes to the kernel what this file says: it must be our own.
      if (!stat.isFile() || stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0) {
        throw new StateError(`${path}: not a file that only this user can write`, {
          hint: 'look who made it; it is not used',
        });
      }
      const { header, entries, torn } = parseJournal(readFileSync(fd, 'utf8'), path);
      // What follows a torn line would join it.
      if (torn) writeSync(fd, '\n');
      return new Journal(path, fd, header, entries);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Changes in the order they were made. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Notes, durably, a change that is about to be made; gives its sequence number. */
  intend(step: { readonly id: string; readonly affects: 'machine' | 'run' }, change: Change): number {
    const sequence = this.#entries.length;
    const { id: stepId, affects } = step;
    this.#append({ type: 'intent', sequence, stepId, affects, change });
    this.#entries.push({ sequence, stepId, affects, change, done: false, undone: false });
    return sequence;
  }

  /** Notes that a change was made, and how the attribute reads, or the device or module is, since. */
  done(sequence: number, after: Pick<Entry, 'readBack' | 'state'> = {}): void {
    this.#append({ type: 'done', sequence, ...after });
    this.#replace(sequence, { done: true, ...after });
  }

  /** Notes that the undoing of a device or module begins. */
  undoing(sequence: number): void {
    this.#append({ type: 'undoing', sequence });
    this.#replace(sequence, { undoing: true });
  }

  /** Notes that a change is undone (or was never made). */
  undone(sequence: number): void {
    this.#append({ type: 'undone', sequence });
    this.#replace(sequence, { undone: true });
  }

  /** Removes the journal: the machine is as before. */
  remove(): void {
    unlinkSync(this.path);
    syncDirectory(dirname(this.path));
    closeSync(this.#fd);
  }

  /** Leaves the journal on disk, pending. */
  close(): void {
    closeSync(this.#fd);
  }

  #replace(sequence: number, change: Partial<Entry>): void {
    const entry = this.#entries[sequence];
    if (entry !== undefined) this.#entries[sequence] = { ...entry, ...change };
  }

  #append(line: Line): void {
    writeSync(this.#fd, `${JSON.stringify(line)}\n`);
    fsyncSync(this.#fd);
  }
}

/** The error for a run that finds another one's journal. */
export function pendingError(path: string): StateError {
  return new StateError(`${path}: an earlier run has not put the machine back`, {
    hint: "run 'iaa-zswap restore' first",
  });
}

/** Reads a journal's text. A last line without newline was not synced, so nothing was done after it. */
export function parseJournal(
  text: string,
  path: string,
): { header: JournalHeader; entries: Entry[]; torn: boolean } {
  const lines = text.split('\n');
  const torn = lines.pop() !== '';
  let header: JournalHeader | undefined;
  const entries: Entry[] = [];
  for (const [index, raw] of lines.entries()) {
    let line: Line;
    try {
      line = JSON.parse(raw) as Line;
    } catch (cause) {
      // A torn line that a later open() closed with a newline.
      if (index > 0) continue;
      throw malformed(path, index + 1, cause);
    }
    if (line.type === 'header') {
      if (line.schemaVersion !== 1) {
        throw new StateError(`${path}: journal version ${line.schemaVersion} is not known`, {
          hint: 'restore with the version of iaa-zswap that wrote it',
        });
      }
      const { type: _, ...fields } = line;
      header = fields;
    } else if (line.type === 'intent') {
      if (line.sequence !== entries.length) throw malformed(path, index + 1);
      const { sequence, stepId, affects, change } = line;
      entries.push({ sequence, stepId, affects, change, done: false, undone: false });
    } else {
      const entry = entries[line.sequence];
      if (entry === undefined) throw malformed(path, index + 1);
      entries[line.sequence] =
        line.type === 'undone'
          ? { ...entry, undone: true }
          : line.type === 'undoing'
            ? { ...entry, undoing: true }
            : {
                ...entry,
                done: true,
                ...(line.readBack === undefined ? {} : { readBack: line.readBack }),
                ...(line.state === undefined ? {} : { state: line.state }),
              };
    }
  }
  // The header is synced before the first intent: without it nothing was done.
  if (header === undefined) {
    if (entries.length > 0) throw malformed(path, 1);
    header = { schemaVersion: 1, host: '', machineId: undefined, bootId: undefined, startedAt: '', tool: '' };
  }
  return { header, entries, torn };
}

function malformed(path: string, line: number, cause?: unknown): StateError {
  return new StateError(`${path}:${line}: not a line of a journal`, {
    cause,
    hint: 'the journal is damaged; what it still says shows what was changed',
  });
}

/** A new or removed file is durable only once its directory is. */
function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

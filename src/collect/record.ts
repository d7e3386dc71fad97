import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Receipt } from '../apply/apply.js';
import type { Inventory, Source } from '../discover/inventory.js';
import { RecordError } from '../errors.js';
import type { Cell } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import type { Plan } from '../plan/steps.js';
import type { Snapshot } from './snapshot.js';

/** Version that this program writes; it reads this one and the one before. */
export const recordVersion = 1;

/** A value as it comes back from JSON: big numbers are decimal strings. */
export type Recorded<T> = T extends bigint | string
  ? string
  : T extends object
    ? { readonly [K in keyof T]: Recorded<T[K]> }
    : T;

/** What a run was: written when it begins and again when it ends. */
export interface Manifest {
  readonly schemaVersion: number;
  /** The folder's name. */
  readonly id: string;
  readonly startedAt: string;
  readonly state: 'running' | 'complete' | 'interrupted' | 'failed';
  readonly source: Source;
  readonly tool: { readonly version: string; readonly commit: string };
  readonly experimentFile: string;
  readonly experiment: Recorded<Experiment>;
  readonly inventory: Inventory;
  /** Exact versions of what the machine was made of, where somebody knows them (the guest's packages). */
  readonly environment: Readonly<Record<string, string>>;
}

/** What one cell left behind, as raw as it came. */
export interface CellRecord {
  readonly cell: Cell;
  readonly state: 'complete' | 'failed' | 'interrupted';
  /** Why it failed, one line. */
  readonly failure: string | undefined;
  readonly plan: Recorded<Plan>;
  readonly receipts: readonly Receipt[];
  /** The command line as it ran. */
  readonly argv: readonly string[];
  readonly exit:
    | {
        readonly exitCode: number | undefined;
        readonly signal: string | undefined;
        /** Decimal strings. */
        readonly elapsedNs: string;
        readonly userUs: string;
        readonly systemUs: string;
        readonly maxRssKiB: number;
      }
    | undefined;
  readonly before: Snapshot | undefined;
  readonly after: Snapshot | undefined;
  /** The look at the running workload that saw most pages in zswap: after its end there are none. */
  readonly fullest: Snapshot | undefined;
}

/** A cell with its files' texts. */
export interface CellData extends CellRecord {
  readonly stdout: string;
  readonly stderr: string;
  readonly dmesg: string;
}

/** A whole record, read back. */
export interface RunRecord {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly cells: readonly CellData[];
}

const manifestFile = 'manifest.json';
const cellFile = 'cell.json';
/** Texts beside cell.json. */
export const cellTexts = { stdout: 'stdout.txt', stderr: 'stderr.txt', dmesg: 'dmesg.txt' } as const;

/** A record under construction. */
export class RecordWriter {
  readonly directory: string;
  #manifest: Manifest;

  private constructor(directory: string, manifest: Manifest) {
    this.directory = directory;
    this.#manifest = manifest;
  }

  /** Creates the folder of a run in `runsDirectory` and writes its manifest. */
  static async create(runsDirectory: string, manifest: Manifest): Promise<RecordWriter> {
    const directory = join(runsDirectory, manifest.id);
    await mkdir(runsDirectory, { recursive: true, mode: 0o755 });
    await mkdir(directory, { mode: 0o755 });
    const writer = new RecordWriter(directory, manifest);
    await writer.finish('running');
    return writer;
  }

  /** Creates the folder of a cell; its workload writes its output there. */
  async cellDirectory(cell: Cell): Promise<string> {
    const directory = join(this.directory, cellDirectoryName(cell));
    await mkdir(directory, { mode: 0o755 });
    return directory;
  }

  async writeCell(record: CellRecord, dmesg: string): Promise<void> {
    const directory = join(this.directory, cellDirectoryName(record.cell));
    await replaceFile(join(directory, cellTexts.dmesg), dmesg);
    await replaceFile(join(directory, cellFile), toJson(record));
  }

  /** Writes the manifest with the state the run is in. */
  async finish(state: Manifest['state']): Promise<void> {
    this.#manifest = { ...this.#manifest, state };
    await replaceFile(join(this.directory, manifestFile), toJson(this.#manifest));
  }
}

function cellDirectoryName(cell: Cell): string {
  return `${String(cell.number).padStart(3, '0')}-${cell.compressor}-${cell.folio}`;
}

/** A value as a record keeps it. */
export function recorded<T>(value: T): Recorded<T> {
  return JSON.parse(toJson(value)) as Recorded<T>;
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? each.toString() : each), 1)}\n`;
}

/** A reader never sees half a file: written beside, then renamed. */
async function replaceFile(path: string, text: string): Promise<void> {
  const handle = await open(
    `${path}.new`,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o644,
  );
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
}

/** Reads a record from its folder. Throws RecordError: not a record, damaged, or of a version not known here. */
export async function readRecord(directory: string): Promise<RunRecord> {
  const manifest = (await readJson(join(directory, manifestFile))) as Manifest;
  const { schemaVersion } = manifest;
  if (schemaVersion !== recordVersion) {
    throw new RecordError(`${directory}: record version ${JSON.stringify(schemaVersion)} is not known`, {
      hint: `this iaa-zswap reads version ${recordVersion}; use the one that wrote it (${manifest.tool?.version ?? 'unknown'})`,
    });
  }
  const names = (await readdir(directory, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const cells: CellData[] = [];
  for (const name of names.sort()) {
    const at = join(directory, name);
    // A cell without cell.json was cut off before it had anything to say.
    const cell = (await readJson(join(at, cellFile), true)) as CellRecord | undefined;
    if (cell === undefined) continue;
    const [stdout = '', stderr = '', dmesg = ''] = await Promise.all(
      Object.values(cellTexts).map((file) => readFile(join(at, file), 'utf8').catch(() => '')),
    );
    cells.push({ ...cell, stdout, stderr, dmesg });
  }
  return { directory, manifest, cells };
}

async function readJson(path: string, mayBeAbsent = false): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (mayBeAbsent && code === 'ENOENT') return undefined;
    throw new RecordError(`${path}: cannot be read: ${code}`, {
      cause,
      hint: 'name the folder of a run, as printed when it ended',
    });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object') return value;
  } catch {
    // Told below.
  }
  throw new RecordError(`${path}: not JSON of a record`, { hint: 'the record is damaged' });
}

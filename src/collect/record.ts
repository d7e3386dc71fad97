import { constants } from 'node:fs';
import { access, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Receipt } from '../apply/apply.js';
import type { Inventory, Source } from '../discover/inventory.js';
import { RecordError } from '../errors.js';
import { type Cell, cellsOf } from '../experiment/cells.js';
import type { Gathered } from '../experiment/gather.js';
import type { Experiment } from '../experiment/schema.js';
import type { Plan } from '../plan/steps.js';
import type { Snapshot } from './snapshot.js';

/** Version that this program writes; it reads this one and the one before. */
export const recordVersion = 2;

/** A value as it comes back from JSON: big numbers are decimal strings. */
export type Recorded<T> = T extends bigint
  ? string
  : T extends string
    ? T
    : T extends object
      ? { readonly [K in keyof T]: Recorded<T[K]> }
      : T;

/** One go at a run: it may take several, after a crash or on another kernel. */
export interface Session {
  readonly startedAt: string;
  readonly tool: { readonly version: string; readonly commit: string };
  readonly inventory: Inventory;
  /** Exact versions of what the machine was made of, where somebody knows them (the guest's packages). */
  readonly environment: Readonly<Record<string, string>>;
}

/** What a run is: written when it begins, is resumed and ends. */
export interface Manifest {
  readonly schemaVersion: number;
  /** The folder's name. */
  readonly id: string;
  readonly startedAt: string;
  /** `waiting`: all that this kernel can do is done, cells of others are not. */
  readonly state: 'running' | 'complete' | 'waiting' | 'interrupted' | 'failed';
  readonly source: Source;
  readonly experimentFile: string;
  readonly experiment: Recorded<Experiment>;
  readonly sessions: readonly Session[];
}

/** What one cell left behind, as raw as it came. */
export interface CellRecord {
  readonly cell: Cell;
  /** Index of the session it ran in. */
  readonly session: number;
  readonly state: 'complete' | 'failed' | 'interrupted';
  /** Why it failed, one line. */
  readonly failure: string | undefined;
  readonly plan: Recorded<Plan>;
  readonly receipts: readonly Receipt[];
  /** The command line as it ran. */
  readonly argv: readonly string[];
  /** Whose process it was, as a user's name or number, and `:` and the group's; undefined: the tool's own user. */
  readonly user?: string | undefined;
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
  /** What was gathered meanwhile; undefined where the cell did not come so far, and in older records. */
  readonly gathered?: Gathered | undefined;
}

/** A cell with its files' texts. */
export interface CellData extends CellRecord {
  readonly stdout: string;
  readonly stderr: string;
  /** What the kernel logged meanwhile; undefined where that could not be read. */
  readonly dmesg: string | undefined;
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

  /** Index of the session that writes. */
  get session(): number {
    return this.#manifest.sessions.length - 1;
  }

  /**
   * Creates the folder of a run in `runsDirectory` and writes its manifest. A model's run has the name of all that it
   * depends on: it takes the place of an earlier one.
   */
  static async create(runsDirectory: string, manifest: Manifest): Promise<RecordWriter> {
    const directory = join(runsDirectory, manifest.id);
    await mkdir(runsDirectory, { recursive: true, mode: 0o755 });
    if (manifest.source === 'model' && (await isThere(join(directory, manifestFile))))
      await removeRecord(directory);
    await mkdir(directory, { mode: 0o755 });
    const writer = new RecordWriter(directory, manifest);
    await writer.finish('running');
    return writer;
  }

  /** Goes on with a record of an earlier session. */
  static async resume({ directory, manifest }: RunRecord, session: Session): Promise<RecordWriter> {
    const sessions = [...manifest.sessions, session];
    const writer = new RecordWriter(directory, { ...manifest, schemaVersion: recordVersion, sessions });
    await writer.finish('running');
    return writer;
  }

  /** Creates the folder of a cell; its workload writes its output there. What an unfinished go has left is removed. */
  async cellDirectory(cell: Cell): Promise<string> {
    const directory = join(this.directory, cellDirectoryName(cell));
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { mode: 0o755 });
    return directory;
  }

  async writeCell(record: CellRecord, dmesg: string | undefined): Promise<void> {
    const directory = join(this.directory, cellDirectoryName(record.cell));
    if (dmesg !== undefined) await replaceFile(join(directory, cellTexts.dmesg), dmesg);
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
  // What a process that died here has left is of no use.
  await rm(`${path}.new`, { force: true });
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
  const manifest = await readManifest(directory);
  const names = (await readdir(directory, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const cells: CellData[] = [];
  for (const name of names.sort()) {
    const at = join(directory, name);
    // A cell without cell.json was cut off before it had anything to say.
    const found = (await readJson(join(at, cellFile), true)) as CellRecord | undefined;
    if (found === undefined) continue;
    const cell = found.session === undefined ? upgradedCell(found) : found;
    const [stdout = '', stderr = '', dmesg] = await Promise.all(
      Object.values(cellTexts).map((file) => readFile(join(at, file), 'utf8').catch(() => undefined)),
    );
    cells.push({ ...cell, stdout, stderr, dmesg });
  }
  return { directory, manifest, cells };
}

/** Reads a record's manifest. Throws RecordError as readRecord. */
export async function readManifest(directory: string): Promise<Manifest> {
  const manifest = (await readJson(join(directory, manifestFile))) as Manifest;
  const { schemaVersion } = manifest;
  if (schemaVersion === 1) return upgradedManifest(manifest as Manifest & Session);
  if (schemaVersion !== recordVersion) {
    throw new RecordError(`${directory}: record version ${JSON.stringify(schemaVersion)} is not known`, {
      hint: `this iaa-zswap reads versions 1 and ${recordVersion}; use the one that wrote it`,
    });
  }
  return manifest;
}

/** Version 1 had one session, one repetition and two axes. */
function upgradedManifest(old: Manifest & Session): Manifest {
  const { tool, inventory, environment, startedAt, ...rest } = old;
  const { matrix } = rest.experiment;
  return {
    ...rest,
    schemaVersion: recordVersion,
    startedAt,
    experiment: {
      ...rest.experiment,
      matrix: { ...matrix, axes: [] },
      repetitions: 1,
      order: 'interleaved',
      seed: 1,
      warm_up: 0,
      cool_down_s: 0,
    },
    sessions: [{ startedAt, tool, inventory, environment }],
  };
}

function upgradedCell(old: CellRecord): CellRecord {
  return { ...old, session: 0, cell: { ...old.cell, settings: {}, repetition: 1, warmUp: false } };
}

/** The records in a folder of runs, the newest first; what is no record there, or is damaged, is left out. */
export async function listRecords(
  runsDirectory: string,
): Promise<{ readonly directory: string; readonly manifest: Manifest }[]> {
  const names = await readdir(runsDirectory).catch(() => []);
  const records = await Promise.all(
    names.map(async (name) => {
      const directory = join(runsDirectory, name);
      try {
        return [{ directory, manifest: await readManifest(directory) }];
      } catch (error) {
        if (error instanceof RecordError) return [];
        throw error;
      }
    }),
  );
  const key = ({ startedAt, id }: Manifest): string => `${startedAt} ${id}`;
  return records.flat().sort((a, b) => (key(a.manifest) < key(b.manifest) ? 1 : -1));
}

/** A record at a glance. */
export interface RecordSummary {
  readonly directory: string;
  readonly id: string;
  readonly startedAt: string;
  /** `running` of a run that died, too. */
  readonly state: Manifest['state'];
  readonly source: Source;
  readonly experiment: string;
  readonly experimentFile: string;
  readonly cells: number;
  readonly cellsFinished: number;
  /** Releases that it has run on so far. */
  readonly kernels: readonly string[];
}

/** What is in a folder of runs, the newest first. */
export async function summarizeRecords(runsDirectory: string): Promise<RecordSummary[]> {
  return Promise.all(
    (await listRecords(runsDirectory)).map(async ({ directory, manifest }) => {
      const { id, startedAt, state, source, experiment, experimentFile, sessions } = manifest;
      const names = await readdir(directory);
      const finished = await Promise.all(
        names.map(async (name) => Number(await isThere(join(directory, name, cellFile)))),
      );
      return {
        directory,
        id,
        startedAt,
        state,
        source,
        experiment: experiment.name,
        experimentFile,
        cells: cellsOf(experiment).length,
        cellsFinished: finished.reduce<number>((sum, one) => sum + one, 0),
        kernels: [...new Set(sessions.flatMap(({ inventory }) => inventory.kernel.release ?? []))],
      };
    }),
  );
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Removes a record. Throws RecordError when there is none. */
export async function removeRecord(directory: string): Promise<void> {
  await readManifest(directory);
  await rm(directory, { recursive: true });
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

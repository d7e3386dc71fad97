/** The time series of a cell on disk (docs/series.md). */
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { RecordError } from '../errors.js';
import type { Host } from '../host/host.js';
import type { HostPath } from '../host/path.js';
import type { Column, CounterSource, LeftOut, Sampling, SamplingStatistics } from '../host/sampling.js';
import { type Row, RowDecoder } from './rows.js';

/** Version that this program writes and reads. */
export const seriesVersion = 1;

/** The first line of a series. */
export interface SeriesHeader {
  readonly schemaVersion: typeof seriesVersion;
  readonly kind: 'series';
  readonly intervalNs: number;
  /** Host.now() of tick 0, decimal; snapshots of the same cell are on the same clock. */
  readonly startNs: string;
  /** Keys by path, in the order of the columns. */
  readonly columns: readonly { readonly path: string; readonly keys: readonly string[] }[];
  readonly leftOut: readonly LeftOut[];
}

// The kind of a frame is the first byte of its payload.
const rowsKind = 'r'.charCodeAt(0);
const endKind = 'e'.charCodeAt(0);
const frameHeadBytes = 8;
/** Above any that is written: a sampling's buffer is 8 MiB. */
const longestFrame = 64 * 1024 * 1024;
const longestHeader = 16 * 1024 * 1024;

/** How often rows are taken and written (ms). */
const takeMs = 1000;

/** How a series ended. */
export interface SeriesEnd extends SamplingStatistics {
  /** Why the file ends before the sampling did, one line: a full disk does not disturb what is measured. */
  readonly failure?: string;
}

/** A sampling that is written to a file as it goes: memory stays bounded however long it takes. */
export class SeriesRecorder {
  readonly #sampling: Sampling;
  readonly #file: FileHandle;
  readonly #timer: NodeJS.Timeout;
  #writing: Promise<void> = Promise.resolve();
  #broken: unknown;

  private constructor(sampling: Sampling, file: FileHandle) {
    this.#sampling = sampling;
    this.#file = file;
    this.#timer = setInterval(() => this.#take(), takeMs).unref();
  }

  /** Creates `path`, which must not exist, and starts to sample into it. Throws what either does. */
  static async start(
    host: Host,
    sources: readonly CounterSource[],
    path: string,
    options: { readonly intervalNs: number },
  ): Promise<SeriesRecorder> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(path, flags, 0o644);
    let sampling: Sampling | undefined;
    try {
      sampling = await host.sample({ sources, intervalNs: options.intervalNs });
      await file.writeFile(`${JSON.stringify(headerOf(sampling))}\n`);
      return new SeriesRecorder(sampling, file);
    } catch (error) {
      sampling?.stop();
      await file.close();
      await unlink(path);
      throw error;
    }
  }

  /** Ends the sampling and the file. */
  async end(): Promise<SeriesEnd> {
    clearInterval(this.#timer);
    this.#sampling.stop();
    this.#take();
    const statistics = this.#sampling.statistics();
    this.#write(endKind, Buffer.from(JSON.stringify(statistics)));
    await this.#writing;
    await this.#file.close();
    if (this.#broken === undefined) return statistics;
    const { code, message } = this.#broken as NodeJS.ErrnoException;
    return { ...statistics, failure: code ?? message };
  }

  #take(): void {
    const rows = this.#sampling.take();
    if (rows.length > 0) this.#write(rowsKind, rows);
  }

  /** Frames are written one after the other; after one that failed there are none. */
  #write(kind: number, content: Uint8Array): void {
    this.#writing = this.#writing
      .then(async () => {
        if (this.#broken === undefined) await this.#file.writeFile(frame(kind, content));
      })
      .catch((error) => {
        this.#broken = error;
      });
  }
}

function headerOf({ columns, leftOut, intervalNs, startNs }: Sampling): SeriesHeader {
  const files: { path: HostPath; keys: string[] }[] = [];
  for (const { path, key } of columns) {
    const last = files.at(-1);
    if (last?.path === path) last.keys.push(key);
    else files.push({ path, keys: [key] });
  }
  return {
    schemaVersion: seriesVersion,
    kind: 'series',
    intervalNs,
    startNs: startNs.toString(),
    columns: files,
    leftOut,
  };
}

/** Length and CRC-32 of the payload, both 32 bits little endian, and the payload. */
function frame(kind: number, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(frameHeadBytes + 1 + content.length);
  bytes[frameHeadBytes] = kind;
  bytes.set(content, frameHeadBytes + 1);
  const payload = bytes.subarray(frameHeadBytes);
  bytes.writeUInt32LE(payload.length, 0);
  bytes.writeUInt32LE(crc32(payload), 4);
  return bytes;
}

/** A series, read from its begin to its end; nothing of it is kept in memory but one frame. */
export class SeriesReader {
  readonly header: SeriesHeader;
  readonly columns: readonly Column[];
  readonly #path: string;
  readonly #file: FileHandle;
  #at: number;
  #end: SamplingStatistics | undefined;

  private constructor(path: string, file: FileHandle, header: SeriesHeader, at: number) {
    this.#path = path;
    this.#file = file;
    this.header = header;
    this.columns = header.columns.flatMap(({ path: of, keys }) =>
      keys.map((key) => ({ path: of as HostPath, key })),
    );
    this.#at = at;
  }

  /** Throws RecordError for what is no series of a version known here. */
  static async open(path: string): Promise<SeriesReader> {
    let file: FileHandle;
    try {
      file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (cause) {
      throw new RecordError(`${path}: cannot be read: ${(cause as NodeJS.ErrnoException).code}`, {
        cause,
        hint: 'name a series of a cell',
      });
    }
    try {
      const { header, at } = await readHeader(file, path);
      return new SeriesReader(path, file, header, at);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * How the sampling ended, once rows() has come to its end; undefined where the file ends before, because the
   * process or the machine did: the rows up to then are good.
   */
  get end(): SamplingStatistics | undefined {
    return this.#end;
  }

  /** All rows, once; each is valid until the next. Throws RecordError where a frame that is whole holds none. */
  async *rows(): AsyncGenerator<Row> {
    const decoder = new RowDecoder(this.columns.length);
    try {
      for (let payload = await this.#next(); payload !== undefined; payload = await this.#next()) {
        if (payload[0] === rowsKind) yield* decoder.decode(payload.subarray(1));
        else if (payload[0] === endKind) this.#end = JSON.parse(payload.subarray(1).toString('utf8'));
      }
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RecordError(`${this.#path}: ${why}`, { cause, hint: 'the series is damaged' });
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** The next payload; undefined at the end, and at the first frame that is cut off or not as it was written. */
  async #next(): Promise<Buffer | undefined> {
    const head = await readExactly(this.#file, this.#at, frameHeadBytes);
    if (head === undefined) return undefined;
    const length = head.readUInt32LE(0);
    if (length === 0 || length > longestFrame) return undefined;
    const payload = await readExactly(this.#file, this.#at + frameHeadBytes, length);
    if (payload === undefined || crc32(payload) !== head.readUInt32LE(4)) return undefined;
    this.#at += frameHeadBytes + length;
    return payload;
  }
}

/** So many bytes from `at` on; undefined where the file is shorter. */
async function readExactly(file: FileHandle, at: number, length: number): Promise<Buffer | undefined> {
  const { size } = await file.stat();
  if (at + length > size) return undefined;
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  return bytes;
}

async function readHeader(file: FileHandle, path: string): Promise<{ header: SeriesHeader; at: number }> {
  const notSeries = (why: string): RecordError =>
    new RecordError(`${path}: not a series: ${why}`, { hint: 'name a series of a cell' });
  const stats = await file.stat();
  if (!stats.isFile()) throw notSeries('no regular file');
  let text = Buffer.alloc(0);
  let end = -1;
  while (end < 0) {
    const length = Math.min(64 * 1024, stats.size - text.length);
    const more = length > 0 ? await readExactly(file, text.length, length) : undefined;
    if (more === undefined || text.length > longestHeader) throw notSeries('it has no first line');
    end = more.indexOf('\n');
    if (end >= 0) end += text.length;
    text = Buffer.concat([text, more]);
  }
  let header: Partial<SeriesHeader> | null;
  try {
    header = JSON.parse(text.subarray(0, end).toString('utf8')) as Partial<SeriesHeader> | null;
  } catch {
    throw notSeries('its first line is not JSON');
  }
  if (header?.kind !== 'series' || !isColumns(header.columns)) throw notSeries('its first line is another');
  if (header.schemaVersion !== seriesVersion) {
    throw new RecordError(`${path}: series version ${JSON.stringify(header.schemaVersion)} is not known`, {
      hint: `this iaa-zswap reads version ${seriesVersion}`,
    });
  }
  return { header: header as SeriesHeader, at: end + 1 };
}

function isColumns(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (file: { path?: unknown; keys?: unknown } | null) =>
        typeof file?.path === 'string' &&
        Array.isArray(file.keys) &&
        file.keys.every((key) => typeof key === 'string'),
    )
  );
}

/** A trace as a root: it answers with what was last seen. A path nobody looked at is not there. */
import { createReadStream } from 'node:fs';
import { constants } from 'node:os';
import { RecordError } from '../errors.js';
import type { NativeFailure } from '../native/surface.js';
import { traceVersion } from './trace-format.js';
import type { Tree } from './tree-host.js';

/** Far above the longest line: 1 MiB of text, each byte escaped to six. */
const maxLineLength = 16 * 1024 * 1024;

function failure(
  code: 'ENOENT' | 'EINVAL' | 'EROFS' | 'EBADF' | 'EOPNOTSUPP',
  syscall: string,
): NativeFailure {
  return { errno: constants.errno[code], code, syscall };
}

const neverSeen = failure('ENOENT', 'trace');

/** What is wrong with one line; readTrace adds where. */
class BadLine extends Error {}

/** Reads a trace file. Throws RecordError with the line for one that is not in the form of trace-format.ts. */
export async function readTrace(file: string): Promise<Tree> {
  const tree = new TraceTree();
  let number = 0;
  try {
    for await (const line of linesOf(file)) {
      number += 1;
      const fields = fieldsOf(line);
      if (number === 1) checkHeader(fields);
      else addLine(tree, fields);
    }
    if (number === 0) throw new BadLine('empty, not a trace');
  } catch (error) {
    if (!(error instanceof BadLine)) throw error;
    throw new RecordError(`${file}:${Math.max(number, 1)}: ${error.message}`, {
      hint: number > 1 ? 'make the trace again' : 'a root is a directory or a file made by --trace',
    });
  }
  return tree;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(line: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new BadLine('not a line of JSON');
  }
  if (typeof value !== 'object' || value === null) throw new BadLine('not a JSON object');
  return value as Fields;
}

async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8' })) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length > maxLineLength) break;
  }
  if (rest !== '') yield rest;
}

function checkHeader(header: Fields): void {
  if (header['kind'] !== 'trace') throw new BadLine('not a trace of iaa-zswap');
  const version = header['schemaVersion'];
  if (version !== traceVersion) {
    throw new BadLine(
      `a trace of version ${JSON.stringify(version)}, while this program reads version ${traceVersion}`,
    );
  }
}

/** Files, directories and links as last seen. */
class TraceTree implements Tree {
  readonly files = new Map<string, Buffer | NativeFailure>();
  readonly directories = new Map<string, string[] | NativeFailure>();
  readonly links = new Map<string, string | NativeFailure>();
  #closed: NativeFailure | undefined;

  async readMany(paths: readonly string[]): Promise<(Buffer | NativeFailure)[]> {
    return paths.map((path) => this.#closed ?? this.files.get(path) ?? neverSeen);
  }

  async list(path: string): Promise<string[] | NativeFailure> {
    return this.#closed ?? this.directories.get(path) ?? neverSeen;
  }

  async readlink(path: string): Promise<string | NativeFailure> {
    return this.#closed ?? this.links.get(path) ?? neverSeen;
  }

  async write(): Promise<NativeFailure> {
    return this.#closed ?? failure('EROFS', 'read-only-root');
  }

  append(): Promise<NativeFailure> {
    return this.write();
  }

  mkdir(): Promise<NativeFailure> {
    return this.write();
  }

  rmdir(): Promise<NativeFailure> {
    return this.write();
  }

  sample(): NativeFailure {
    return this.#closed ?? failure('EOPNOTSUPP', 'sample');
  }

  close(): void {
    this.#closed = failure('EBADF', 'closed-root');
  }
}

/** What one line says about the tree: reads, listings and links; what was written shows in the next read. */
function addLine(tree: TraceTree, line: Fields): void {
  const { op, path, error, text, names, target } = line;
  if (typeof op !== 'string') throw new BadLine('no "op"');
  if (op !== 'read' && op !== 'list' && op !== 'readlink') return;
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw new BadLine('"path" must be an absolute path');
  }
  const failed = error === undefined ? undefined : failureOf(error);
  if (op === 'read') {
    if (failed !== undefined) tree.files.set(path, failed);
    else if (typeof text === 'string') tree.files.set(path, Buffer.from(text, 'utf8'));
    else throw new BadLine('a read has "text" or "error"');
  } else if (op === 'list') {
    if (failed !== undefined || names === null) tree.directories.set(path, failed ?? neverSeen);
    else if (isTexts(names)) tree.directories.set(path, names);
    else throw new BadLine('a list has "names" or "error"');
  } else {
    if (failed !== undefined || target === null) tree.links.set(path, failed ?? neverSeen);
    else if (typeof target === 'string') tree.links.set(path, target);
    else throw new BadLine('a readlink has "target" or "error"');
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((element) => typeof element === 'string');
}

function failureOf(value: unknown): NativeFailure {
  const { errno, code, syscall } = (typeof value === 'object' && value !== null ? value : {}) as Fields;
  if (typeof errno !== 'number' || typeof code !== 'string' || typeof syscall !== 'string') {
    throw new BadLine('"error" must have errno, code and syscall');
  }
  return { errno, code, syscall };
}

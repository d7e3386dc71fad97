/**
 * Reading kernel files so that no single one can end a listing: what is absent is `undefined`, what cannot be
 * read or understood is `undefined` and one finding.
 */
import type { Finding } from '../discover/inventory.js';
import { HostIoError, ParseError } from '../errors.js';
import { type Codec, CodecError } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { isNotOffered } from '../host/outcome.js';
import type { HostPath } from '../host/path.js';

/** Turns the text of the file at `path` into a value; throws ParseError. */
export type Parse<T> = (text: string, path: string) => T;

/** A kernel file and the form it is read in. */
export interface KernelFile<T> {
  readonly path: HostPath;
  readonly parse: Parse<T>;
}

/** The kernel file at `path`, read by `parse`. */
export function kernelFile<T>(path: HostPath, parse: Parse<T>): KernelFile<T> {
  return { path, parse };
}

/** A codec as a parser of whole files: its CodecError becomes a ParseError with the path. */
export function parseWith<T extends string | number | bigint | boolean>(codec: Codec<T>): Parse<T> {
  return (text, path) => {
    try {
      return codec.parse(text);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      throw new ParseError({ path, found: text, expected: error.expected });
    }
  };
}

/** A decimal count as a number: `expected a count below 2^53` where a double could not hold it exactly. */
export const parseCount: Parse<number> = (text, path) => {
  const count = Number(text);
  if (!/^\d{1,20}\n?$/.test(text) || !Number.isSafeInteger(count)) {
    throw new ParseError({ path, found: text, expected: 'a count below 2^53' });
  }
  return count;
};

/** Adds a finding unless its path has one: a path is reported once. */
export function addFinding(findings: Finding[], finding: Finding): void {
  if (!findings.some((known) => known.path === finding.path)) findings.push(finding);
}

/** Adds the finding for a file that could not be read. */
export function addUnreadable(findings: Finding[], error: HostIoError): void {
  addFinding(findings, {
    path: error.path,
    message: `cannot ${error.operation}: ${error.errnoCode} from ${error.syscall}`,
    mend: error.hint ?? `find out why it cannot be read: cat ${error.path}`,
  });
}

/** Adds the finding for a file whose text is not in its kernel's form. */
export function addUnparsable(findings: Finding[], error: ParseError): void {
  const line = error.line === undefined ? '' : `line ${error.line}: `;
  const found = error.found.length > 60 ? `${error.found.slice(0, 60)}...` : error.found;
  addFinding(findings, {
    path: error.path,
    message: `${line}expected ${error.expected}, found ${JSON.stringify(found)}`,
    mend: 'on a live machine report it, with the kernel release; else capture the file again',
  });
}

type Values<Files> = {
  [Name in keyof Files]: (Files[Name] extends KernelFile<infer T> ? T : never) | undefined;
};

/** Reads all files in one call. Absent ones are `undefined`; unreadable or malformed ones too, each with a finding. */
export async function readFiles<Files extends Readonly<Record<string, KernelFile<unknown>>>>(
  host: Host,
  findings: Finding[],
  files: Files,
): Promise<Values<Files>> {
  const names = Object.keys(files);
  const values = await readList(host, findings, Object.values(files));
  return Object.fromEntries(names.map((name, index) => [name, values[index]])) as Values<Files>;
}

/** As readFiles, for files without names of their own: the values in the order of `files`. */
export async function readList<T>(
  host: Host,
  findings: Finding[],
  files: readonly KernelFile<T>[],
): Promise<(T | undefined)[]> {
  const outcomes = await host.probe(files.map((file) => file.path));
  return files.map((file, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined) return undefined;
    if (!outcome.ok) {
      if (!isNotOffered(outcome.error.errnoCode)) addUnreadable(findings, outcome.error);
      return undefined;
    }
    try {
      return file.parse(outcome.text, file.path);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      addUnparsable(findings, error);
      return undefined;
    }
  });
}

/** Names in a directory; `undefined` when it is absent, or (with a finding) cannot be listed. */
export async function listDirectory(
  host: Host,
  findings: Finding[],
  path: HostPath,
): Promise<string[] | undefined> {
  try {
    return await host.list(path);
  } catch (error) {
    if (!(error instanceof HostIoError)) throw error;
    addUnreadable(findings, error);
    return undefined;
  }
}

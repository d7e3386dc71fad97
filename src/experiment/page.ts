/** Files of YAML that a person writes: a page of text, checked against a schema, with the line of all that is wrong. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Document, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { ExperimentError } from '../errors.js';
import { FileText } from './issues.js';
import { type Setting, withSettings } from './setting.js';

/** Such a file is a page of text; more is a mistake (or an attack on the parser). */
const maxFileBytes = 64 * 1024;

/** The text of a file; `kind` as `an experiment file`, for messages. Throws ExperimentError. */
export async function readPage(file: string, kind: string): Promise<string> {
  const fail = (message: string, hint: string) =>
    new ExperimentError(file, [{ line: undefined, path: '', message }], { hint });
  try {
    // O_NONBLOCK: opening a FIFO must not hang.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw fail('not a regular file', `name ${kind} (.yaml)`);
      const buffer = Buffer.alloc(maxFileBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
        if (bytesRead === 0) break;
        length += bytesRead;
        if (length > maxFileBytes)
          throw fail(`larger than ${maxFileBytes} bytes`, `${kind} is a page of YAML`);
      }
      return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof ExperimentError) throw error;
    if (error instanceof TypeError) throw fail('not UTF-8 text', `name ${kind} (.yaml)`);
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const hint =
      code === 'ENOENT'
        ? 'check the name; the package brings some in experiments/ and machines/'
        : 'make it readable';
    throw fail(code === 'ENOENT' ? 'no such file' : `cannot be read: ${code}`, hint);
  }
}

/** A file's YAML with the command line's settings over it; `file` is for messages. Throws ExperimentError. */
export function parsePage(
  text: string,
  file: string,
  schema: z.ZodType,
  settings: readonly Setting[] = [],
): FileText {
  const lines = new LineCounter();
  let document: Document.Parsed;
  let value: unknown;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      version: '1.2',
      uniqueKeys: true,
      prettyErrors: false,
    });
    if (document.errors.length > 0) {
      throw new ExperimentError(
        file,
        document.errors.map((error) => ({
          line: lines.linePos(error.pos[0]).line,
          path: '',
          message: `not YAML: ${error.message.split('\n')[0]}`,
        })),
        { hint: 'mend the YAML' },
      );
    }
    // Aliases add nothing here and are how a few bytes become gigabytes.
    value = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof ExperimentError) throw error;
    const tooDeep = error instanceof RangeError;
    const message = tooDeep ? 'nested too deeply' : 'aliases (*name) are not accepted';
    throw new ExperimentError(file, [{ line: tooDeep ? 1 : lineOfAlias(text), path: '', message }], {
      hint: 'write the values out',
    });
  }
  const set = settings.map(({ keys }) => keys);
  return new FileText(document, lines, schema, withSettings(value, settings), set);
}

function lineOfAlias(text: string): number {
  const at = text.search(/(^|[\s[{,:-])\*[^\s,\]}]/m);
  return text.slice(0, Math.max(at, 0)).split('\n').length + (text[at] === '\n' ? 1 : 0);
}

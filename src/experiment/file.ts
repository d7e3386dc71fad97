import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { ExperimentError, type ExperimentIssue } from '../errors.js';
import { resolveAxes } from './axes.js';
import { FileText } from './issues.js';
import { axesOf } from './matrix.js';
import { type Experiment, experimentSchema } from './schema.js';
import { type Setting, withSettings } from './setting.js';

/** An experiment is a page of text; more is a mistake (or an attack on the parser). */
const maxFileBytes = 64 * 1024;

/**
 * Reads and checks an experiment file, with the command line's settings over what it says. Throws ExperimentError with all that
 * is wrong, each with its line.
 */
export async function readExperiment(file: string, settings: readonly Setting[] = []): Promise<Experiment> {
  return parseExperiment(await readText(file), file, settings);
}

async function readText(file: string): Promise<string> {
  const fail = (message: string, hint: string) =>
    new ExperimentError(file, [{ line: undefined, path: '', message }], { hint });
  try {
    // O_NONBLOCK: opening a FIFO must not hang.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw fail('not a regular file', 'name an experiment file (.yaml)');
      const buffer = Buffer.alloc(maxFileBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
        if (bytesRead === 0) break;
        length += bytesRead;
        if (length > maxFileBytes)
          throw fail(`larger than ${maxFileBytes} bytes`, 'an experiment file is a page of YAML');
      }
      return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof ExperimentError) throw error;
    if (error instanceof TypeError) throw fail('not UTF-8 text', 'name an experiment file (.yaml)');
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const hint =
      code === 'ENOENT' ? 'check the name; the package brings examples in experiments/' : 'make it readable';
    throw fail(code === 'ENOENT' ? 'no such file' : `cannot be read: ${code}`, hint);
  }
}

/** Checks the text of an experiment file; `file` is for messages. Throws ExperimentError. */
export function parseExperiment(text: string, file: string, settings: readonly Setting[] = []): Experiment {
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
  return experimentIn(new FileText(document, lines, withSettings(value, settings), set), file);
}

function experimentIn(text: FileText, file: string): Experiment {
  const issues: ExperimentIssue[] = [];
  const parsed = experimentSchema.safeParse(text.value);
  if (parsed.success) {
    const axes = resolveAxes(axesOf(parsed.data.matrix), text, (path, message) =>
      issues.push(text.issue(['matrix', path], message)),
    );
    const { compressor, folio, kernel } = parsed.data.matrix;
    if (issues.length === 0) return { ...parsed.data, matrix: { compressor, folio, kernel, axes } };
  } else {
    issues.push(...parsed.error.issues.flatMap((issue) => text.issues(issue)));
  }
  issues.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
  throw new ExperimentError(file, issues, { hint: 'docs/experiments.md lists every key' });
}

function lineOfAlias(text: string): number {
  const at = text.search(/(^|[\s[{,:-])\*[^\s,\]}]/m);
  return text.slice(0, Math.max(at, 0)).split('\n').length + (text[at] === '\n' ? 1 : 0);
}

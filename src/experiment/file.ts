import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { type Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { ExperimentError, type ExperimentIssue } from '../errors.js';
import { type Experiment, experimentSchema } from './schema.js';

/** An experiment is a page of text; more is a mistake (or an attack on the parser). */
const maxFileBytes = 64 * 1024;

/** Reads and checks an experiment file. Throws ExperimentError with all that is wrong, each with its line. */
export async function readExperiment(file: string): Promise<Experiment> {
  return parseExperiment(await readText(file), file);
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
export function parseExperiment(text: string, file: string): Experiment {
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
  const parsed = experimentSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.flatMap((issue) => toIssues(issue, document, lines, value));
  issues.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  throw new ExperimentError(file, issues, { hint: 'docs/experiments.md lists every key' });
}

function lineOfAlias(text: string): number {
  const at = text.search(/(^|[\s[{,:-])\*[^\s,\]}]/m);
  return text.slice(0, Math.max(at, 0)).split('\n').length + (text[at] === '\n' ? 1 : 0);
}

type Path = readonly (string | number)[];

function toIssues(
  issue: z.core.$ZodIssue,
  document: Document.Parsed,
  lines: LineCounter,
  value: unknown,
): ExperimentIssue[] {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      line: lineOf(document, lines, [...path, key]),
      path: renderPath([...path, key]),
      message: `unknown key; known here: ${knownKeys(path).join(', ')}`,
    }));
  }
  const missing = valueAt(value, path) === undefined;
  return [
    {
      line: lineOf(document, lines, path),
      path: renderPath(path),
      message: missing ? 'missing' : messageOf(issue),
    },
  ];
}

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.expected === 'int' ? 'a whole number' : issue.expected}`;
    case 'too_small':
      return issue.origin === 'array' ? 'must not be empty' : `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_value':
      return `expected one of ${issue.values.join(', ')}`;
    case 'invalid_union': {
      const inner = issue.errors.flat();
      return (
        inner.find((one) => one.code === 'custom')?.message ??
        'expected a size as 64M, 10g or a number of bytes'
      );
    }
    default:
      return issue.message;
  }
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path)
    at = at !== null && typeof at === 'object' ? (at as Record<string | number, unknown>)[key] : undefined;
  return at;
}

/** Line of the key at `path`, or of the nearest thing above it that is in the file. */
function lineOf(document: Document.Parsed, lines: LineCounter, path: Path): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true);
    const last = path[depth - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === last);
      const range = isScalar(pair?.key) ? pair.key.range : undefined;
      if (range) return lines.linePos(range[0]).line;
    }
    const node = document.getIn(path.slice(0, depth), true) as
      | { range?: [number, number, number] }
      | undefined;
    if (node?.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function renderPath(path: Path): string {
  return path
    .map((key, index) =>
      typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${/[.]/.test(key) ? `"${key}"` : key}`,
    )
    .join('');
}

/** The keys that the schema accepts in the object at `path`. */
function knownKeys(path: Path): string[] {
  let schema: z.ZodType = experimentSchema;
  for (const key of path) {
    const outer = unwrap(schema);
    schema = (
      typeof key === 'number' ? (outer as z.ZodArray).element : (outer as z.ZodObject).shape[key]
    ) as z.ZodType;
  }
  return Object.keys((unwrap(schema) as z.ZodObject).shape);
}

function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema;
  // An array has unwrap(), too: it gives its element.
  while ('unwrap' in inner && inner.type !== 'array') inner = (inner as z.ZodOptional<z.ZodType>).unwrap();
  return inner;
}

/** Where and what is wrong in a file of YAML, from what its schema says of its values. */
import { type Document, isMap, isScalar, type LineCounter } from 'yaml';
import type * as z from 'zod';
import type { ExperimentIssue } from '../errors.js';

export type Path = readonly (string | number)[];

/** A file's YAML: what is in it, and on which lines. */
export class FileText {
  readonly value: unknown;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #set: readonly Path[];
  readonly #schema: z.ZodType;

  /** `value` is what is in the file but for the keys in `set`, which somebody else has given values. */
  constructor(
    document: Document.Parsed,
    lines: LineCounter,
    schema: z.ZodType,
    value: unknown,
    set: readonly Path[] = [],
  ) {
    this.#document = document;
    this.#lines = lines;
    this.#schema = schema;
    this.value = value;
    this.#set = set;
  }

  /** What is wrong with the value at `path`. */
  issue(path: Path, message: string): ExperimentIssue {
    const isSet = this.#set.some((keys) => keys.every((key, index) => key === path[index]));
    return { line: isSet ? undefined : this.#lineOf(path), path: renderPath(path), message };
  }

  /** What the schema says, with lines. */
  issues(issue: z.core.$ZodIssue): ExperimentIssue[] {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(this.#schema, path).join(', ');
      return issue.keys.map((key) => this.issue([...path, key], `unknown key; known here: ${known}`));
    }
    return [this.issue(path, valueAt(this.value, path) === undefined ? 'missing' : messageOf(issue))];
  }

  /** Line of the key at `path`, or of the nearest thing above it that is in the file. */
  #lineOf(path: Path): number {
    const [document, lines] = [this.#document, this.#lines];
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
}

export function messageOf(issue: z.core.$ZodIssue): string {
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
      return inner.find((one) => one.code === 'custom')?.message ?? issue.message;
    }
    default:
      return issue.message;
  }
}

export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path)
    at = at !== null && typeof at === 'object' ? (at as Record<string | number, unknown>)[key] : undefined;
  return at;
}

export function renderPath(path: Path): string {
  return path
    .map((key, index) =>
      typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${/[.]/.test(key) ? `"${key}"` : key}`,
    )
    .join('');
}

/** The keys that a schema accepts in the object at `path`. */
function knownKeys(whole: z.ZodType, path: Path): string[] {
  let schema = whole;
  for (const key of path) {
    const outer = unwrap(schema);
    schema = (
      typeof key === 'number' ? (outer as z.ZodArray).element : (outer as z.ZodObject).shape[key]
    ) as z.ZodType;
  }
  return Object.keys((unwrap(schema) as z.ZodObject).shape);
}

export function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema;
  // An array has unwrap(), too: it gives its element.
  while ('unwrap' in inner && inner.type !== 'array') inner = (inner as z.ZodOptional<z.ZodType>).unwrap();
  return inner;
}

import type * as z from 'zod';
import { withValue } from './cells.js';
import { type FileText, messageOf, unwrap, valueAt } from './issues.js';
import { type Axis, axisParts, type GivenAxis } from './matrix.js';
import { experimentSchema } from './schema.js';

/** Each combination of values is checked. */
const maxCombinations = 1000;

/** What is wrong with the axis of this path. */
type Problem = (path: string, message: string) => void;

/**
 * Axes with their values as the schema reads them at their places: every combination of them must be an experiment.
 * `problem` is called for each thing that is wrong, once.
 */
export function resolveAxes(given: readonly GivenAxis[], text: FileText, problem: Problem): Axis[] {
  const axes = given.flatMap(({ path, values }) => {
    const keys = keysOf(path);
    if (keys === undefined) {
      problem(path, `cannot differ from cell to cell: expected a key in ${axisParts.join(', ')}`);
      return [];
    }
    if (values.length === 0) problem(path, 'must not be empty');
    if (new Set(values.map(({ name }) => name)).size < values.length) problem(path, 'has a value twice');
    return [{ path, keys, values: values.map((value) => ({ ...value, parsed: undefined as unknown })) }];
  });
  const count = axes.reduce((product, { values }) => product * values.length, 1);
  if (count > maxCombinations) {
    problem(given.at(-1)?.path ?? '', `more than ${maxCombinations} combinations`);
    return [];
  }
  const told = new Set<string>();
  for (let number = 0; number < count; number++) {
    let rest = number;
    const chosen = axes.map((axis) => {
      const value = axis.values[rest % axis.values.length] as (typeof axis.values)[number];
      rest = Math.floor(rest / axis.values.length);
      return { ...axis, value };
    });
    const parsed = experimentSchema.safeParse(
      chosen.reduce((all, { keys, value }) => withValue(all, keys, value.value), text.value),
    );
    if (parsed.success) {
      for (const { keys, value } of chosen) value.parsed = valueAt(parsed.data, keys);
      continue;
    }
    for (const issue of parsed.error.issues) {
      const at =
        chosen.find(({ keys }) => keys.every((key, index) => issue.path[index] === key)) ?? chosen[0];
      const message = `${at?.value.name}: ${messageOf(issue)}`;
      if (at === undefined || told.has(`${at.path} ${message}`)) continue;
      told.add(`${at.path} ${message}`);
      const others = chosen
        .filter(({ path }) => path !== at.path)
        .map(({ path, value }) => `${path} ${value.name}`);
      problem(at.path, `${message}${others.length === 0 ? '' : ` (with ${others.join(', ')})`}`);
    }
  }
  return axes.map(({ values, ...axis }) => ({
    ...axis,
    values: values.map(({ name, parsed }) => ({ name, value: parsed })),
  }));
}

/** The keys on the way to one that may differ from cell to cell; undefined when there is no such key. */
function keysOf(path: string): string[] | undefined {
  const keys = findKeys(path);
  const [part] = keys ?? [];
  return keys !== undefined &&
    keys.length > 1 &&
    (axisParts as readonly (string | undefined)[]).includes(part)
    ? keys
    : undefined;
}

/** The keys on the way to `cgroup.memory.high`, of which some have dots in them; undefined when there is no such key. */
export function findKeys(path: string): string[] | undefined {
  const keys: string[] = [];
  let schema: z.ZodType = experimentSchema;
  let rest = path;
  while (rest !== '') {
    const inner = unwrap(schema);
    if (!('shape' in inner)) return undefined;
    const { shape } = inner as z.ZodObject;
    const [key] = Object.keys(shape)
      .filter((one) => rest === one || rest.startsWith(`${one}.`))
      .sort((a, b) => b.length - a.length);
    if (key === undefined) return undefined;
    keys.push(key);
    rest = rest.slice(key.length + 1);
    schema = shape[key] as z.ZodType;
  }
  return keys.length === 0 ? undefined : keys;
}

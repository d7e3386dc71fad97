import { UsageError } from '../errors.js';
import { published } from '../report/published.js';
import { type CellSet, parseCellSet } from '../study/cells.js';

/** A published set by its name, as `v9`; undefined for another name. */
export function publishedSet(name: string): CellSet | undefined {
  return Object.hasOwn(published, name) ? published[name] : undefined;
}

/** A published set by its name, or a file of cells as `report --json` prints it. Throws UsageError, ParseError. */
export async function cellSetOf(name: string): Promise<CellSet> {
  const found = publishedSet(name);
  if (found !== undefined) return found;
  const { readFile } = await import('node:fs/promises');
  let text: string;
  try {
    text = await readFile(name, 'utf8');
  } catch (cause) {
    throw new UsageError(`${name}: neither a published set nor a file that can be read`, {
      cause,
      hint: `published: ${Object.keys(published).join(', ')}`,
    });
  }
  return parseCellSet(text, name);
}

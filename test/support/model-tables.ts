/** Tables of docs/model.md that scripts/calibrate writes and a test compares. */
import type { NativeModelConstant } from '../../src/native/surface.js';

/** A table in Markdown; numbers, whose columns are named, are set to the right. */
export function markdownTable(
  columns: readonly string[],
  right: readonly string[],
  rows: readonly string[][],
): string {
  const rule = columns.map((column) => (right.includes(column) ? '---:' : '---'));
  return [columns, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function constantsTable(constants: readonly NativeModelConstant[]): string {
  return markdownTable(
    ['constant', 'value', 'unit', 'source', 'meaning'],
    ['value'],
    constants.map(({ name, value, unit, source, meaning }) => [
      `\`${name}\``,
      value.toLocaleString('en-US'),
      unit,
      source,
      meaning,
    ]),
  );
}

/** A document with what is between `<!-- NAME -->` and `<!-- end -->` replaced; throws when it has no such place. */
export function withTable(text: string, name: string, table: string): string {
  const begin = text.indexOf(`<!-- ${name} -->`);
  const end = text.indexOf('<!-- end -->', begin);
  if (begin === -1 || end === -1) throw new Error(`there is no <!-- ${name} --> ... <!-- end -->`);
  return `${text.slice(0, begin)}<!-- ${name} -->\n\n${table}\n\n${text.slice(end)}`;
}

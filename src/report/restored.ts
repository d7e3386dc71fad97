/** Directories with many attributes that are put back as one: what they are called. */
const wholes: readonly (readonly [RegExp, string])[] = [
  [/^(\/sys\/bus\/dsa\/devices\/iax\d+)\//, 'attributes of device, WQs, engines and groups'],
  [/^(\/sys\/devices\/system\/cpu\/cpufreq)\//, 'attributes of its policies'],
];

/** Attributes that read as before a run, for a person: one line each, but one for all of a device. */
export function attributeLines(attributes: Readonly<Record<string, string>>): string[] {
  const counts = new Map<string, { readonly what: string; count: number }>();
  const lines: (string | { readonly whole: string })[] = [];
  for (const [path, text] of Object.entries(attributes)) {
    const found = wholes
      .map(([pattern, what]) => ({ whole: pattern.exec(path)?.[1], what }))
      .find(({ whole }) => whole !== undefined);
    if (found?.whole === undefined) {
      lines.push(`${path}: ${text.trimEnd()}`);
      continue;
    }
    const { whole, what } = found;
    const known = counts.get(whole);
    if (known === undefined) {
      counts.set(whole, { what, count: 1 });
      lines.push({ whole });
    } else known.count += 1;
  }
  return lines.map((line) => {
    if (typeof line === 'string') return line;
    const { what, count } = counts.get(line.whole) as { what: string; count: number };
    return `${line.whole}: ${count} ${what}`;
  });
}

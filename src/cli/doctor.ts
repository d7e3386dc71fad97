/** What `doctor` shows. */
import type { Diagnosis, Severity } from '../doctor/diagnosis.js';
import type { CellForecast } from '../doctor/effects.js';
import type { SharedUse } from '../doctor/shared.js';
import { printableLine } from './terminal.js';

const plurals: Readonly<Record<Exclude<Severity, 'ok'>, string>> = {
  problem: 'problems',
  warning: 'warnings',
  note: 'notes',
};

/** The diagnoses for people: what is to be mended first, what is in order at the end. */
export function renderDiagnoses(diagnoses: readonly Diagnosis[]): string {
  const of = (severity: Severity): Diagnosis[] => diagnoses.filter((each) => each.severity === severity);
  const counts = (['problem', 'warning', 'note'] as const).map((severity) => {
    const { length } = of(severity);
    return `${length} ${length === 1 ? severity : plurals[severity]}`;
  });
  const lines = [counts.join(', ')];
  for (const { severity, path, message, meaning, mend } of diagnoses) {
    if (severity === 'ok') continue;
    lines.push('', `${severity}: ${message}`, `  at:    ${path}`, `  means: ${meaning}`);
    if (mend !== undefined) lines.push(`  mend:  ${mend}`);
  }
  const fine = of('ok');
  if (fine.length > 0) {
    lines.push('', 'in order:', ...fine.map(({ message, meaning }) => `  ${message}: ${meaning}`));
  }
  return lines.map(printableLine).join('\n');
}

/** Longer lists are cut; --json has them whole. */
const shownEntries = 10;

/** Who uses what, for people. */
export function renderSharedUse({ swap, cgroups, zswap, iaa, hugePages, findings }: SharedUse): string {
  const lines = [
    'who uses what now',
    ...listed(
      'swap areas',
      swap.areas.map(
        ({ path, usedKiB, sizeKiB }) =>
          `${path}  ${mebibytes(usedKiB * 1024)} of ${mebibytes(sizeKiB * 1024)}`,
      ),
    ),
    ...listed(
      'processes in swap or zswap',
      swap.processes.map(({ pid, name, swapBytes }) => `${pid} ${name}  ${mebibytes(swapBytes)}`),
    ),
    ...listed(
      'cgroups',
      cgroups.map(
        ({ group, swapBytes, zswapBytes, hugeBytes }) =>
          `${group}  swap ${mebibytes(swapBytes)}, zswap ${mebibytes(zswapBytes)} compressed, huge pages ${mebibytes(hugeBytes)}`,
      ),
    ),
    ...listed('zswap', [
      [
        zswap.enabled === true ? 'enabled' : zswap.enabled === false ? 'disabled' : 'state unknown',
        `compressor ${zswap.compressor ?? 'unknown'}`,
        zswap.storedPages === undefined ? 'stored pages unknown' : `${zswap.storedPages} pages stored`,
        ...(zswap.poolBytes === undefined ? [] : [`pool ${mebibytes(zswap.poolBytes)}`]),
      ].join(', '),
    ]),
    ...listed('IAA', [
      ...iaa.wqs.map(({ name, driver, clients }) => `${name} of ${driver}, ${clients ?? 'unknown'} clients`),
      ...iaa.algorithms.map(({ driver, references }) => `${driver} is in use (references ${references})`),
      ...iaa.zram.map(({ name, compressor }) => `${name} compresses with ${compressor}`),
    ]),
    ...listed('huge pages', [
      hugePages.anonymousBytes === undefined
        ? 'of programs: unknown'
        : `of programs: ${mebibytes(hugePages.anonymousBytes)}`,
      ...hugePages.pools.map(
        ({ name, pages, freePages }) => `pool of ${name}: ${pages} pages, ${freePages ?? '?'} free`,
      ),
      ...hugePages.processes.map(
        ({ pid, name, hugetlbBytes }) => `${pid} ${name}  ${mebibytes(hugetlbBytes)} of the pools`,
      ),
    ]),
    ...(findings.length === 0
      ? []
      : listed(
          'not known',
          findings.map(({ path, message }) => `${path}: ${message}`),
        )),
  ];
  return lines.map(printableLine).join('\n');
}

/** What each cell needs and, when asked, what it would change for everybody. */
export function renderForecast(cells: readonly CellForecast[], effects: boolean): string {
  const lines: string[] = [];
  for (const { cell, missing, effects: changes } of cells) {
    lines.push(
      `cell ${cell.number} (${cell.compressor}, ${cell.folio}): ${missing.length > 0 ? 'cannot be run here' : 'can be run here'}`,
    );
    for (const { path, message, mend } of missing) {
      lines.push(`  missing: ${message}`, `    at:   ${path}`, `    mend: ${mend}`);
    }
    if (!effects || missing.length > 0) continue;
    if (changes.length === 0) lines.push('  changes nothing for others');
    for (const { path, from, to, felt } of changes) {
      lines.push(`  ${path}: ${from === undefined ? '' : `${from} -> `}${to}`, `    felt by: ${felt}`);
    }
  }
  return lines.map(printableLine).join('\n');
}

function listed(title: string, entries: readonly string[]): string[] {
  const more = entries.length - shownEntries;
  return [
    `  ${title}: ${entries.length === 0 ? 'none' : ''}`.trimEnd(),
    ...entries.slice(0, shownEntries).map((entry) => `    ${entry}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
  ];
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

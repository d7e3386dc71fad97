import { Command } from 'commander';
import type { Diagnosis, Severity } from '../../doctor/diagnosis.js';
import type { CellForecast } from '../../doctor/effects.js';
import type { SharedUse } from '../../doctor/shared.js';
import { ExitCode } from '../../errors.js';
import { type CommonOptions, openCommandHost, optionsOf } from '../options.js';
import { print, printableLine, toJson } from '../terminal.js';

interface DoctorOptions {
  readonly shared?: boolean;
}

/**
 * `doctor [FILE]`: all that is missing, wrong or worth knowing. Exit 3 when an experiment file was given and needs
 * what is not here; else 0, also without IAA.
 */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('examine this machine: what is missing or wrong, what that means and how to mend it')
    .argument('[file]', 'experiment file whose needs are checked too')
    .option(
      '--shared',
      'show who uses swap, zswap, IAA and huge pages now, and what FILE would change for them',
    )
    .addHelpText('after', '\nExit codes: 0; 3 when FILE needs something that is missing here.')
    .action(async (file: string | undefined, _options: DoctorOptions, command: Command) => {
      const options = optionsOf<DoctorOptions & CommonOptions>(command);
      const { examine } = await import('../../doctor/doctor.js');
      const { forecast } = await import('../../doctor/effects.js');
      const { readSharedUse } = await import('../../doctor/shared.js');
      const { readExperiment } = await import('../../experiment/file.js');
      const experiment = file === undefined ? undefined : await readExperiment(file);
      const host = await openCommandHost(options, false);
      try {
        const { inventory, diagnoses } = await examine(host);
        const shared = options.shared === true ? await readSharedUse(host, inventory, []) : undefined;
        const cells = experiment && forecast(inventory, experiment);
        if (options.json === true) {
          const { source } = inventory;
          print(toJson({ schemaVersion: 1, host: host.name, source, diagnoses, shared, cells }));
        } else {
          print(
            [
              renderDiagnoses(diagnoses),
              ...(shared === undefined ? [] : [renderSharedUse(shared)]),
              ...(cells === undefined ? [] : [renderForecast(cells, options.shared === true)]),
            ].join('\n\n'),
          );
        }
        if (cells?.some(({ missing }) => missing.length > 0) === true)
          process.exitCode = ExitCode.requirement;
      } finally {
        await host.close();
      }
    });
}

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
export function renderSharedUse({ swap, cgroups, zswap, iaa, hugePages }: SharedUse): string {
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

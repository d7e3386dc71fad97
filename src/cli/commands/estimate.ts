import { Command } from 'commander';
import { UsageError } from '../../errors.js';
import type { CompressorEstimate, Estimate } from '../../estimate/estimate.js';
import type { PageSource } from '../../estimate/source.js';
import { type CommonOptions, optionsOf } from '../options.js';
import { print, printableLine, printError, toJson } from '../terminal.js';

interface EstimateCommandOptions extends CommonOptions {
  readonly pid?: string;
  readonly cgroup?: string;
  readonly folio: string;
  readonly pages: string;
  readonly seed: string;
  readonly limit?: string;
}

/** `estimate`: how well data would compress in zswap, per compressor; reads only. */
export function estimateCommand(): Command {
  return new Command('estimate')
    .description('show how well files or the memory of processes would compress in zswap')
    .argument('[files...]', "files; '-' is standard input")
    .option('--pid <number>', 'the anonymous memory of a process')
    .option(
      '--cgroup <directory>',
      'that of all processes of a cgroup, relative to /sys/fs/cgroup or absolute',
    )
    .option('--folio <size>', 'size of the folios swapped out, as 4K, 64K, 2M', '4K')
    .option('--pages <number>', 'pages to sample at most', '4096')
    .option('--seed <number>', 'which sample to take', '1')
    .option('--limit <size>', 'memory limit of the group, as 512M: shows what zswap would save under it')
    .addHelpText(
      'after',
      `
The accelerator is modelled by software: its sizes are close, not exact (docs/codec.md), and the times are
those of this machine's CPU. Pages that are swapped out or shared are not read.`,
    )
    .action(async (files: string[], _options: object, command: Command) => {
      const options = optionsOf<EstimateCommandOptions>(command);
      if (options.host !== 'live') {
        throw new UsageError(`estimate reads this machine, not ${options.host}`, {
          hint: 'leave --host out',
        });
      }
      const folioBytes = folioSize(options.folio);
      const pages = wholeNumber('--pages', options.pages, 1);
      const seed = wholeNumber('--seed', options.seed, 0);
      const limitBytes = options.limit === undefined ? undefined : size('--limit', options.limit);
      const ways = [files.length > 0, options.pid !== undefined, options.cgroup !== undefined];
      if (ways.filter(Boolean).length !== 1) {
        throw new UsageError('estimate takes files, or --pid, or --cgroup', { hint: 'give one of them' });
      }
      const { estimate } = await import('../../estimate/estimate.js');
      const sources = await openSources(files, options, folioBytes);
      try {
        if (sources.every(({ folios }) => folios === 0)) {
          throw new UsageError(
            `there are no pages in ${sources.map(({ name }) => name).join(', ') || 'it'}`,
            {
              hint: 'an empty file or a process without memory of its own has none',
            },
          );
        }
        const result = estimate(sources, {
          folioPages: folioBytes / pageBytes,
          samplePages: pages,
          seed,
          limitBytes,
          progress: process.stderr.isTTY ? showProgress : undefined,
        });
        if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
        print(options.json === true ? toJson(result) : renderEstimate(result));
      } finally {
        for (const source of sources) source.close();
      }
    });
}

const pageBytes = 4096;

async function openSources(
  files: readonly string[],
  options: EstimateCommandOptions,
  folioBytes: number,
): Promise<PageSource[]> {
  const { openFile, openProcess, processesOf } = await import('../../estimate/source.js');
  if (options.pid !== undefined) return [openProcess(wholeNumber('--pid', options.pid, 1), folioBytes)];
  const opened: PageSource[] = [];
  try {
    for (const file of files) opened.push(openFile(file, folioBytes));
    for (const pid of options.cgroup === undefined ? [] : processesOf(options.cgroup)) {
      try {
        opened.push(openProcess(pid, folioBytes));
      } catch (error) {
        // One that has ended, or that must not be read, does not keep the others from being looked at.
        printError(`estimate: left out: ${(error as Error).message}`);
      }
    }
  } catch (error) {
    for (const source of opened) source.close();
    throw error;
  }
  return opened;
}

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

function size(option: string, text: string): number {
  const match = /^(\d{1,15})([KMGT]?)$/i.exec(text);
  const bytes = Number(match?.[1]) * (units[match?.[2]?.toUpperCase() ?? ''] ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    throw new UsageError(`${option} ${text}: not a size`, { hint: 'write it as 4096, 64K or 2M' });
  }
  return bytes;
}

function folioSize(text: string): number {
  const bytes = size('--folio', text);
  if (bytes < pageBytes || bytes > 512 * pageBytes || !Number.isInteger(Math.log2(bytes))) {
    throw new UsageError(`--folio ${text}: no size of a folio`, { hint: 'a power of two from 4K to 2M' });
  }
  return bytes;
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text);
  if (!/^\d{1,9}$/.test(text) || number < least) {
    throw new UsageError(`${option} ${text}: not a whole number from ${least}`);
  }
  return number;
}

function showProgress(done: number, of: number): void {
  if (done % 64 === 0) process.stderr.write(`\rcompressing: ${Math.floor((100 * done) / of)}%`);
}

/** The estimate for people, without the newline at its end. */
export function renderEstimate(result: Estimate): string {
  const all = result.sampledFolios === result.folios;
  const names = result.sources.slice(0, 3).map(printableLine).join(', ');
  const more = result.sources.length > 3 ? ` and ${result.sources.length - 3} more` : '';
  const lines = [
    `${names}${more}: ${grouped(result.pages)} pages${all ? '' : ' (about)'}, ` +
      `${grouped(result.sampledPages)} of them read`,
    `folios of ${(result.folioPages * pageBytes) / 1024} KiB; ` +
      `${percent(result.zeroFolioShare)} are zero and never get to zswap (kernel 6.12 and later)`,
  ];
  if (result.vanishedFolios > 0)
    lines.push(`${grouped(result.vanishedFolios)} folios were gone before they were read`);
  lines.push('');
  lines.push(...table(result.compressors));
  const limited = result.compressors.filter(({ underLimit }) => underLimit !== undefined);
  if (limited.length > 0) lines.push('', ...limitTable(limited));
  for (const { name, absent } of result.compressors) {
    if (absent !== undefined) lines.push(`${name} is absent: ${printableLine(absent)}`);
  }
  return lines.join('\n');
}

function table(rows: readonly CompressorEstimate[]): string[] {
  const shown = rows.filter(({ ratio }) => ratio !== undefined);
  if (shown.length === 0) return ['no page would get to zswap'];
  return columns([
    ['compressor', 'ratio', '95% interval', 'incompressible', 'charged B/page', 'host B/page', 'us/page'],
    ...shown.map((row) => [
      row.name,
      fixed(row.ratio, 3),
      row.ratioLow === undefined ? 'unknown' : `${fixed(row.ratioLow, 3)}..${fixed(row.ratioHigh, 3)}`,
      percent(row.incompressibleShare ?? 0),
      fixed(row.chargedBytesPerPage, 0),
      fixed(row.hostBytesPerPage, 0),
      fixed(row.microsecondsPerPage, 2),
    ]),
  ]);
}

function limitTable(rows: readonly CompressorEstimate[]): string[] {
  return columns([
    ['under the limit', 'swapped MiB', 'charged MiB', 'host MiB', 'saved MiB'],
    ...rows.map(({ name, underLimit }) =>
      underLimit?.possible === true
        ? [
            name,
            ...[
              underLimit.swappedBytes,
              underLimit.chargedBytes,
              underLimit.hostBytes,
              underLimit.savedBytes,
            ].map(mebibytes),
          ]
        : [name, 'does not fit', '', '', ''],
    ),
  ]);
}

/** Rows with the first column to the left and the others to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((text, column) =>
        column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}

function fixed(number: number | undefined, digits: number): string {
  return number === undefined ? '' : number.toFixed(digits);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

function grouped(number: number): string {
  return number.toLocaleString('en-US');
}

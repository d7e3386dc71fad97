import { Command, InvalidArgumentError, Option } from 'commander';
import { ExitCode, UsageError } from '../../errors.js';
import type { RunOutcome } from '../../experiment/run.js';
import type { Experiment } from '../../experiment/schema.js';
import type { Host } from '../../host/host.js';
import type { CellSet } from '../../study/cells.js';
import type { Result } from '../../study/record.js';
import {
  type CommonOptions,
  openCommandHost,
  optionsOf,
  settingOption,
  settingsOf,
  stateDirectoryOf,
} from '../options.js';
import { takeHelp } from './plan.js';
import { againstHelp } from './report.js';

interface RunOptions {
  readonly set: readonly string[];
  readonly yes?: boolean;
  readonly take?: boolean;
  readonly resume?: boolean;
  readonly aa?: boolean;
  readonly traceBatch?: boolean;
  readonly printUnit?: boolean;
  readonly seed?: number;
  readonly against?: string;
}

/** `run FILE...`: runs experiments, prints their tables, puts the machine back. */
export function runCommand(): Command {
  return new Command('run')
    .description('run experiments: configure, measure, print the table, put the machine back')
    .argument('<file...>', 'experiment files')
    .addOption(settingOption())
    .option('--take', takeHelp)
    .option(
      '--resume',
      'go on with the newest record of the experiment: after a crash, a reboot, or on another kernel of its matrix',
    )
    .option('--aa', "measure this machine's noise: every point twice, as if A and B were two")
    .option(
      '--trace-batch',
      'count how many pages zswap compresses at once and how long a page takes, by kernel probes; they cost time',
    )
    .addOption(
      new Option(
        '--seed <number>',
        "of random orders and of a modelled machine; default: the file's",
      ).argParser(parseSeed),
    )
    .option('--against <name>', againstHelp)
    .option('--print-unit', 'print a systemd service that goes on with it at each boot; run nothing')
    .option('--yes', 'do not ask (only changes of the live machine are asked about)')
    .action(async (files: string[], _options: RunOptions, command: Command) => {
      const options = optionsOf<RunOptions>(command);
      const { readExperiment } = await import('../../experiment/file.js');
      const { interruptSignal } = await import('../interrupt.js');
      const signal = interruptSignal();
      // All files are read before the first one is run.
      const experiments: [string, Experiment][] = [];
      const settings = await settingsOf(options.set);
      const seed = options.seed === undefined ? {} : { seed: options.seed };
      for (const file of files)
        experiments.push([file, { ...(await readExperiment(file, settings)), ...seed }]);
      if (options.printUnit === true) {
        await printUnit(files, options);
        return;
      }
      const { cellSetOf } = await import('../published-set.js');
      const against = options.against === undefined ? undefined : await cellSetOf(options.against);
      const host = await openCommandHost(options, true);
      try {
        if (options.yes !== true && options.host === 'live')
          await ask(host, experiments, options.take ?? false, signal);
        const stateDirectory = await stateDirectoryOf(options);
        const results: Result[] = [];
        for (const [file, experiment] of experiments) {
          results.push(
            await runOne(host, file, experiment, {
              stateDirectory,
              signal,
              take: options.take ?? false,
              resume: options.resume ?? false,
              aa: options.aa ?? false,
              traceBatch: options.traceBatch ?? false,
              json: options.json ?? false,
              against,
            }),
          );
        }
        if (options.json === true) {
          const { measuredSet } = await import('../../study/cells.js');
          const { print, toJson } = await import('../terminal.js');
          print(toJson(measuredSet(results)));
        }
      } finally {
        await host.close();
      }
    });
}

/** As `seed` of an experiment file. */
function parseSeed(given: string): number {
  const seed = Number(given);
  if (!/^\d+$/.test(given) || seed >= 2 ** 31)
    throw new InvalidArgumentError('expected a number from 0 to 2147483647');
  return seed;
}

async function printUnit(files: readonly string[], options: RunOptions & CommonOptions): Promise<void> {
  const { resolve } = await import('node:path');
  const { resumeUnit } = await import('../systemd-unit.js');
  const { print } = await import('../terminal.js');
  const absolute = files.map((file) => resolve(file));
  const state = options.state === undefined ? [] : ['--state', resolve(options.state)];
  const set = options.set.flatMap((setting) => ['--set', setting]);
  const seed = options.seed === undefined ? [] : ['--seed', String(options.seed)];
  const words = [
    'run',
    '--resume',
    '--yes',
    ...set,
    ...seed,
    ...(options.take === true ? ['--take'] : []),
    ...state,
  ];
  const argv = [process.execPath, resolve(process.argv[1] ?? ''), ...words, ...absolute];
  print(resumeUnit({ argv, files: absolute }));
}

async function ask(
  host: Host,
  experiments: readonly [string, Experiment][],
  take: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { discover } = await import('../../discover/discover.js');
  const { planAll } = await import('../../experiment/run.js');
  const { renderPlan } = await import('../../plan/render.js');
  const { confirm } = await import('../confirm.js');
  const { printError } = await import('../terminal.js');
  const inventory = await discover(host);
  for (const [, experiment] of experiments) {
    for (const plan of planAll(inventory, experiment, { take })) printError(renderPlan(plan));
  }
  await confirm('Run?', signal);
}

interface OneRun {
  readonly stateDirectory: string;
  readonly signal: AbortSignal;
  readonly take: boolean;
  readonly resume: boolean;
  readonly aa: boolean;
  readonly traceBatch: boolean;
  readonly json: boolean;
  readonly against: CellSet | undefined;
}

/** Exact versions of what the machine is made of, as whoever started us in a guest knows them: a JSON object of words. */
function environmentVersions(): Record<string, string> {
  const text = process.env['IAA_ZSWAP_ENVIRONMENT'];
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (
      value !== null &&
      typeof value === 'object' &&
      Object.values(value).every((each) => typeof each === 'string')
    ) {
      return value as Record<string, string>;
    }
  } catch {
    // Told below.
  }
  throw new UsageError('IAA_ZSWAP_ENVIRONMENT is not a JSON object of words', { hint: 'unset it' });
}

async function runOne(host: Host, file: string, experiment: Experiment, options: OneRun): Promise<Result> {
  const { runExperiment } = await import('../../experiment/run.js');
  const { readRecord } = await import('../../collect/record.js');
  const { study } = await import('../../study/record.js');
  const { tablesOf } = await import('../../report/tables-of.js');
  const { print, printError } = await import('../terminal.js');
  const { Progress } = await import('../progress.js');
  const progress = new Progress(experiment.name);
  try {
    const outcome = await runExperiment(host, experiment, {
      stateDirectory: options.stateDirectory,
      experimentFile: file,
      signal: options.signal,
      take: options.take,
      resume: options.resume,
      aa: options.aa,
      traceBatch: options.traceBatch,
      environment: environmentVersions(),
      onEvent: (event) => progress.show(event),
    });
    progress.end();
    const result = study(await readRecord(outcome.directory));
    if (!options.json) print(tablesOf([result], options.against));
    if (options.traceBatch) {
      const { batchLines } = await import('../batches.js');
      for (const line of await batchLines(outcome.directory)) printError(line);
      for (const { cell, gathered } of (await readRecord(outcome.directory)).cells) {
        if (gathered?.batches !== undefined && 'absent' in gathered.batches) {
          printError(`cell ${cell.number}: no batches traced: ${gathered.batches.absent}`);
        }
      }
    }
    printError(await restoredText(outcome));
    for (const kernel of outcome.waiting) printError(waitingText(kernel, experiment));
    printError(`record: ${outcome.directory}`);
    if (outcome.cellsFailed > 0) process.exitCode = ExitCode.failedRestored;
    else if (result.cells.some((cell) => cell.invalid.length > 0)) process.exitCode ||= ExitCode.checkSaidNo;
    return result;
  } finally {
    progress.end();
  }
}

function waitingText(kernel: string, { matrix }: Experiment): string {
  const release = matrix.kernel?.find(({ name }) => name === kernel)?.release ?? kernel;
  return `waiting for ${kernel}: boot ${release}, then 'iaa-zswap run --resume'`;
}

async function restoredText({ restored, attributes }: RunOutcome): Promise<string> {
  const { attributeLines } = await import('../../report/restored.js');
  return [
    `restored: ${restored.undone.length} changes taken back; read again, equal to before the run:`,
    ...attributeLines(attributes).map((line) => `  ${line}`),
    ...restored.oneWay.map(({ path, message }) => `not undone before the next boot: ${path}: ${message}`),
  ].join('\n');
}

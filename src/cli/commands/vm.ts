import { rmdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { InterruptedError, type StopSignal, VmError } from '../../errors.js';
import type { Accelerator, Channel, Guest, GuestInit, GuestOptions } from '../../vm/index.js';
import { optionsOf, settingOption, settingsOf } from '../options.js';

interface FolderOption {
  readonly dir?: string;
}

interface SizeOptions extends FolderOption {
  readonly memory: number;
  readonly cpus: number;
  readonly swap: number;
  readonly append: readonly string[];
  readonly init: GuestInit;
  readonly accel: Accelerator;
  readonly devices: number;
  readonly bootLimit: number;
  readonly kernel?: string;
}

interface RunInGuestOptions extends SizeOptions {
  readonly resume?: boolean;
  readonly aa?: boolean;
  readonly set: readonly string[];
}

interface ExecOptions extends SizeOptions {
  readonly refresh?: boolean;
}

/** `vm`: a guest with Debian's newest kernel and this machine's files, to try things in. */
export function vmCommand(): Command {
  return new Command('vm')
    .description("a guest: Debian's newest kernel over this machine's files, which it cannot change")
    .addCommand(startCommand())
    .addCommand(execCommand())
    .addCommand(runInGuestCommand())
    .addCommand(deviceCommand())
    .addCommand(statusCommand())
    .addCommand(stopCommand())
    .addCommand(fetchCommand());
}

function withFolder(command: Command): Command {
  return command.option('--dir <dir>', "the guest's runtime folder (default: one for each user, below /run)");
}

function withSizes(command: Command): Command {
  return withFolder(command)
    .option('--memory <MiB>', 'memory of a guest that is started', parseWhole, 2048)
    .option('--cpus <number>', 'CPUs of a guest that is started', parseWhole, 2)
    .addOption(
      new Option('--swap <size>', 'size of its swap disk; takes disk space only as it fills')
        .argParser(parseSize)
        .default(parseSize('4G'), '4G'),
    )
    .option('--kernel <version>', "its kernel, of those in the cache: Debian's version or the release")
    .addOption(
      new Option('--append <word>', "a word for its kernel's command line; can be repeated")
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(
      new Option('--init <init>', 'what starts in it').choices(['agent', 'systemd']).default('agent'),
    )
    .option(
      '--devices <number>',
      'software IAA devices that it has, 0 to 8, half at each of two sockets',
      parseDevices,
      0,
    )
    .addOption(
      new Option('--accel <accelerator>', "who executes its instructions: QEMU's translator or the CPU")
        .choices(['tcg', 'kvm'])
        .default('tcg'),
    )
    .option('--boot-limit <seconds>', 'how long it may take to boot', parseWhole, 120);
}

function startCommand(): Command {
  return withSizes(
    new Command('start').description("boot a guest and leave it running until 'vm stop'"),
  ).action(async (_options: SizeOptions, command: Command) => {
    const options = optionsOf<SizeOptions>(command);
    const { startGuest } = await import('../../vm/index.js');
    const { print, toJson } = await import('../terminal.js');
    const guest = await interruptible((signal) => guestOptions(options, false, signal).then(startGuest));
    print(options.json === true ? toJson({ dir: guest.folder, ...guest.state }) : describe(guest));
  });
}

function execCommand(): Command {
  return withSizes(
    new Command('exec')
      .description('run a program in the guest; boots one for it when none runs')
      .usage('[options] -- PROGRAM ARGUMENT...')
      .argument('<argv...>', 'program and arguments')
      .option('--refresh', 'first let a guest that runs already see files changed since it looked at them'),
  ).action(async (argv: string[], _options: ExecOptions, command: Command) => {
    const options = optionsOf<ExecOptions>(command);
    process.exitCode = await inGuest(options, options.refresh ?? false, (guest, control) =>
      execute(guest, argv, control),
    );
  });
}

function runInGuestCommand(): Command {
  return withSizes(
    new Command('run')
      .description("'iaa-zswap run FILE... --yes' in the guest; the records come back into --state")
      .argument('<file...>', 'experiment files')
      .addOption(settingOption())
      .option('--resume', 'go on with the newest record of the experiment in --state')
      .option('--aa', 'measure the noise: every point twice, as if A and B were two'),
  ).action(async (files: string[], _options: RunInGuestOptions, command: Command) => {
    const options = optionsOf<RunInGuestOptions>(command);
    const { bringRecords, collectRecords, guestRunArguments } = await import('../../vm/experiment.js');
    await settingsOf(options.set);
    const state = await recordsDirectory(options.state);
    process.exitCode = await inGuest(options, true, async (guest, control) => {
      const { json = false, resume = false, aa = false } = options;
      const run = guestRunArguments(files, { json, resume, aa, set: options.set });
      if (resume) await bringRecords(guest, state, run.stateDirectory);
      const before = guest.state.devices > 0 && !resume ? await guest.askDevices('stats') : undefined;
      try {
        return await execute(guest, run.argv, control);
      } finally {
        // What was recorded before a failure counts as well.
        const { printError } = await import('../terminal.js');
        const records = guest.isRunning() ? await collectRecords(guest, run.stateDirectory, state) : [];
        if (before !== undefined && records.length > 0) printError(await accountOf(guest, before, records));
        for (const record of records) printError(`copied out of the guest: ${record}`);
      }
    });
  });
}

/** What the guest's devices did beside what the records of a run say of it. */
async function accountOf(guest: Guest, before: string, records: readonly string[]): Promise<string> {
  const { readRecord } = await import('../../collect/record.js');
  const { study } = await import('../../study/record.js');
  const { deviceAccount } = await import('../device-account.js');
  const after = await guest.askDevices('stats');
  const results = [];
  for (const record of records) results.push(study(await readRecord(record)));
  return deviceAccount(JSON.parse(before), JSON.parse(after), results);
}

function deviceCommand(): Command {
  return withFolder(
    new Command('device')
      .description(
        "the guest's software IAA devices: what they have done, as JSON, or a fault (docs/device.md)",
      )
      .argument('<request...>', 'stats, or as: hang 0 1, halt 0 warm'),
  ).action(async (words: string[], _options: FolderOption, command: Command) => {
    const { findGuest } = await import('../../vm/index.js');
    const { print } = await import('../terminal.js');
    const folder = await folderOf(optionsOf<FolderOption>(command));
    const guest = await findGuest(folder);
    if (guest === undefined) throw new VmError(`no guest runs in ${folder}`);
    print(await guest.askDevices(words.join(' ')));
  });
}

function statusCommand(): Command {
  return withFolder(new Command('status').description('tell whether a guest runs, and which')).action(
    async (_options: FolderOption, command: Command) => {
      const options = optionsOf<FolderOption>(command);
      const { findGuest } = await import('../../vm/index.js');
      const { print, toJson } = await import('../terminal.js');
      const folder = await folderOf(options);
      const guest = await findGuest(folder);
      if (options.json === true) print(toJson(guest === undefined ? null : { dir: folder, ...guest.state }));
      else print(guest === undefined ? `no guest runs in ${folder}` : describe(guest));
    },
  );
}

function stopCommand(): Command {
  return withFolder(new Command('stop').description('switch the running guest off')).action(
    async (_options: FolderOption, command: Command) => {
      const options = optionsOf<FolderOption>(command);
      const { findGuest } = await import('../../vm/index.js');
      const { printError } = await import('../terminal.js');
      const folder = await folderOf(options);
      const guest = await findGuest(folder);
      if (guest === undefined) printError(`no guest runs in ${folder}`);
      else await guest.stop();
    },
  );
}

function fetchCommand(): Command {
  return new Command('fetch')
    .description("fetch Debian's newest kernel for the guests that are started from now on")
    .option('--suite <suite>', "the newest of this suite of Debian instead, for '--kernel'")
    .action(async (_options: { suite?: string }, command: Command) => {
      const { fetchKernel } = await import('../../vm/index.js');
      const { print, printError, toJson } = await import('../terminal.js');
      const { kernel, folder } = await fetchKernel(printError, optionsOf<{ suite?: string }>(command).suite);
      print(optionsOf(command).json === true ? toJson(kernel) : `${kernel.version} in ${folder}`);
    });
}

async function folderOf(options: FolderOption): Promise<string> {
  const { runtimeFolder } = await import('../../vm/index.js');
  return options.dir === undefined ? runtimeFolder() : resolve(options.dir);
}

async function guestOptions(
  options: SizeOptions,
  leased: boolean,
  signal: AbortSignal,
): Promise<GuestOptions> {
  const { printError } = await import('../terminal.js');
  return {
    folder: await folderOf(options),
    memoryMiB: options.memory,
    cpus: options.cpus,
    swapBytes: options.swap,
    init: options.init,
    accelerator: options.accel,
    devices: options.devices,
    kernel: options.kernel,
    append: options.append,
    bootLimitMs: options.bootLimit * 1000,
    leased,
    progress: printError,
    signal,
  };
}

async function recordsDirectory(given: string | undefined): Promise<string> {
  const { stateDirectoryOf } = await import('../options.js');
  // Only root can write where the live machine's records are.
  const host = process.geteuid?.() === 0 ? 'live' : 'vm';
  return stateDirectoryOf(given === undefined ? { host } : { host, state: given });
}

function describe(guest: Guest): string {
  const { kernel, memoryMiB, cpus, devices, pid } = guest.state;
  const iaa = devices === 0 ? '' : `, ${devices} IAA devices`;
  return `${kernel.release} (Debian ${kernel.version}), ${memoryMiB} MiB, ${cpus} CPUs${iaa}, pid ${pid}, in ${guest.folder}`;
}

const stopSignals: readonly StopSignal[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/** Hands signals on: to what is being started, as an abort, and to what runs in the guest, as they are. */
class Control {
  readonly #abort = new AbortController();
  #channel: Channel | undefined;
  readonly #handlers = stopSignals.map((signal) => [signal, (): void => this.#take(signal)] as const);

  constructor() {
    for (const [signal, handler] of this.#handlers) process.on(signal, handler);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** From here on, signals are for what runs on the channel; throws when one came before. */
  attach(channel: Channel): void {
    this.#abort.signal.throwIfAborted();
    this.#channel = channel;
  }

  end(): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler);
  }

  #take(signal: StopSignal): void {
    if (this.#channel === undefined) this.#abort.abort(new InterruptedError(signal));
    else this.#channel.kill(signal);
  }
}

async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const control = new Control();
  try {
    return await work(control.signal);
  } finally {
    control.end();
  }
}

/** Works in the guest that runs, or else in one that is started for it and stopped afterwards. */
async function inGuest(
  options: SizeOptions,
  refresh: boolean,
  work: (guest: Guest, control: Control) => Promise<number>,
): Promise<number> {
  const { findGuest, startGuest, temporaryFolder } = await import('../../vm/index.js');
  const running = await findGuest(await folderOf(options));
  const control = new Control();
  try {
    if (running !== undefined) {
      if (refresh) await running.refresh();
      return await work(running, control);
    }
    const folder = await temporaryFolder(await folderOf(options));
    const guest = await startGuest({ ...(await guestOptions(options, true, control.signal)), folder }).catch(
      async (error: unknown) => {
        // What holds a guest's logs stays: it is not empty.
        await rmdir(folder).catch(() => undefined);
        throw error;
      },
    );
    try {
      return await work(guest, control);
    } finally {
      // The folder of a guest that died is left: the error names the log in it.
      if (guest.isRunning()) await guest.stop();
    }
  } finally {
    control.end();
  }
}

/** Runs a program with our own streams and working directory; gives the exit code. */
async function execute(guest: Guest, argv: readonly string[], control: Control): Promise<number> {
  const { shellExitCode } = await import('../../vm/index.js');
  const onOutput = (stream: 'stdout' | 'stderr', bytes: Buffer): Promise<void> =>
    new Promise((done, fail) => {
      process[stream].write(bytes, (error) => (error ? fail(outputError(stream, error)) : done()));
    });
  // The failed write itself tells; unhandled, the event would end us before the guest is stopped.
  const ignore = (): void => undefined;
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore);
  const request = { argv, cwd: process.cwd(), env: { ...invokingUser(), ...versionsOf(guest) }, onOutput };
  try {
    return shellExitCode(await guest.exec(request, (channel) => control.attach(channel)));
  } catch (error) {
    if (!(error instanceof VmError) || (error.cause as { code?: unknown } | undefined)?.code !== 'EPIPE')
      throw error;
    // Our reader has gone (`| head`); the program has been hung up on. A shell would show SIGPIPE.
    return 128 + 13;
  }
}

/** What `run` puts into its records, where it runs in a guest: the exact packages of its kernel. */
function versionsOf({ state }: Guest): Record<string, string> {
  const versions = state.kernel.packages.map(({ name, version }) => [name, version]);
  return { IAA_ZSWAP_ENVIRONMENT: JSON.stringify(Object.fromEntries(versions)) };
}

function outputError(stream: string, cause: NodeJS.ErrnoException): VmError {
  return new VmError(`our ${stream} cannot be written: ${cause.code ?? cause.message}`, { cause });
}

/**
 * In the guest our files keep their owners but the program runs as root: SUDO_UID tells it, as under sudo, whose
 * files it may trust.
 */
function invokingUser(): Record<string, string> {
  const uid = process.env['SUDO_UID'] ?? String(process.getuid?.() ?? 0);
  return uid === '0' ? {} : { SUDO_UID: uid };
}

function collect(word: string, words: readonly string[]): string[] {
  return [...words, word];
}

function parseWhole(given: string): number {
  const number = Number(given);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('expected a number from 1');
  return number;
}

function parseDevices(given: string): number {
  if (!/^[0-8]$/.test(given)) throw new InvalidArgumentError('expected a number from 0 to 8');
  return Number(given);
}

function parseSize(given: string): number {
  const found = /^(\d{1,9})([KMGT])$/.exec(given);
  if (found === null) throw new InvalidArgumentError('expected a size with its unit, as 512M or 4G');
  return Number(found[1]) * 1024 ** ('KMGT'.indexOf(found[2] ?? '') + 1);
}

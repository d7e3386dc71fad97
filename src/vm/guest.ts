import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  rmdir,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RequirementError, UsageError, VmError } from '../errors.js';
import { helperPath, native } from '../native/load.js';
import type { NativeLock } from '../native/surface.js';
import { Channel, GuestGoneError, type ProgramEnd, type ProgramRequest } from './channel.js';
import { command } from './command.js';
import type { DebianPackage } from './debian.js';
import { askDevices, controlSocket, deviceSocket, startServer } from './device-server.js';
import { cacheFolder, ownFolder, withFileErrors } from './folders.js';
import { guestInitramfs } from './initramfs.js';
import { ensureKernel, type GuestKernel } from './kernel-package.js';
import { end, hasEnded, isAlive, type OwnProcess, ownProcess } from './process.js';
import {
  type Accelerator,
  canThread,
  channelCount,
  type GuestInit,
  maxDevices,
  parseVersion,
  qemuArguments,
} from './qemu.js';
import { ensureQemu, type QemuProgram } from './qemu-package.js';
import { ensureShim } from './shim-module.js';
import { swapHeader } from './swap-area.js';

/** Where the guest sees the runtime folder's `share`. */
export const shareMount = '/share';

const qemu = 'qemu-system-x86_64';
/** How long a running guest may take to answer a new client (it first ends what the one before left), ms. */
const answerLimitMs = 60_000;
/** How long a guest may take to switch itself off before QEMU is ended, ms. */
const powerOffLimitMs = 15_000;
/** sun_path of a UNIX socket holds 108 bytes with the NUL that ends it (unix(7)). */
const socketPathBytes = 107;

/** What a guest is made of. */
export interface GuestOptions {
  /** Runtime folder, absolute. */
  readonly folder: string;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Size of the swap disk; the file behind it is sparse. */
  readonly swapBytes: number;
  readonly init: GuestInit;
  readonly accelerator: Accelerator;
  /** How many software IAA devices it has. */
  readonly devices: number;
  /** Debian version or release of the kernel, of those in the cache; the current one if not given. */
  readonly kernel?: string | undefined;
  /** Further words for the kernel's command line. */
  readonly append: readonly string[];
  /** The guest switches itself off when this process is gone; else it runs until it is stopped. */
  readonly leased: boolean;
  readonly bootLimitMs: number;
  /** Takes one line for each thing that takes long. */
  readonly progress: (line: string) => void;
  /** Ends the start with the signal's reason; no guest is left. */
  readonly signal?: AbortSignal;
}

/** Sizes of a guest that nobody chose. */
export const guestDefaults = {
  memoryMiB: 2048,
  cpus: 2,
  swapBytes: 4 * 2 ** 30,
  init: 'agent',
  accelerator: 'tcg',
  devices: 0,
  append: [],
  bootLimitMs: 120_000,
} as const satisfies Partial<GuestOptions>;

/** A running guest, as its runtime folder's guest.json tells. */
export interface GuestState extends OwnProcess {
  readonly schemaVersion: 1;
  readonly kernel: GuestKernel;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly swapBytes: number;
  readonly init: GuestInit;
  readonly accelerator: Accelerator;
  readonly devices: number;
  /** What serves its devices. */
  readonly deviceServer?: OwnProcess;
  /** The cache's packages that QEMU is from; none for the machine's own. */
  readonly qemuPackages: readonly DebianPackage[];
}

/** Output and end of a program, both in memory. */
export interface ProgramResult extends ProgramEnd {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

const paths = (folder: string) => ({
  lock: join(folder, 'guest.lock'),
  state: join(folder, 'guest.json'),
  initramfs: join(folder, 'initramfs'),
  console: join(folder, 'console.log'),
  qemuLog: join(folder, 'qemu.log'),
  deviceLog: join(folder, 'device.log'),
  share: join(folder, 'share'),
  socket: (channel: number) => join(folder, `${channel}.sock`),
  channelLock: (channel: number) => join(folder, `${channel}.lock`),
});

/** A line of a log, fit for a terminal. */
function plain(line: string): string {
  return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '');
}

async function lastLines(file: string, count: number): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n').map(plain);
  return lines
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .map((line) => `\n  ${line}`)
    .join('');
}

/** An error about the guest with what its kernel or QEMU said last. */
async function guestError(folder: string, message: string, cause?: unknown): Promise<VmError> {
  const { console: log, qemuLog } = paths(folder);
  const text = await readFile(log, 'utf8').catch(() => '');
  const panic = /Kernel panic - not syncing: [^\r\n]*/.exec(text)?.[0];
  const why = panic === undefined ? '' : ` (${plain(panic)})`;
  const said = (await lastLines(qemuLog, 5)) + (await lastLines(log, 10));
  return new VmError(`${message}${why}; its console is ${log}${said}`, { cause });
}

/** A running guest. */
export class Guest {
  readonly folder: string;
  readonly state: GuestState;
  /** Channel 0 of a leased guest: it lives as long as this connection. */
  readonly #lease: Channel | undefined;

  constructor(folder: string, state: GuestState, lease?: Channel) {
    this.folder = folder;
    this.state = state;
    this.#lease = lease;
  }

  /** Folder of the machine that the guest sees, writable, as `shareMount`. */
  get share(): string {
    return paths(this.folder).share;
  }

  /** Whether its QEMU is alive. */
  isRunning(): boolean {
    return isAlive(this.state);
  }

  /** Connects to a free channel; waits while all are in use. Throws VmError when the guest is dead. */
  async connect(): Promise<Channel> {
    const signal = AbortSignal.timeout(answerLimitMs);
    for (;;) {
      try {
        const channel = await freeChannel(this.folder, signal);
        if (channel !== undefined) return channel;
      } catch (cause) {
        const what = signal.aborted ? `does not answer within ${answerLimitMs / 1000} s` : 'is gone';
        throw await guestError(this.folder, `the guest in ${this.folder} ${what}`, cause);
      }
      if (signal.aborted) {
        throw new VmError(`all ${channelCount} channels of the guest in ${this.folder} are in use`, {
          hint: 'wait for one of the programs in it to end',
        });
      }
      await sleep(50);
    }
  }

  /** Runs a program and passes its output on; `control` gets the channel, to send signals by. */
  async exec(request: ProgramRequest, control?: (channel: Channel) => void): Promise<ProgramEnd> {
    const channel = await this.connect();
    try {
      control?.(channel);
      return await channel.run(request);
    } catch (cause) {
      if (!(cause instanceof GuestGoneError)) throw cause;
      const ended = await hasEnded(this.state, 2_000);
      const what = ended ? 'ended' : 'let go of us';
      throw await guestError(
        this.folder,
        `the guest in ${this.folder} ${what} while ${request.argv[0]} ran`,
        cause,
      );
    } finally {
      channel.close();
    }
  }

  /** Runs a program and gives its output whole. */
  async run(
    argv: readonly string[],
    options: Omit<ProgramRequest, 'argv' | 'onOutput'> = {},
  ): Promise<ProgramResult> {
    const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
    const end = await this.exec({
      ...options,
      argv,
      onOutput: (stream, bytes) => void output[stream].push(bytes),
    });
    return { ...end, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr) };
  }

  /**
   * Makes the guest look anew at files of the machine that have changed since it last did. It drops what the
   * guest's kernel caches about files and so runs its shrinkers: not for the middle of a measurement.
   */
  async refresh(): Promise<void> {
    const end = await this.run(['sh', '-c', 'echo 2 > /proc/sys/vm/drop_caches']);
    if (end.exitCode !== 0)
      throw new VmError(`the guest's caches cannot be dropped: ${end.stderr.toString()}`);
  }

  /**
   * Asks what serves the guest's devices: `stats`, or a fault for one of them (docs/device.md); gives its answer.
   * Throws VmError when the guest has no devices, or the request is refused.
   */
  askDevices(request: string): Promise<string> {
    if (this.state.devices === 0) {
      const hint = "start one with 'iaa-zswap vm start --devices 4'";
      return Promise.reject(new VmError(`the guest in ${this.folder} has no devices`, { hint }));
    }
    return askDevices(this.folder, request);
  }

  /** Switches the guest off and removes its runtime folder. */
  async stop(): Promise<void> {
    await endGuest(this.folder, this.state, this.#lease);
    if (this.state.deviceServer !== undefined) await end(this.state.deviceServer);
    await removeFolder(this.folder);
  }
}

function tryLock(path: string): NativeLock | undefined {
  const lock = native().tryLock(path);
  if (!('errno' in lock)) return lock;
  if (lock.code === 'EAGAIN' || lock.code === 'EWOULDBLOCK') return undefined;
  throw new VmError(`${path}: ${lock.code} from ${lock.syscall}`);
}

/** Connects to one channel; undefined when it is in use. */
async function openChannel(folder: string, n: number, signal: AbortSignal): Promise<Channel | undefined> {
  const lock = tryLock(paths(folder).channelLock(n));
  return lock === undefined ? undefined : Channel.open(paths(folder).socket(n), lock, signal);
}

/** Connects to a channel that is not in use; undefined when all are. */
async function freeChannel(folder: string, signal: AbortSignal): Promise<Channel | undefined> {
  for (let n = 0; n < channelCount; n += 1) {
    const channel = await openChannel(folder, n, signal);
    if (channel !== undefined) return channel;
  }
  return undefined;
}

/** Ends the guest: by its own power-off, then by signals to the process that is surely still ours. */
async function endGuest(folder: string, state: GuestState, lease: Channel | undefined): Promise<void> {
  if (!isAlive(state)) return;
  try {
    const limit = AbortSignal.timeout(powerOffLimitMs);
    const channel = lease ?? (await freeChannel(folder, limit));
    await channel?.powerOff(limit);
  } catch {
    // A guest that does not answer is ended by signals.
  }
  if ((await hasEnded(state, 2_000)) || (await end(state))) return;
  throw new VmError(`${qemu} (pid ${state.pid}) of the guest in ${folder} does not end`);
}

/** The guest that runs in a runtime folder; undefined when none does. */
export async function findGuest(folder: string): Promise<Guest | undefined> {
  const { state: file } = paths(folder);
  if (!existsSync(file)) return undefined;
  const real = await ownFolder(folder);
  let state: GuestState;
  try {
    state = JSON.parse(await readFile(paths(real).state, 'utf8')) as GuestState;
  } catch (cause) {
    throw new VmError(`${file} is damaged`, { cause, hint: `remove ${folder}` });
  }
  return isAlive(state) ? new Guest(real, state) : undefined;
}

/** An unlinked file of the swap disk's size with a swap area's header: it is gone when QEMU is. */
async function swapDisk(sizeBytes: number): Promise<FileHandle> {
  // Not in the runtime folder, which often is in memory.
  const path = join(await ownFolder(cacheFolder()), `swap-${process.pid}-${Date.now()}`);
  const file = await open(path, 'wx+', 0o600);
  await rm(path);
  await file.write(swapHeader(sizeBytes), 0, undefined, 0);
  await file.truncate(sizeBytes);
  return file;
}

/** Boots a guest; resolves when its agent answers. Throws VmError with the console's last lines when it does not. */
export function startGuest(options: GuestOptions): Promise<Guest> {
  return withFileErrors(() => start(options));
}

async function start(given: GuestOptions): Promise<Guest> {
  if (!isAbsolute(given.folder)) throw new UsageError(`not an absolute path: ${given.folder}`);
  if (given.devices > 0 && given.cpus > 1 && given.cpus % 2 !== 0) {
    throw new UsageError(`a guest with devices has two sockets: ${given.cpus} CPUs cannot be halved`);
  }
  const kernel = await ensureKernel(given.progress, given.kernel);
  const folder = await makeFolder(given.folder);
  const options = { ...given, folder };
  const at = paths(folder);
  if (Buffer.byteLength(controlSocket(folder)) > socketPathBytes) {
    throw new UsageError(`the guest's runtime folder is too long for a socket's path: ${folder}`, {
      hint: 'name a shorter one with --dir',
    });
  }
  const lock = tryLock(at.lock);
  if (lock === undefined) throw new VmError(`another process is starting a guest in ${folder}`);
  try {
    if ((await findGuest(folder)) !== undefined) {
      throw new VmError(`a guest runs in ${folder} already`, { hint: "stop it with 'iaa-zswap vm stop'" });
    }
    await clean(folder);
    await mkdir(at.share, { mode: 0o700 });
    const qemuProgram = await findQemu(options);
    const shim = options.devices > 0 ? [await ensureShim(kernel, qemuProgram.runtime, options.progress)] : [];
    const initramfs = await guestInitramfs(kernel, helperPath('guest_init'), shim);
    await writeFile(at.initramfs, initramfs, { mode: 0o600 });
    options.progress(`booting ${kernel.kernel.release}`);
    return await boot(options, kernel, qemuProgram);
  } catch (error) {
    // Without a guest.json QEMU was not started, and there are no logs to keep.
    if (!existsSync(at.state)) await removeFolder(folder);
    throw error;
  } finally {
    lock.release();
  }
}

/** Removes what a guest that has ended left in its folder; the locks stay. */
async function clean(folder: string): Promise<void> {
  const at = paths(folder);
  for (const file of [at.state, at.initramfs, at.console, at.qemuLog, at.deviceLog])
    await rm(file, { force: true });
  for (let n = 0; n < channelCount; n += 1) await rm(at.socket(n), { force: true });
  for (let n = 0; n < maxDevices; n += 1) await rm(deviceSocket(folder, n), { force: true });
  await rm(controlSocket(folder), { force: true });
  await rm(at.share, { recursive: true, force: true });
}

/** Removes a runtime folder, but nothing in it that is not the guest's. */
async function removeFolder(folder: string): Promise<void> {
  await clean(folder);
  const at = paths(folder);
  for (let n = 0; n < channelCount; n += 1) await rm(at.channelLock(n), { force: true });
  await rm(at.lock, { force: true });
  await rmdir(folder).catch(() => undefined);
}

/**
 * A new folder beside `folder` for a guest that lives as long as one command. Those that earlier guests left
 * because they died or were killed are removed after a day: the errors that named their logs are old then.
 */
export function temporaryFolder(folder: string): Promise<string> {
  return withFileErrors(async () => {
    const parent = dirname(folder);
    await mkdir(parent, { recursive: true, mode: 0o700 });
    for (const name of await readdir(parent)) {
      const path = join(parent, name);
      if (!name.startsWith(`${basename(folder)}-`) || !(await isStale(path))) continue;
      await removeFolder(path);
    }
    return mkdtemp(`${folder}-`);
  });
}

async function isStale(folder: string): Promise<boolean> {
  const { lock } = paths(folder);
  const started = await lstat(lock).catch(() => undefined);
  if (started === undefined || started.uid !== process.geteuid?.()) return false;
  if (Date.now() - started.mtimeMs < 24 * 3600_000) return false;
  return (await findGuest(folder)) === undefined;
}

/** Makes the runtime folder and gives its real path; throws UsageError for one that holds other things, which starting would mix with. */
async function makeFolder(given: string): Promise<string> {
  const folder = await ownFolder(given);
  const names = await readdir(folder);
  if (names.length > 0 && !names.includes(basename(paths(folder).lock))) {
    throw new UsageError(`${folder} holds other files than a guest's`, {
      hint: 'name an empty folder with --dir',
    });
  }
  return folder;
}

/** The machine's own QEMU, or for devices one that can attach them. */
async function findQemu(options: GuestOptions): Promise<QemuProgram> {
  if (options.devices > 0) return ensureQemu(options.progress);
  const text = await command([qemu, '--version'], '/');
  const version = parseVersion(text);
  if (version === undefined) throw new VmError(`${qemu} --version says ${JSON.stringify(text.slice(0, 60))}`);
  return { argv: [qemu], version, packages: [], runtime: undefined };
}

async function boot(
  options: GuestOptions,
  kernel: Awaited<ReturnType<typeof ensureKernel>>,
  program: QemuProgram,
): Promise<Guest> {
  const { folder, memoryMiB, cpus, swapBytes, init, accelerator, devices } = options;
  const at = paths(folder);
  const args = qemuArguments({
    ...options,
    threads: canThread(program.version) ? 'multi' : 'single',
    vmlinuz: kernel.vmlinuz,
    modules: kernel.modules,
    initramfs: at.initramfs,
    share: at.share,
    consoleLog: at.console,
    swapFd: 3,
    socketPath: at.socket,
    deviceSocket: (device) => deviceSocket(folder, device),
  });
  const log = await open(at.qemuLog, 'wx', 0o600);
  const swap = await swapDisk(swapBytes);
  const deviceServer = devices > 0 ? await startServer(folder, devices, at.deviceLog) : undefined;
  let child: ChildProcess;
  try {
    const [first, ...rest] = program.argv;
    // Of its own session: a Ctrl-C at the terminal is for the program in the guest, not for QEMU.
    child = spawn(first, [...rest, ...args], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log.fd, log.fd, swap.fd],
    });
  } finally {
    await log.close();
    await swap.close();
  }
  const exited = new Promise<never>((_, reject) => {
    child.once('error', (cause) => {
      const hint = 'apt-get install qemu-system-x86';
      reject(new RequirementError(`${qemu} cannot be started: ${cause.message}`, { cause, hint }));
    });
    child.once('exit', (code, signal) => reject(new VmError(`${qemu} ended (${signal ?? code})`)));
  });
  exited.catch(() => undefined);
  child.unref();
  const pid = child.pid;
  if (pid === undefined) return exited;
  const state: GuestState = {
    schemaVersion: 1,
    ...ownProcess(pid),
    kernel: kernel.kernel,
    memoryMiB,
    cpus,
    swapBytes,
    init,
    accelerator,
    devices,
    ...(deviceServer === undefined ? {} : { deviceServer }),
    qemuPackages: program.packages,
  };
  await writeFile(at.state, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });

  const limit = AbortSignal.timeout(options.bootLimitMs);
  const ended = new AbortController();
  const signals = [limit, ended.signal, ...(options.signal === undefined ? [] : [options.signal])];
  try {
    const channel = await Promise.race([exited, firstChannel(folder, AbortSignal.any(signals))]);
    // It may lie in memory, and nobody reads it again.
    await rm(at.initramfs);
    if (options.leased) return new Guest(folder, state, channel);
    channel.close();
    return new Guest(folder, state);
  } catch (cause) {
    ended.abort();
    child.kill('SIGKILL');
    if (deviceServer !== undefined) await end(deviceServer);
    if (options.signal?.aborted) {
      await hasEnded(state, 3_000);
      await removeFolder(folder);
      throw options.signal.reason;
    }
    if (cause instanceof RequirementError) throw cause;
    const what = limit.aborted
      ? `the guest did not boot within ${options.bootLimitMs / 1000} s`
      : `the guest did not boot: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw await guestError(folder, what, cause);
  }
}

/** Connects as soon as QEMU listens; the agent answers when the guest is up. */
async function firstChannel(folder: string, signal: AbortSignal): Promise<Channel> {
  for (;;) {
    try {
      const channel = await openChannel(folder, 0, signal);
      if (channel !== undefined) return channel;
    } catch (error) {
      const { cause } = error as VmError;
      if (signal.aborted || !notListening.has((cause as { code?: unknown } | undefined)?.code)) throw error;
    }
    await sleep(20);
  }
}

/** What connect(2) gives before QEMU's bind(2), and between that and its listen(2). */
const notListening = new Set<unknown>(['ENOENT', 'ECONNREFUSED']);

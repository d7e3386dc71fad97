import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import { VmError } from '../errors.js';
import type { NativeLock } from '../native/surface.js';
import { encodeLine, FrameReader, FrameType } from './wire.js';

/** A program to run in the guest. */
export interface ProgramRequest {
  /** Program, looked up in the guest's PATH, and arguments. No shell is involved. */
  readonly argv: readonly string[];
  /** Folder to run it in, as the guest sees it. Default `/`. */
  readonly cwd?: string;
  /** Added to the guest's own PATH, HOME, LC_ALL and IAA_ZSWAP_GUEST. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes what the program writes, as it comes; the guest is held back until it resolves. */
  readonly onOutput: (stream: 'stdout' | 'stderr', bytes: Buffer) => Promise<void> | void;
}

/** How a program ended: one of the two is set. */
export interface ProgramEnd {
  readonly exitCode: number | undefined;
  /** Name of the signal that ended it, as `SIGKILL`. */
  readonly signal: NodeJS.Signals | undefined;
}

/** The guest has let go of a channel that was in use. */
export class GuestGoneError extends VmError {
  constructor(cause?: unknown) {
    super('the guest is gone', { cause });
  }
}

/** The exit code a shell would give: 128 + the number of the signal. */
export function shellExitCode(end: ProgramEnd): number {
  return end.signal === undefined ? (end.exitCode ?? 0) : 128 + constants.signals[end.signal];
}

interface Waiter {
  readonly types: readonly string[];
  readonly request: ProgramRequest | undefined;
  resolve(frame: { type: string; text: string }): void;
  reject(error: Error): void;
}

/** A connection to the guest's agent that runs one program at a time. Closing it ends what it runs (SIGHUP). */
export class Channel {
  readonly #socket: Socket;
  readonly #lock: NativeLock;
  #waiter: Waiter | undefined;
  #lost: Error | undefined;

  private constructor(socket: Socket, lock: NativeLock, reader: FrameReader) {
    this.#socket = socket;
    this.#lock = lock;
    void this.#read(reader);
  }

  /**
   * Connects to a channel's socket, whose lock the caller has taken, and waits for the agent's answer. Rejects
   * with GuestGoneError when the guest goes away; `signal` ends the waiting with its reason.
   */
  static async open(path: string, lock: NativeLock, signal: AbortSignal): Promise<Channel> {
    const nonce = randomUUID();
    const socket = connect(path);
    const channel = new Channel(socket, lock, new FrameReader(nonce));
    const abort = (): void => channel.#fail(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    // The empty line ends whatever part of a line a client before us may have left.
    const hello = channel.#ask(`\n${encodeLine(['hello', nonce])}`, [FrameType.hello]);
    try {
      await hello;
      return channel;
    } catch (error) {
      channel.close();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Runs a program to its end. Rejects with GuestGoneError when the guest goes away before. */
  async run(request: ProgramRequest): Promise<ProgramEnd> {
    const env = Object.entries(request.env ?? {}).map(([name, text]) => `${name}=${text}`);
    const line = encodeLine(['run', request.cwd ?? '/', String(env.length), ...env, ...request.argv]);
    const { text } = await this.#ask(line, [FrameType.end], request);
    const [how, number] = text.split(' ');
    const name = Object.entries(constants.signals).find(([, value]) => value === Number(number))?.[0];
    return how === 'signal'
      ? { exitCode: undefined, signal: (name ?? 'SIGKILL') as NodeJS.Signals }
      : { exitCode: Number(number), signal: undefined };
  }

  /** Sends a signal to the running program and what it started; nothing when none runs. */
  kill(signal: NodeJS.Signals): void {
    this.#socket.write(encodeLine(['signal', String(constants.signals[signal])]));
  }

  /** Switches the guest off; resolves when it has let go of the channel, or at `limit`. */
  async powerOff(limit: AbortSignal): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    this.#socket.write(encodeLine(['poweroff']));
    await once(this.#socket, 'close', { signal: limit }).finally(() => this.close());
  }

  /** Lets go of the channel; the program that runs gets SIGHUP. */
  close(): void {
    this.#socket.destroy();
    this.#lock.release();
  }

  async #read(reader: FrameReader): Promise<void> {
    try {
      for await (const bytes of this.#socket) {
        for (const { type, payload } of reader.push(bytes as Buffer)) {
          if (type === FrameType.stdout) await this.#output('stdout', payload);
          else if (type === FrameType.stderr) await this.#output('stderr', payload);
          else this.#answer(type, payload.toString());
        }
      }
      this.#fail(new GuestGoneError());
    } catch (cause) {
      this.#fail(new GuestGoneError(cause));
    }
  }

  async #output(stream: 'stdout' | 'stderr', bytes: Buffer): Promise<void> {
    try {
      await this.#waiter?.request?.onOutput(stream, bytes);
    } catch (cause) {
      // Whoever runs the program is told what went wrong on this side.
      this.#fail(cause instanceof Error ? cause : new Error(String(cause)));
    }
  }

  #answer(type: string, text: string): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter?.types.includes(type)) waiter.resolve({ type, text });
    else waiter?.reject(new VmError(`the guest's agent refused: ${text}`));
  }

  #fail(error: Error): void {
    this.#lost ??= error;
    this.#waiter?.reject(this.#lost);
    this.#waiter = undefined;
    this.#socket.destroy();
  }

  #ask(
    line: string,
    types: readonly string[],
    request?: ProgramRequest,
  ): Promise<{ type: string; text: string }> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => {
      this.#waiter = { types, request, resolve, reject };
      this.#socket.write(line);
    });
  }
}

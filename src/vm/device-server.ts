import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { RequirementError, VmError } from '../errors.js';
import { helperPath } from '../native/load.js';
import { type OwnProcess, ownProcess } from './process.js';

/** How long the server may take to listen, or to answer a request, ms. */
const answerLimitMs = 10_000;

/** Socket that QEMU reaches a device by, in a guest's runtime folder. */
export function deviceSocket(folder: string, device: number): string {
  return join(folder, `iax${device}.sock`);
}

/** Socket for faults and statistics (docs/device.md), there. */
export function controlSocket(folder: string): string {
  return join(folder, 'control.sock');
}

/** Starts the process that serves the guest's devices; it ends when QEMU has gone. Its log is `log`. */
export async function startServer(folder: string, devices: number, log: string): Promise<OwnProcess> {
  const program = helperPath('iaa_device');
  const file = await open(log, 'wx', 0o600);
  try {
    const child = spawn(program, ['--folder', folder, '--devices', String(devices), '--once'], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', file.fd],
    });
    const failed = once(child, 'error').then(([cause]) => {
      const hint = "build it with 'npm run build:native'";
      throw new RequirementError(`${program} cannot be started: ${cause.message}`, { cause, hint });
    });
    failed.catch(() => undefined);
    const { stdout } = child;
    if (stdout === null) throw new VmError(`${program} has no stdout`);
    const listening = once(stdout, 'data', { signal: AbortSignal.timeout(answerLimitMs) });
    const exited = once(child, 'exit').then(async () => {
      throw new VmError(`${program} ended: ${(await readFile(log, 'utf8')).trim()}`);
    });
    exited.catch(() => undefined);
    await Promise.race([listening, failed, exited]);
    stdout.destroy();
    child.unref();
    return ownProcess(child.pid ?? 0);
  } finally {
    await file.close();
  }
}

/** Asks the server of a guest's devices; gives its answer. Throws VmError when it refuses or does not answer. */
export async function askDevices(folder: string, request: string): Promise<string> {
  const path = controlSocket(folder);
  const socket = connect(path);
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(answerLimitMs) });
    socket.end(`${request}\n`);
    socket.setTimeout(answerLimitMs, () => socket.destroy(new Error('no answer in time')));
    let answer = '';
    for await (const part of socket) answer += part;
    if (answer.startsWith('error: ')) throw new VmError(`${request}: ${answer.trim().slice(7)}`);
    return answer.trim();
  } catch (cause) {
    if (cause instanceof VmError) throw cause;
    throw new VmError(`${path}: the devices do not answer`, { cause });
  } finally {
    socket.destroy();
  }
}

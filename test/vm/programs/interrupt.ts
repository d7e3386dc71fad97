// Runs inside the guest. SIGINT at random moments of a run: it must end with 130 and every attribute as before.
//   interrupt.js PROGRAM FILE COUNT [SEED]
// Prints a line of JSON for each.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Journal } from '../../../src/apply/journal.js';
import { discover } from '../../../src/discover/discover.js';
import { openHost } from '../../../src/host/open.js';

const [program = '', file = '', count = '1', seed = '1'] = process.argv.slice(2);

/** mulberry32: the same moments for the same seed. */
function random(state: { value: number }): number {
  state.value = (state.value + 0x6d2b79f5) | 0;
  let t = Math.imul(state.value ^ (state.value >>> 15), 1 | state.value);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly durationMs: number;
  readonly stderr: string;
}

/** Runs the program; interrupts it so long after its first line, when it has begun. */
async function runProgram(stateDirectory: string, interruptAfterMs?: number): Promise<End> {
  const argv = [program, 'run', '--yes', '--state', stateDirectory, file];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  let begin = performance.now();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr === '') {
      begin = performance.now();
      if (interruptAfterMs !== undefined) void delay(interruptAfterMs).then(() => child.kill('SIGINT'));
    }
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal, stderr, durationMs: performance.now() - begin });
    });
  });
}

const host = await openHost('live', { writable: false });
const stateDirectory = mkdtempSync(join(tmpdir(), 'interrupt-'));
const attributes = async () => JSON.stringify((await discover(host)).attributes);
// The first run sets zswap up for good, and tells how long one takes.
const whole = await runProgram(stateDirectory);
if (whole.code !== 0) throw new Error(`the undisturbed run failed: ${whole.stderr}`);
const before = await attributes();
const state = { value: Number(seed) };
for (let interrupted = 0, tried = 0; interrupted < Number(count) && tried < 3 * Number(count); tried++) {
  const afterMs = Math.round(whole.durationMs * random(state));
  const { code, signal, stderr } = await runProgram(stateDirectory, afterMs);
  const equal = (await attributes()) === before;
  const pending = existsSync(Journal.pathIn(stateDirectory));
  // A run that was quicker than the first one had ended before the signal.
  const late = code === 0;
  if (!late) interrupted++;
  console.log(
    JSON.stringify({
      afterMs,
      late,
      code,
      signal,
      equal,
      pending,
      lines: stderr.split('\n').length,
      last: stderr.split('\n').at(-2),
    }),
  );
}
rmSync(stateDirectory, { recursive: true });
await host.close();

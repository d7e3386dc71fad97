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

async function runProgram(stateDirectory: string, interruptAfterMs?: number): Promise<End> {
  const begin = performance.now();
  const child = spawn(process.execPath, [program, 'run', '--yes', '--state', stateDirectory, file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  if (interruptAfterMs !== undefined) void delay(interruptAfterMs).then(() => child.kill('SIGINT'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({ code, signal, stderr, durationMs: performance.now() - begin }),
    );
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
for (let index = 0; index < Number(count); index++) {
  // From when the program has begun to listen to shortly before it ends.
  const afterMs = Math.round(whole.durationMs * (0.3 + 0.6 * random(state)));
  const end = await runProgram(stateDirectory, afterMs);
  const equal = (await attributes()) === before;
  const pending = existsSync(Journal.pathIn(stateDirectory));
  const stage = /: (configuring|running|done)\n(?!.*: (configuring|running|done)\n)/s.exec(end.stderr)?.[1];
  console.log(
    JSON.stringify({
      afterMs,
      stage,
      code: end.code,
      signal: end.signal,
      equal,
      pending,
      stderr: end.stderr.split('\n').at(-2),
    }),
  );
}
rmSync(stateDirectory, { recursive: true });
await host.close();

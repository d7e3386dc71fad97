// What takes a guest of its own, with four software IAA devices, and may break it:
//   node build/test/test/device/run.js PART... [--pages N] [--mode M] [--verify V] [--backend B] [--from N] [--every N]
// pages        N pages out and in again (default 1,000,000) for each of sync and async_irq, and verify_compress 0
//              and 1, or for --mode M and --verify V alone
// faults       the server killed, a device halted, a descriptor hung, a WQ unbound by somebody else in a run
// steps        SIGKILL before and after every change of a run, or at every N-th, from the N-th on, and restore; by sysfs and
//              by libaccel-config, or by --backend B alone: an hour each on an idle machine
// accel-config the machine's accel-config and Debian 13's on the devices
// Prints what it saw, line by line; exit 1 when something was not as it must be.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/native/load.js';
import type { MeasuredSet } from '../../src/study/cells.js';
import { type Guest, guestDefaults, shareMount, startGuest } from '../../src/vm/index.js';
import {
  call,
  grown,
  statisticsOf,
  storePages,
  total,
  writeSetting,
  zswapCounter,
} from '../support/devices.js';
import { output } from '../support/guest.js';
import { tryAccelConfig } from './accel-config.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pages: { type: 'string', default: '1000000' },
    mode: { type: 'string' },
    verify: { type: 'string' },
    backend: { type: 'string' },
    from: { type: 'string', default: '1' },
    every: { type: 'string', default: '1' },
  },
});

let failures = 0;

/** Does a part of the work in a guest of its own. */
async function inGuest(name: string, work: (guest: Guest) => Promise<void>): Promise<void> {
  const top = mkdtempSync(join(tmpdir(), 'iaa-zswap-device-'));
  const guest = await startGuest({
    ...guestDefaults,
    folder: join(top, 'guest'),
    devices: 4,
    leased: true,
    progress: () => undefined,
  });
  try {
    await work(guest);
    console.log(`${name}: ok`);
  } catch (error) {
    failures += 1;
    console.log(`${name}: FAILED: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await guest.stop();
    rmSync(top, { recursive: true, force: true });
  }
}

const pagesPerRound = 20_000;

/** What is asked for on the command line, or all. */
function asked<T>(all: readonly T[], wanted: string | undefined): T[] {
  return all.filter((each) => wanted === undefined || String(each) === wanted);
}

async function pages(): Promise<void> {
  const rounds = Math.ceil(Number(values.pages) / pagesPerRound);
  for (const mode of asked(['sync', 'async_irq'] as const, values.mode)) {
    for (const verifyCompress of asked([0, 1], values.verify)) {
      const verify = verifyCompress === 1;
      await inGuest(`pages, ${mode}, verify_compress ${verifyCompress}`, async (guest) => {
        const applied = await call(guest, 'apply', '--yes', await writeSetting(guest, { mode, verify }));
        assert.equal(applied.exitCode, 0, applied.stderr.toString());
        const before = await statisticsOf(guest);
        const stored = await storePages(guest, 2, pagesPerRound / 2, rounds);
        const after = await statisticsOf(guest);
        const incompressible = await zswapCounter(guest, 'stored_incompressible_pages');
        console.log(
          `  zswpout ${stored.zswpout}, zswpin ${stored.zswpin}, wrong words ${stored.wrong_words}; ` +
            `devices: ${grown(before, after, 'compress_pages')} compressed, ${grown(before, after, 'verify')} verified, ` +
            `${grown(before, after, 'decompress')} decompressed, ${total(after, 'errors')} errors; ` +
            `${incompressible} incompressible; ${stored.out_seconds} s out, ${stored.in_seconds} s in`,
        );
        assert.equal(stored.wrong_words, 0);
        assert.equal(stored.zswpout, rounds * pagesPerRound);
        assert.equal(stored.zswpin, stored.zswpout);
        assert.equal(grown(before, after, 'compress_pages'), stored.zswpout - incompressible);
        assert.equal(grown(before, after, 'verify'), verify ? stored.zswpout : 0);
        assert.equal(total(after, 'errors'), 0);
        const restored = await call(guest, 'restore');
        assert.equal(restored.exitCode, 0, restored.stderr.toString());
      });
    }
  }
}

interface FaultCase {
  readonly name: string;
  readonly strike: (guest: Guest) => Promise<unknown>;
  /**
   * Whether the driver gives up, which sysfs does not show. Undefined: either, as a descriptor may have been under way
   * and the WQs may be unbound since.
   */
  readonly disables: boolean | undefined;
  /** Ends what makes the kernel wait, once the tool has given up on it: a process cannot end while its write does not. */
  readonly mend?: (guest: Guest) => Promise<unknown>;
}

/** Later than the time limit of a write. */
const mendMs = 75_000;

const faultCases: readonly FaultCase[] = [
  {
    name: 'every device is pulled out',
    strike: async (guest) => {
      for (let n = 0; n < 4; n += 1) await guest.askDevices(`pull-out ${n}`);
    },
    disables: true,
  },
  {
    name: 'every device halts for good',
    strike: async (guest) => {
      for (let n = 0; n < 4; n += 1) await guest.askDevices(`halt ${n} warm`);
    },
    disables: undefined,
  },
  {
    name: 'a descriptor hangs in each device',
    strike: async (guest) => {
      for (let n = 0; n < 4; n += 1) await guest.askDevices(`hang ${n} 1`);
    },
    disables: true,
    // A WQ is drained when it is unbound.
    mend: async (guest) => {
      for (let n = 0; n < 4; n += 1) await guest.askDevices(`release ${n}`);
    },
  },
  {
    name: 'somebody else unbinds the WQs',
    strike: (guest) =>
      guest.run([
        'sh',
        '-c',
        'cd /sys/bus/dsa/drivers/crypto; for n in 0 1 2 3; do echo wq$n.0 >unbind; done',
      ]),
    disables: false,
  },
];

/** Starts a run and waits until pages have gone through the devices. */
async function startRun(guest: Guest): Promise<{ readonly ended: ReturnType<typeof call> }> {
  // Large folios, so that a workload whose pages no longer shrink is throttled a few times only, and ends.
  const file = await writeSetting(guest, { mode: 'sync', verify: false, folio: '2048kB' });
  const before = await statisticsOf(guest);
  const ended = call(guest, 'run', '--yes', '--json', file);
  ended.catch(() => undefined);
  for (;;) {
    const now = await statisticsOf(guest);
    if (grown(before, now, 'compress_pages') > 200) return { ended };
    await sleep(20);
  }
}

const mostTries = 5;

/**
 * QEMU has no way back to a server that is gone, and its reads time out one by one. 11.1.3 may also end by an assertion
 * of its own when several sockets close under it: then all that can be seen is that it was that one.
 */
async function serverKilled(): Promise<void> {
  const name = 'the server is killed';
  const strike = async (guest: Guest) => process.kill(guest.state.deviceServer?.pid ?? 0, 'SIGKILL');
  for (let tries = 1, lived = false; !lived; tries += 1) {
    await inGuest(`${name}, guest ${tries}`, async (guest) => {
      try {
        await meet(guest, { name, strike, disables: true });
        lived = true;
      } catch (error) {
        if (guest.isRunning()) {
          lived = true;
          throw error;
        }
        const { message } = error as Error;
        assert.match(
          message,
          /^the guest in \S+ ended while[\s\S]*util\/error\.c:\d+: error_setv: Assertion/,
        );
        console.log(`  QEMU ended: ${/error_setv.*/.exec(message)?.[0]}`);
        assert.ok(tries < mostTries, `no guest of ${mostTries} outlived its server`);
      }
    });
    if (failures > 0) return;
  }
}

/** Has a fault happen in the middle of a run, and looks at all that is said of it. */
async function meet(guest: Guest, one: FaultCase): Promise<void> {
  const { ended: running } = await startRun(guest);
  await one.strike(guest);
  const ended = await running;
  // The guest lives and answers.
  assert.ok(guest.isRunning());
  const log = await output(guest, 'dmesg');
  assert.ok(!/Kernel panic/.test(log));
  const status = (await call(guest, 'status')).stdout.toString();
  const disabled = status.includes('iaa_crypto is DISABLED although its WQs are enabled');
  const said = ended.stderr.toString().trim().split('\n');
  const records = await output(guest, 'sh', '-c', 'echo /run/devices/runs/*');
  const report = await call(guest, 'report', '--json', ...records.trim().split(' '));
  const result = JSON.parse(report.stdout.toString()) as MeasuredSet;
  const reasons = result.cells.flatMap(({ invalid, failures: failed }) => [...invalid, ...failed]);
  const restoredLine = said.find((line) => /restored/.test(line)) ?? said.at(-1);
  console.log(`  run: exit ${ended.exitCode}: ${restoredLine?.slice(0, 160)}`);
  console.log(`  cell: ${reasons.join('; ')}`);
  assert.ok(reasons.length > 0, 'the cell is INVALID');
  console.log(`  status: ${/^.*DISABLED.*$/m.exec(status)?.[0]?.trim() ?? 'nothing of a disabled driver'}`);
  assert.ok([4, 5, 6].includes(ended.exitCode ?? 0), `exit code ${ended.exitCode}`);
  const lastSaid = log.match(/iaa_crypto now \w+ABLED/g)?.at(-1) ?? '';
  const bound = await output(guest, 'ls', '/sys/bus/dsa/drivers/crypto');
  assert.equal(disabled, lastSaid.endsWith('DISABLED') && /^wq/m.test(bound));
  if (one.disables !== undefined) assert.equal(disabled, one.disables);
  // Pages whose only copy is compressed cannot be had back: the kernel counts them.
  const lost = await zswapCounter(guest, 'decompress_fail');
  console.log(`  pages lost (decompress_fail): ${lost}`);
  const restoring = call(guest, 'restore');
  const mended = sleep(one.mend === undefined ? 0 : mendMs).then(() => one.mend?.(guest));
  const [restored] = await Promise.all([restoring, mended]);
  console.log(`  restore: exit ${restored.exitCode}: ${restored.stderr.toString().trim().slice(0, 160)}`);
  const settings = await output(
    guest,
    ...['sh', '-c', 'cat /sys/module/zswap/parameters/compressor /proc/sys/vm/page-cluster'],
  );
  console.log(`  afterwards: compressor and page-cluster are ${settings.trim().split('\n').join(' and ')}`);
}

async function faults(): Promise<void> {
  await serverKilled();
  for (const one of faultCases) await inGuest(one.name, (guest) => meet(guest, one));
}

async function steps(): Promise<void> {
  for (const backend of asked(['sysfs', 'libaccel-config'], values.backend))
    await inGuest(`steps, by ${backend}`, async (guest) => {
      const programs = join(packageRoot(), 'build/test/test/vm/programs');
      const tiny = await readFile(join(packageRoot(), 'test/vm/programs/tiny-iaa.yaml'), 'utf8');
      await writeFile(join(guest.share, 'steps.yaml'), tiny.replace(/^iaa:$/m, `$&\n  backend: ${backend}`));
      const argv = [
        process.execPath,
        join(programs, 'torture.js'),
        `${shareMount}/steps.yaml`,
        '--from',
        values.from,
        '--every',
        values.every,
      ];
      let text = '';
      const end = await guest.exec({
        argv,
        onOutput: (stream, bytes) => {
          if (stream === 'stdout') text += bytes.toString();
        },
      });
      assert.equal(end.exitCode, 0);
      const lines = text.trim().split('\n');
      const counts = JSON.parse(lines.pop() ?? '');
      console.log(`  ${JSON.stringify(counts)}`);
      assert.equal(counts.deaths, lines.length);
      assert.equal(
        counts.equal,
        lines.length,
        lines.filter((line) => line.includes('"equal":false')).join('\n'),
      );
    });
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  pages,
  faults,
  steps,
  'accel-config': () => inGuest('accel-config', tryAccelConfig),
};
for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
  const part = parts[name];
  if (part === undefined) {
    console.error(`error: there is no part '${name}'\nhint: the parts are ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
  await part();
}
process.exitCode = failures === 0 ? 0 : 1;

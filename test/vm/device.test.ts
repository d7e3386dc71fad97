/** The kernel's own IAA drivers on software devices: the guest that runs for the tests has four. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';
import type { MeasuredSet } from '../../src/study/cells.js';
import type { Guest } from '../../src/vm/index.js';
import {
  call,
  grown,
  type Setting,
  statisticsOf,
  storePages,
  storePagesProgram,
  writeSetting,
  zswapCounter,
} from '../support/devices.js';
import { guestTest, output, textOf } from '../support/guest.js';

const devices = '/sys/bus/dsa/devices';
const drivers = '/sys/bus/dsa/drivers';
const programs = join(packageRoot(), 'build/test/test/vm/programs');
const tiny = join(packageRoot(), 'test/vm/programs/tiny-iaa.yaml');

/** Applies a setting, does the work, and puts the machine back. */
async function withSetting(guest: Guest, setting: Setting, work: () => Promise<void>): Promise<void> {
  const applied = await call(guest, 'apply', '--yes', await writeSetting(guest, setting));
  assert.equal(applied.exitCode, 0, applied.stderr.toString());
  try {
    await work();
  } finally {
    const restored = await call(guest, 'restore');
    assert.equal(restored.exitCode, 0, restored.stderr.toString());
  }
}

guestTest('the drivers find four devices, two at each socket, as booted', async (guest) => {
  assert.equal(guest.state.devices, 4);
  for (const [device, node] of [0, 0, 1, 1].entries()) {
    const at = (name: string) => textOf(guest, `${devices}/iax${device}/${name}`);
    assert.equal(await at('numa_node'), String(node));
    assert.equal(await at('state'), 'enabled');
    assert.equal(await at('version'), '0x100');
    assert.equal(await at('gen_cap'), '0x71f10901f0105');
    assert.equal(
      await at('op_cap'),
      '00000000,00000000,00000000,00000000,00000000,007f331c,00000000,0000000d',
    );
    assert.equal(await at('max_work_queues_size'), '128');
    assert.equal(await at(`wq${device}.0/state`), 'enabled');
  }
  const crypto = await textOf(guest, '/proc/crypto');
  const [algorithm] = crypto.split('\n\n').filter((block) => /driver +: deflate-iaa$/m.test(block));
  assert.match(algorithm ?? '', /^selftest +: passed$/m);
  assert.equal(
    await output(guest, 'cat', '/sys/devices/system/cpu/cpu1/topology/physical_package_id'),
    '1\n',
  );
});

for (const mode of ['sync', 'async_irq'] as const) {
  for (const verify of [false, true]) {
    guestTest(`pages go out and in unharmed: ${mode}, verify_compress ${Number(verify)}`, async (guest) => {
      await withSetting(guest, { mode, verify, sizes: [64, 64] }, async () => {
        assert.equal(await textOf(guest, `${drivers}/crypto/sync_mode`), mode);
        assert.equal(await textOf(guest, `${drivers}/crypto/verify_compress`), verify ? '1' : '0');
        const before = await statisticsOf(guest);
        const incompressible = await zswapCounter(guest, 'stored_incompressible_pages');
        const stored = await storePages(guest, 2, 2000, 1);
        const after = await statisticsOf(guest);
        assert.equal(stored.wrong_words, 0);
        assert.equal(stored.zswpout, 4000);
        assert.equal(stored.zswpin, 4000);
        // Each page is one descriptor out, one in, and one more where it is verified; none by another way.
        assert.equal(await zswapCounter(guest, 'stored_incompressible_pages'), incompressible);
        assert.equal(grown(before, after, 'compress_pages'), stored.zswpout);
        assert.equal(grown(before, after, 'decompress'), stored.zswpin);
        assert.equal(grown(before, after, 'verify'), verify ? stored.zswpout : 0);
        for (const name of ['errors', 'dropped', 'aborted', 'incompressible'] as const)
          assert.equal(grown(before, after, name), 0, name);
        const interrupts = (all: typeof after) => all.reduce((sum, one) => sum + one.interrupts, 0);
        const told = interrupts(after) - interrupts(before);
        assert.equal(told, mode === 'sync' ? 0 : stored.zswpout + stored.zswpin);
      });
    });
  }
}

guestTest('async reads back sync: this kernel has no poller for it', async (guest) => {
  await withSetting(guest, { mode: 'async', verify: false }, async () => {
    assert.equal(await textOf(guest, `${drivers}/crypto/sync_mode`), 'sync');
  });
});

for (const backend of ['sysfs', 'libaccel-config']) {
  guestTest(
    `the tool runs an experiment with deflate-iaa and puts all back, by ${backend}`,
    async (guest) => {
      const state = async () => {
        const argv = [process.execPath, join(packageRoot(), 'dist/cli.js'), 'status', '--json'];
        return JSON.stringify(JSON.parse(await output(guest, ...argv)).attributes);
      };
      const before = await state();
      const { exitCode, stdout, stderr } = await call(
        guest,
        ...['run', '--yes', '--json', '--set', `iaa.backend=${backend}`, tiny],
      );
      assert.equal(exitCode, 0, stderr.toString());
      const result = JSON.parse(stdout.toString()) as MeasuredSet;
      assert.equal(result.source, 'emulated');
      assert.deepEqual(
        result.cells.map(({ compressor, invalid, failures }) => [compressor, invalid, failures]),
        [['deflate-iaa', [], []]],
      );
      assert.ok((result.cells[0]?.values['zswpout'] ?? 0) > 0);
      assert.equal(await state(), before);
    },
  );
}

guestTest('a shared WQ is refused: there is no PASID', async (guest) => {
  // The driver's algorithm stays registered: other devices keep their WQs.
  const script = `set -eu
    cd ${devices}
    echo wq3.0 >${drivers}/crypto/unbind
    echo iax3 >${drivers}/idxd/unbind
    echo shared >wq3.0/mode; echo 64 >wq3.0/size; echo 0 >wq3.0/group_id; echo 10 >wq3.0/priority
    echo 32 >wq3.0/threshold; echo kernel >wq3.0/type; echo iaa_crypto >wq3.0/name
    for e in 0 1 2 3 4 5 6 7; do echo 0 >engine3.$e/group_id; done
    if /bin/echo iax3 >${drivers}/idxd/bind; then echo bound; fi
    cat iax3/cmd_status
    echo dedicated >wq3.0/mode; echo 128 >wq3.0/size
    echo iax3 >${drivers}/idxd/bind; echo wq3.0 >${drivers}/crypto/bind
    cat wq3.0/state`;
  const { stdout, stderr } = await guest.run(['sh', '-c', script]);
  assert.equal(stdout.toString(), '0x800c0000\nenabled\n', stderr.toString());
  assert.match(stderr.toString(), /No such device or address/);
});

guestTest('no WQ is taken away while pages live in it', async (guest) => {
  const applied = await call(
    guest,
    'apply',
    '--yes',
    await writeSetting(guest, { mode: 'sync', verify: false }),
  );
  assert.equal(applied.exitCode, 0, applied.stderr.toString());
  const holder = guest.run([storePagesProgram(guest), 'hold', '2000']);
  for (let tries = 0; (await zswapCounter(guest, 'stored_pages')) < 1000 && tries < 100; tries += 1) {
    await output(guest, 'sleep', '0.1');
  }
  assert.ok((await zswapCounter(guest, 'stored_pages')) >= 1000);
  const refused = await call(guest, 'restore');
  assert.equal(refused.exitCode, 5, refused.stdout.toString());
  assert.match(refused.stderr.toString(), /is still in use after 10 s: IAA stays as it is/);
  assert.equal(await textOf(guest, `${devices}/wq0.0/state`), 'enabled');
  await output(guest, 'pkill', '-x', 'store_pages');
  await holder;
  const restored = await call(guest, 'restore');
  assert.equal(restored.exitCode, 0, restored.stderr.toString());
});

guestTest(
  'after SIGKILL at changes all along the way of IAA, restore puts every attribute back',
  async (guest) => {
    const argv = [process.execPath, join(programs, 'torture.js'), tiny, '--every', '60'];
    const lines = (await output(guest, ...argv)).trim().split('\n');
    const counts = JSON.parse(lines.pop() ?? '');
    assert.ok(counts.deaths >= 3, JSON.stringify(counts));
    assert.equal(counts.deaths, lines.length, 'every process died where it was to');
    assert.equal(
      counts.equal,
      lines.length,
      lines.filter((line) => line.includes('"equal":false')).join('\n'),
    );
  },
);

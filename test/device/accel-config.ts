import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Apt, backports, unpackDebs } from '../../src/vm/debian.js';
import { cacheFolder } from '../../src/vm/folders.js';
import { type Guest, shareMount } from '../../src/vm/index.js';
import { ensureQemu } from '../../src/vm/qemu-package.js';
import { output } from '../support/guest.js';

/** Debian 13's accel-config, unpacked where the guest sees it; gives the words that start it there. */
async function newerAccelConfig(guest: Guest): Promise<string[]> {
  const name = 'accel-config';
  const apt = await Apt.open(
    join(cacheFolder(), 'apt-qemu'),
    ['trixie', 'trixie-updates', backports],
    () => {},
  );
  const folder = join(guest.share, name);
  await mkdir(folder);
  await unpackDebs(await apt.download(await apt.closure(name, 'trixie')), folder);
  await apt.clear();
  const { runtime } = await ensureQemu(() => undefined);
  const base = `${shareMount}/${name}`;
  const libraries = (await readdir(join(folder, 'usr/lib/x86_64-linux-gnu'))).length > 0;
  assert.ok(libraries);
  return runtime === undefined
    ? [`${base}/usr/bin/accel-config`]
    : [
        `${base}/usr/lib64/ld-linux-x86-64.so.2`,
        ...['--library-path', `${base}/usr/lib/x86_64-linux-gnu`, `${base}/usr/bin/accel-config`],
      ];
}

/** What Intel's script does with one device, then its configuration saved, taken away and loaded again. */
async function tryOne(guest: Guest, program: readonly string[]): Promise<void> {
  const run = async (...words: readonly string[]) => {
    const { exitCode, stdout, stderr } = await guest.run([...program, ...words]);
    assert.equal(exitCode, 0, `${words.join(' ')}: ${stderr.toString()}`);
    return stdout.toString() + stderr.toString();
  };
  const version = (await run('--version')).trim();
  const listed = JSON.parse(await run('list')) as { dev: string; state: string }[];
  assert.deepEqual(
    listed.map(({ dev, state }) => `${dev} ${state}`),
    ['iax0 enabled', 'iax1 enabled', 'iax2 enabled', 'iax3 enabled'],
  );
  assert.match(await run('disable-wq', 'iax3/wq3.0'), /disabled 1 wq\(s\) out of 1/);
  assert.match(await run('disable-device', 'iax3'), /disabled 1 device\(s\) out of 1/);
  for (let engine = 0; engine < 8; engine += 1)
    await run('config-engine', `iax3/engine3.${engine}`, '-g', '0');
  for (const wq of [0, 1]) {
    const words = ['-g', '0', '-s', '64', '-p', '10', '-m', 'dedicated', '-y', 'kernel', '-n', 'iaa_crypto'];
    await run('config-wq', `iax3/wq3.${wq}`, ...words, '-d', 'crypto');
  }
  assert.match(await run('enable-device', 'iax3'), /enabled 1 device\(s\) out of 1/);
  for (const wq of [0, 1])
    assert.match(await run('enable-wq', `iax3/wq3.${wq}`), /enabled 1 wq\(s\) out of 1/);
  const file = `${shareMount}/saved.conf`;
  await run('save-config', '-s', file);
  const sizes = async () =>
    (
      await guest.run(['sh', '-c', 'cat /sys/bus/dsa/devices/wq3.?/size /sys/bus/dsa/devices/wq3.?/state'])
    ).stdout
      .toString()
      .trim();
  const before = await sizes();
  await run('disable-wq', 'iax3/wq3.0', 'iax3/wq3.1');
  await run('disable-device', 'iax3');
  // It configures what is disabled and leaves out what is not. 3.5.3 saves a max_batch_size and wants to write it back,
  // which kernels since 6.2 do not offer for IAX.
  const loaded = await guest.run([...program, 'load-config', '-c', file, '-e']);
  const hidden = /max_batch_size attribute write failed: No such file/.test(loaded.stderr.toString());
  if (hidden) {
    await output(guest, 'sed', '-i', '/"max_batch_size"/d', file);
    await run('load-config', '-c', file, '-e');
  } else {
    assert.equal(loaded.exitCode, 0, loaded.stderr.toString());
  }
  assert.equal(await sizes(), before);
  await run('disable-wq', 'iax3/wq3.0', 'iax3/wq3.1');
  await run('disable-device', 'iax3');
  for (let engine = 0; engine < 8; engine += 1)
    await run('config-engine', `iax3/engine3.${engine}`, '-g', '0');
  const words = ['-g', '0', '-s', '128', '-p', '10', '-m', 'dedicated', '-y', 'kernel', '-n', 'iaa_crypto'];
  await run('config-wq', 'iax3/wq3.0', ...words, '-d', 'crypto');
  await run('enable-device', 'iax3');
  await run('enable-wq', 'iax3/wq3.0');
  const left = hidden ? ' (its max_batch_size left out)' : '';
  console.log(
    `  accel-config ${version}: list, config-*, enable-*, disable-*, save-config, load-config${left}`,
  );
}

/** The machine's accel-config, and Debian 13's. */
export async function tryAccelConfig(guest: Guest): Promise<void> {
  await tryOne(guest, ['accel-config']);
  await tryOne(guest, await newerAccelConfig(guest));
}

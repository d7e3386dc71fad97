/** libaccel-config by dlopen: a library of the test's own in several versions, and Debian's over a tree for /sys. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { discover } from '../../src/discover/discover.js';
import { findAccelConfig } from '../../src/host/accel-config.js';
import { openHost } from '../../src/host/open.js';
import { packageRoot } from '../../src/native/load.js';
import type { NativeAccelDevice } from '../../src/native/surface.js';
import { hostTree } from '../../src/testing/index.js';
import { prelude } from '../support/child.js';
import { tempDirectory } from '../support/temp-directory.js';

const soname = 'libaccel-config.so.1';

/** A directory with a library as a version of libaccel-config has it. */
function fakeLibrary(t: TestContext, ...defines: string[]): string {
  const directory = tempDirectory(t);
  const source = join(packageRoot(), 'test/support/fake-accel-config.c');
  execFileSync('gcc', [
    ...['-shared', '-fPIC', '-Wall', '-Wextra', '-Werror', ...defines],
    ...[source, '-o', join(directory, soname)],
  ]);
  return directory;
}

/** Runs code with `library`, what openAccelConfig gives, and returns what it hands to `say`, as JSON. */
function asked(
  code: string,
  environment: NodeJS.ProcessEnv,
  before: readonly string[] = [],
): { said: unknown[]; stderr: string } {
  const text = `${prelude}
    const said = [];
    const say = (value) => said.push(value ?? null);
    const library = addon.openAccelConfig();
    (async () => { ${code} })().then(() => console.log(JSON.stringify(said)));`;
  const [program = '', ...words] = [...before, process.execPath, '-e', text];
  const { stdout, stderr } = spawnSync(program, words, {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  assert.notEqual(stdout, '', stderr);
  return { said: JSON.parse(stdout) as unknown[], stderr };
}

const all = [
  { name: 'dsa0', state: 'disabled', wqs: [], engines: [] },
  {
    name: 'iax1',
    state: 'unknown',
    wqs: [
      { name: 'wq1.0', state: 'enabled' },
      { name: 'wq1.1', state: 'disabled' },
    ],
    engines: ['engine1.0'],
  },
];

test('a library is found under its soname; devices are listed, enabled and disabled', (t) => {
  const machine = tempDirectory(t);
  for (const name of ['wq1.0', 'unknown-iax1']) writeFileSync(join(machine, name), '');
  const environment = { LD_LIBRARY_PATH: fakeLibrary(t), FAKE_ACCEL_CONFIG: machine };
  const { said, stderr } = asked(
    `say(library.lacks());
     say(await library.devices());
     say(await library.enable('iax1'));
     say(await library.enable('wq1.1'));
     say(await library.disable('wq1.0'));
     say((await library.devices())[1].wqs);
     // Calls at one time wait for each other: the library's context is one.
     say((await Promise.all(Array.from({ length: 20 }, () => library.devices()))).length);`,
    environment,
  );
  assert.deepEqual(said, [
    [],
    all,
    ...[null, null, null],
    [
      { name: 'wq1.0', state: 'disabled' },
      { name: 'wq1.1', state: 'enabled' },
    ],
    20,
  ]);
  assert.equal(stderr, '');
  assert.ok(existsSync(join(machine, 'iax1')));
});

test('what it refuses comes with all it has to say, once, and nothing of it on standard error', (t) => {
  const machine = tempDirectory(t);
  writeFileSync(join(machine, 'refuse-iax1'), '');
  writeFileSync(join(machine, 'refuse-wq1.0'), '');
  const { said, stderr } = asked(
    `say(await library.enable('iax1'));
     say(await library.disable('wq1.0'));
     say(await library.enable('iax2'));`,
    { LD_LIBRARY_PATH: fakeLibrary(t), FAKE_ACCEL_CONFIG: machine },
  );
  const words = 'last error text; command status text';
  assert.deepEqual(said, [
    { errno: 6, code: 'ENXIO', said: `iax1: no wqs configured; ${words}` },
    { errno: 6, code: 'ENXIO', said: `wq1.0: no wqs configured; ${words}` },
    { errno: 19, code: 'ENODEV', said: 'it sees no such device or WQ' },
  ]);
  assert.equal(stderr, '');
});

test('a library that cannot make a context refuses everything', (t) => {
  const refusal = { errno: 2, code: 'ENOENT', said: '' };
  const { said } = asked("say(await library.devices()); say(await library.enable('iax1'));", {
    LD_LIBRARY_PATH: fakeLibrary(t),
    FAKE_NO_CONTEXT: '1',
  });
  assert.deepEqual(said, [refusal, refusal]);
});

test('an old library does without the functions that came later', (t) => {
  const machine = tempDirectory(t);
  writeFileSync(join(machine, 'refuse-iax1'), '');
  const { said } = asked(
    "say(library.lacks()); say(await library.enable('iax1')); say(await library.enable('wq1.0'));",
    { LD_LIBRARY_PATH: fakeLibrary(t, '-DWITHOUT_ERRORS'), FAKE_ACCEL_CONFIG: machine },
  );
  assert.deepEqual(said, [
    [
      'accfg_device_get_cmd_status',
      'accfg_device_get_cmd_status_str',
      'accfg_ctx_get_last_error',
      'accfg_ctx_get_last_error_str',
      'accfg_set_log_fn',
    ],
    { errno: 6, code: 'ENXIO', said: '' },
    null,
  ]);
});

test('a library without a function that all have is not used, and says which', (t) => {
  const { said } = asked('say(library);', { LD_LIBRARY_PATH: fakeLibrary(t, '-DWITHOUT_ENGINES') });
  assert.deepEqual(said, [`${soname} has no accfg_engine_get_devname`]);
});

test('what is no library is said, not thrown', (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, soname), 'text');
  const { said } = asked('say(library);', { LD_LIBRARY_PATH: directory });
  assert.match(String(said[0]), /libaccel-config\.so\.1: (?:file too short|invalid ELF header)/);
});

test('the library is for the running machine alone', async (t) => {
  using tree = hostTree(readFileSync(join(packageRoot(), 'test/hosts/iaa-spr-2s.host'), 'utf8'));
  const host = await openHost(`root:${tree.root}`, { writable: false });
  t.after(() => host.close());
  assert.deepEqual(findAccelConfig(host), { absent: `root:${tree.root} is not the running machine` });
});

test("Debian's own library sees on a tree for /sys what we see there, and cannot enable", async () => {
  using tree = hostTree(readFileSync(join(packageRoot(), 'test/hosts/iaa-spr-2s.host'), 'utf8'));
  const host = await openHost(`root:${tree.root}`, { writable: false });
  const { iaa } = await discover(host);
  await host.close();
  assert.ok(iaa !== undefined);
  // A mount namespace of its own: nobody else sees this /sys.
  const { said } = asked(
    "say(library.lacks()); say(await library.devices()); say(await library.disable('wq1.0'));",
    { LD_LIBRARY_PATH: '' },
    [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount --bind "$1" /sys && shift && exec "$@"',
      'sh',
      join(tree.root, 'sys'),
    ],
  );
  const [lacks, devices, refusal] = said as [string[], NativeAccelDevice[], { code: string }];
  assert.deepEqual(lacks, []);
  const theirs = devices.filter(({ name }) => name.startsWith('iax'));
  assert.deepEqual(
    theirs.map(({ name, state }) => ({ name, state })).sort(byName),
    iaa.devices.map(({ name, state }) => ({ name, state })).sort(byName),
  );
  assert.deepEqual(
    theirs.flatMap(({ wqs }) => wqs).sort(byName),
    iaa.wqs.map(({ name, state }) => ({ name, state })).sort(byName),
  );
  assert.deepEqual(
    theirs.flatMap(({ engines }) => engines).sort(),
    iaa.engines.map(({ name }) => name).sort(),
  );
  assert.notEqual(refusal, null);
});

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { packageRoot } from '../../src/native/load.js';
import type { MeasuredCell, MeasuredSet } from '../../src/study/cells.js';
import type { Guest } from '../../src/vm/index.js';
import { guestTest, output, textOf } from '../support/guest.js';

const program = join(packageRoot(), 'dist/cli.js');

const common = `matrix: { compressor: [lzo], folio: [64kB] }
zswap: { max_pool_percent: 50, shrinker_enabled: false }
vm: { page-cluster: 0 }
`;

/** An experiment file of this machine, as the guest sees it too. */
async function fileOf(guest: Guest, t: TestContext, text: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'iaa-zswap-workloads-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'x.yaml');
  writeFileSync(file, `name: x\n${text}`);
  await guest.refresh();
  return file;
}

interface Outcome {
  readonly exitCode: number | undefined;
  readonly cells: readonly MeasuredCell[];
  readonly stderr: string;
}

/** Runs an experiment in the guest, by whoever `env` says has called sudo. */
async function run(
  guest: Guest,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome & { readonly state: string }> {
  const state = `/run/workloads-${randomUUID()}`;
  const argv = [process.execPath, program, 'run', '--yes', '--json', '--state', state, ...words];
  const { exitCode, stdout, stderr } = await guest.run(argv, { env });
  const text = stdout.toString();
  const cells = text === '' ? [] : (JSON.parse(text) as MeasuredSet).cells;
  return { exitCode, cells, stderr: stderr.toString(), state };
}

const nobody = { SUDO_UID: '65534', SUDO_GID: '65534' };

guestTest('madvise pages out whole folios, and what comes back is what was written', async (guest, t) => {
  const file = await fileOf(
    guest,
    t,
    `${common.replace('[64kB]', '[4kB, 64kB]')}cgroup: { memory.swap.max: max }
workload: { madvise: { processes: 2, size: 8M, rounds: 2, bind: 1, content: "ratio:3" } }
`,
  );
  const { exitCode, cells, stderr } = await run(guest, [file]);
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(
    cells.map(({ workload, folio, n, warnings }) => [workload, folio, n, warnings]),
    [
      ['madvise2', '4k', 1, []],
      ['madvise2', '64k', 1, []],
    ],
  );
  for (const { folio, values } of cells) {
    // 2 processes x 2 rounds x 8 MiB.
    assert.equal(values['asked_pages'], 8192);
    assert.deepEqual([values['gone_pages'], values['left_pages']], [0, 0]);
    assert.ok((values['zswpout'] ?? 0) >= 8192, `${values['zswpout']}`);
    assert.ok((values['zswpin'] ?? 0) >= 8192, `${values['zswpin']}`);
    if (folio === '64k') assert.equal(values['ZSWPOUT-64kB'], 512);
    for (const what of ['pageout', 'readback']) {
      const [p50 = 0, p99 = 0] = [values[`${what}_p50_ns`], values[`${what}_p99_ns`]];
      assert.ok(p50 > 0 && p99 >= p50, JSON.stringify(values));
    }
  }
});

guestTest('madvise tells that the kernel has not paged out', async (guest, t) => {
  const file = await fileOf(
    guest,
    t,
    `${common}cgroup: { memory.swap.max: 4096 }\nworkload: { madvise: { size: 4M } }\n`,
  );
  const { exitCode, cells, stderr } = await run(guest, [file]);
  assert.equal(exitCode, 6, stderr);
  const [only] = cells;
  assert.equal(only?.n, 0);
  assert.match(only?.invalid.join() ?? '', /10\d\d of 1024 pages stayed in memory: MADV_PAGEOUT is advice/);
});

guestTest(
  'a build swaps under memory.max, as the user who called sudo, and fills its table',
  async (guest, t) => {
    // A checkout can be where nobody may look.
    const native = '/tmp/workloads-native';
    t.after(() => guest.run(['rm', '-r', native]));
    const copy = 'cp -r "$1" "$2" && chmod -R a+rX "$2"';
    await output(guest, 'sh', '-c', copy, 'sh', join(packageRoot(), 'native'), native);
    const words = [
      join(packageRoot(), 'experiments/build-small.yaml'),
      ...['--set', `workload.build.source=${native}`],
      ...['--set', 'workload.build.directory=/var/tmp', '--set', 'matrix.compressor=[lzo]'],
    ];
    const { exitCode, cells, stderr, state } = await run(guest, words, nobody);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /^build-small: the workload runs as nobody$/m);
    const [{ workload, values, warnings }] = cells as [MeasuredCell];
    assert.deepEqual([workload, warnings], ['build-workloads-native', []]);
    for (const key of ['real_s', 'user_s', 'sys_s']) assert.ok((values[key] ?? 0) > 1, key);
    // One compiler of two, or of the linker, under a limit of 128 MiB for all.
    const rss = values['max_rss_kb'] ?? 0;
    assert.ok(rss > 32 * 1024 && rss < 128 * 1024, `${rss}`);
    assert.ok((values['zswpout'] ?? 0) > 1000, JSON.stringify(values));
    assert.ok((values['zswpin'] ?? 0) > 100, JSON.stringify(values));
    assert.equal((await guest.run(['test', '-e', '/var/tmp/iaa-zswap-build'])).exitCode, 1);
    const report = await output(
      guest,
      process.execPath,
      program,
      'report',
      `${state}/runs/${await only(guest, `${state}/runs`)}`,
    );
    assert.match(report, /^ real_sec +\d+\.\d\d$/m);
    assert.match(report, /^ Max_Res_Set_Size_KB +\d\d,\d\d\d$/m);
  },
);

async function only(guest: Guest, folder: string): Promise<string> {
  return (await output(guest, 'ls', folder)).trim();
}

/** A command whose set-up leaves a folder and a process, and whose clean-up takes the folder away. */
const hooked = (script: string) => `${common}cgroup: { memory.high: 64M }
workload:
  command:
    argv: [/bin/sh, -c, '${script}']
    directory: /tmp
    setup:
      - [/bin/mkdir, /tmp/hooked]
      - [/bin/sh, -c, "sleep 1000 & echo $! >/tmp/hooked/left; id -un >/tmp/hooked/who"]
    cleanup:
      - [/bin/sh, -c, "cp /tmp/hooked/* /run/share; rm -r /tmp/hooked"]
    throughput: '^ops ([0-9]+)$'
`;

guestTest('a command runs between its hooks, all as one user in one cgroup', async (guest, t) => {
  const script = [
    'cat /proc/self/cgroup /proc/$(cat hooked/left)/cgroup | uniq | wc -l >hooked/groups',
    'id -un >>hooked/who; echo $HOME >hooked/home; pwd >hooked/folder; echo ops 3; echo ops 4',
  ].join('; ');
  await output(guest, 'sh', '-c', 'mkdir -m 777 /run/share');
  t.after(() => guest.run(['rm', '-r', '/run/share']));
  const file = await fileOf(guest, t, hooked(script));
  const { exitCode, cells, stderr } = await run(guest, [file], nobody);
  assert.equal(exitCode, 0, stderr);
  assert.equal(cells[0]?.workload, 'sh');
  assert.equal(cells[0]?.values['total_throughput'], 7);
  for (const [name, text] of [
    ['who', 'nobody\nnobody'],
    ['groups', '1'],
    ['home', '/nonexistent'],
    ['folder', '/tmp'],
  ] as const)
    assert.equal(await textOf(guest, `/run/share/${name}`), text);
  assert.equal((await guest.run(['test', '-e', '/tmp/hooked'])).exitCode, 1);
  // What the set-up left running has gone with the cgroup.
  const left = await textOf(guest, '/run/share/left');
  assert.equal((await guest.run(['test', '-e', `/proc/${left}`])).exitCode, 1);
});

guestTest('the clean-up runs however the workload ends', async (guest, t) => {
  await output(guest, 'sh', '-c', 'mkdir -m 777 /run/share');
  t.after(() => guest.run(['rm', '-r', '/run/share']));
  const isClean = async () => assert.equal((await guest.run(['test', '-e', '/tmp/hooked'])).exitCode, 1);

  const failing = await run(guest, [await fileOf(guest, t, hooked('exit 3'))]);
  assert.equal(failing.exitCode, 4, failing.stderr);
  assert.match(failing.cells[0]?.failures.join() ?? '', /^the workload ended with exit code 3$/);
  await isClean();

  const late = await fileOf(guest, t, hooked('while :; do :; done'));
  const endless = await run(guest, [late, '--set', 'limits.time_s=1']);
  assert.equal(endless.exitCode, 4, endless.stderr);
  assert.match(endless.cells[0]?.failures.join() ?? '', /^the workload did not end within 1 s$/);
  await isClean();

  const broken = await run(guest, [
    late,
    '--set',
    'workload.command.setup=[[/bin/mkdir, /tmp/hooked], [/bin/false]]',
  ]);
  assert.equal(broken.exitCode, 4, broken.stderr);
  assert.match(broken.cells[0]?.failures.join() ?? '', /^the set-up \/bin\/false ended with exit code 1$/);
  await isClean();

  const channel = await guest.connect();
  try {
    let said = '';
    const { exitCode } = await channel.run({
      argv: [process.execPath, program, 'run', '--yes', '--state', `/run/workloads-${randomUUID()}`, late],
      onOutput: (stream, bytes) => {
        said += stream === 'stderr' ? bytes.toString() : '';
        if (said.endsWith(': running\n')) channel.kill('SIGINT');
      },
    });
    assert.equal(exitCode, 130, said);
  } finally {
    channel.close();
  }
  await isClean();
});

guestTest('who may not use what a workload needs is told before anything is changed', async (guest, t) => {
  const file = await fileOf(
    guest,
    t,
    `${common}workload: { build: { config: none, source: ${packageRoot()}/native, directory: /root } }\n`,
  );
  const before = await output(guest, process.execPath, program, 'status', '--json');
  const denied = await run(guest, [file], nobody);
  assert.equal(denied.exitCode, 3, denied.stderr);
  assert.match(denied.stderr, /workload\.build\.directory: user nobody cannot write to \/root: EACCES/);
  const missing = await run(guest, [file, '--set', 'workload.user=no-such-user'], nobody);
  assert.equal(missing.exitCode, 3, missing.stderr);
  assert.match(missing.stderr, /workload\.user: no-such-user: ENOENT from getpwnam/);
  const { attributes } = JSON.parse(before);
  assert.deepEqual(
    JSON.parse(await output(guest, process.execPath, program, 'status', '--json')).attributes,
    attributes,
  );
});

guestTest('a SUDO_UID that is no user is not believed', async (guest, t) => {
  const text = `${common}workload: { command: { argv: [/bin/sh, -c, "id -u"] } }\n`;
  const file = await fileOf(guest, t, text);
  const asked = async (env: Readonly<Record<string, string>>, ...words: readonly string[]) => {
    const { exitCode, stderr, state } = await run(guest, [file, ...words], env);
    assert.equal(exitCode, 0, stderr);
    return { uid: (await output(guest, 'sh', '-c', `cat ${state}/runs/*/*/stdout.txt`)).trim(), stderr };
  };
  const unknown = await asked({ SUDO_UID: '4711', SUDO_GID: '4711' });
  assert.equal(unknown.uid, '0');
  assert.match(unknown.stderr, /^x: SUDO_UID 4711 is no user here: the workload runs as root$/m);
  assert.equal((await asked(nobody)).uid, '65534');
  assert.equal((await asked({ ...nobody, SUDO_GID: '0' })).uid, '65534');
  assert.equal((await asked(nobody, '--set', 'workload.user=root')).uid, '0');
  assert.equal((await asked({})).uid, '0');
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';
import type { MeasuredSet } from '../../src/study/cells.js';
import type { Guest } from '../../src/vm/index.js';
import { guestTest, output } from '../support/guest.js';

const program = join(packageRoot(), 'dist/cli.js');
const small = join(packageRoot(), 'experiments/usemem-small.yaml');
const tiny = join(packageRoot(), 'test/vm/programs/tiny.yaml');
const programs = join(packageRoot(), 'build/test/test/vm/programs');

/** Every attribute that a plan may set, as JSON text. */
async function attributes(guest: Guest): Promise<string> {
  const inventory = JSON.parse(await output(guest, process.execPath, program, 'status', '--json'));
  return JSON.stringify(inventory.attributes);
}

/** libzstd's mean size, level 3, of the first pages that usemem writes. */
function libzstdBytes(pages: number): number {
  const directory = mkdtempSync(join(tmpdir(), 'zstd-'));
  try {
    const tool = join(directory, 'zstd_page_bytes');
    const source = join(packageRoot(), 'test/vm/programs/zstd_page_bytes.cc');
    execFileSync('c++', ['-std=c++20', '-O2', source, '-o', tool, '-ldl']);
    return Number(execFileSync(tool, [String(pages)], { encoding: 'utf8' }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

guestTest(
  "experiments/usemem-small.yaml gives the letter's table from the kernel's counters",
  async (guest) => {
    const before = await attributes(guest);
    const argv = [process.execPath, program, 'run', '--yes', '--json', '--state', '/run/small', small];
    const { exitCode, stdout, stderr } = await guest.run(argv);
    assert.equal(exitCode, 0, stderr.toString());
    assert.match(stderr.toString(), /restored: \d+ changes taken back; read again, equal to before the run:/);
    const result = JSON.parse(stdout.toString()) as MeasuredSet;
    assert.equal(result.source, 'emulated');
    assert.deepEqual(
      result.cells.map(({ workload, compressor, folio, n, invalid, failures, warnings }) => [
        workload,
        compressor,
        folio,
        n,
        [...invalid, ...failures, ...warnings],
      ]),
      [
        ['usemem2', 'lzo', '64k', 1, []],
        ['usemem2', 'zstd', '64k', 1, []],
        ['usemem2', 'lzo', '2048k', 1, []],
        ['usemem2', 'zstd', '2048k', 1, []],
      ],
    );
    for (const { compressor, folio, values } of result.cells) {
      const name = `${compressor}, ${folio}`;
      const pages = Number.parseInt(folio, 10) / 4;
      const fallbacks =
        values[folio === '2048k' ? 'thp_swpout_fallback' : `${folio}B_swpout_fallback`] ?? Number.NaN;
      const folios = values[`ZSWPOUT-${folio}B`] ?? Number.NaN;
      const zswpout = values['zswpout'] ?? Number.NaN;
      // kernel.md 6.3: what was not stored in whole folios fell back.
      assert.ok(
        Math.abs((folios + fallbacks) * pages - zswpout) <= zswpout * 0.02,
        `${name}: ${JSON.stringify(values)}`,
      );
      assert.ok((values['memcg_high'] ?? 0) > 0, name);
      assert.ok((values['total_throughput_kb_s'] ?? 0) > 0, name);
      if (compressor === 'zstd') {
        // The pages that were written first are the first that reclaim takes.
        const expected = libzstdBytes(Math.round(zswpout / 2));
        const bytes = values['compressed_bytes_per_page'] ?? Number.NaN;
        assert.ok(
          Math.abs(bytes - expected) <= expected * 0.03,
          `${name}: ${bytes} bytes a page, libzstd ${expected}`,
        );
      }
    }
    assert.equal(await attributes(guest), before);
  },
);

guestTest("a record made by 'vm exec' holds the exact packages of the guest's kernel", async (guest) => {
  const argv = [
    'vm',
    'exec',
    '--dir',
    guest.folder,
    '--',
    program,
    'run',
    '--yes',
    '--state',
    '/run/packages',
    tiny,
  ];
  execFileSync(program, argv, { stdio: 'pipe' });
  const { sessions } = JSON.parse(await output(guest, 'sh', '-c', 'cat /run/packages/runs/*/manifest.json'));
  const [{ environment }] = sessions;
  const packages = guest.state.kernel.packages.map(({ name, version }) => [name, version]);
  assert.deepEqual(environment, Object.fromEntries(packages));
  assert.ok(packages.length > 0);
});

guestTest('the example that watches a run tells how it goes and prints its table', async (guest) => {
  const example = join(packageRoot(), 'build/test/examples/watch-a-run.js');
  const lines = (await output(guest, process.execPath, example, tiny, '/run/watched')).split('\n');
  assert.deepEqual(
    lines.filter((line) => line.startsWith('cell ')),
    [1, 2, 3, 4].flatMap((number) =>
      ['apply', 'run', 'done'].map((stage) => `cell ${number} of 4: ${stage}`),
    ),
  );
  assert.ok(lines.includes(' 64K folios: tiny:') && lines.includes(' 2M folios: tiny:'));
});

guestTest(
  'apply leaves the machine so until restore, which leaves alone what somebody else changed',
  async (guest) => {
    const pageCluster = '/proc/sys/vm/page-cluster';
    const call = async (...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await guest.run([program, ...args, '--state', '/run/applied']);
      return { exitCode, said: `${stdout}${stderr}` };
    };
    const before = await attributes(guest);
    assert.equal((await call('verify', tiny, '--cell', '2')).exitCode, 6);
    assert.equal((await call('apply', '--yes', tiny, '--cell', '2')).exitCode, 0);
    assert.equal((await call('verify', tiny, '--cell', '2')).exitCode, 0);
    const refused = await call('run', '--yes', tiny);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.said, /an earlier run has not put the machine back/);
    await output(guest, 'sh', '-c', `echo 7 >${pageCluster}`);
    const partly = await call('restore');
    assert.equal(partly.exitCode, 5);
    assert.match(partly.said, /page-cluster: somebody else set it to '7' since; left alone/);
    assert.equal((await output(guest, 'cat', pageCluster)).trim(), '7');
    assert.equal((await call('restore', '--overwrite')).exitCode, 0);
    assert.equal(await attributes(guest), before);
    assert.match((await call('restore')).said, /nothing to restore/);
  },
);

guestTest('after SIGKILL at changes all along a run, restore puts every attribute back', async (guest) => {
  const lines = (await output(guest, process.execPath, join(programs, 'torture.js'), tiny, '--every', '7'))
    .trim()
    .split('\n');
  const counts = JSON.parse(lines.pop() ?? '');
  assert.ok(counts.deaths >= 5, JSON.stringify(counts));
  assert.equal(counts.deaths, lines.length, 'every process died where it was to');
  assert.equal(counts.equal, lines.length, lines.filter((line) => line.includes('"equal":false')).join('\n'));
});

guestTest('SIGINT at any moment of a run: exit 130, every attribute as before', async (guest) => {
  const text = await output(guest, process.execPath, join(programs, 'interrupt.js'), program, tiny, '3');
  const outcomes = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(outcomes.filter((outcome) => !outcome.late).length, 3, text);
  for (const outcome of outcomes) {
    assert.equal(outcome.code, outcome.late ? 0 : 130, JSON.stringify(outcome));
    assert.equal(outcome.equal, true, JSON.stringify(outcome));
    assert.equal(outcome.pending, false, JSON.stringify(outcome));
  }
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { PlanError } from '../../../src/errors.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { plan } from '../../../src/plan/plan.js';
import { renderPlan } from '../../../src/plan/render.js';
import type { Plan } from '../../../src/plan/steps.js';
import { buildMachine, mockHost } from '../../../src/testing/index.js';

async function planOf(workload: string, { folio = '64kB', cgroup = 'memory.high: 64M' } = {}): Promise<Plan> {
  const text = `name: x
matrix: { compressor: [zstd], folio: [${folio}] }
zswap: { max_pool_percent: 50 }
cgroup: { ${cgroup} }
workload:
  ${workload}
`;
  const experiment = parseExperiment(text, 'x.yaml');
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  const host = mockHost(buildMachine({ packages: 1, coresPerPackage: 32, iaaPerPackage: 0 }));
  return plan(await discover(host), experiment, cell);
}

const argvOf = async (...given: Parameters<typeof planOf>): Promise<string> =>
  (await planOf(...given)).workload.argv.join(' ');

async function issuesOf(...given: Parameters<typeof planOf>): Promise<string[]> {
  const error = await planOf(...given).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof PlanError, String(error));
  for (const { mend } of error.issues) assert.notEqual(mend, '');
  return error.issues.map(({ path, message }) => `${path}: ${message}`);
}

/** The lines of a plan about the workload. */
const shown = (given: Plan): string[] => {
  const lines = renderPlan(given).split('\n');
  const begin = lines.findIndex((line) => line.startsWith('  workload in '));
  return lines.slice(begin, begin + 1 + lines.slice(begin + 1).findIndex((line) => !line.startsWith('    ')));
};

describe('a usemem workload', () => {
  it("has the cover letter's command line", async () => {
    const { workload } = await planOf('usemem: { processes: 30, size: 10g, bind: 1, sleep_s: 10 }', {
      cgroup: 'memory.high: 150G',
    });
    assert.deepEqual(workload.argv.join(' '), 'usemem --init-time -w -O -b 1 -s 10 -n 30 10g');
    assert.deepEqual(workload.footprint, {
      totalBytes: 300n * 1024n ** 3n,
      pagedOut: false,
      content: 'counter',
    });
    assert.equal(workload.bind?.cpus.length, 30);
    assert.equal(workload.sleepSeconds, 10);
  });

  it('passes every key on', async () => {
    assert.equal(
      await argvOf(
        'usemem: { processes: 2, threads: 3, size: 64M, unit: 1M, step: 16, repeat: 2, random: true, read_again: true, ' +
          'sync_free: true, delay_ns: 5, content: "ratio:2", seed: 4 }',
      ),
      'usemem --init-time -w -O -R -Z -x -s 0 -n 2 -t 3 -u 1m -j 16 -r 2 -e 5 --content ratio:2 --seed 4 64m',
    );
    assert.equal(
      await argvOf('usemem: { size: 1M, readonly: true, sync_rw: true }'),
      'usemem --init-time -w -O -o -y -s 0 -n 1 1m',
    );
  });

  it('of threads writes the whole size in each', async () => {
    const { workload } = await planOf('usemem: { processes: 2, threads: 3, size: 1M, bind: 1 }');
    assert.equal(workload.footprint?.totalBytes, 6n * 1024n ** 2n);
    assert.deepEqual(workload.bind, { interval: 1, cpus: [0, 1, 2, 3, 4, 5] });
  });

  it('that reads or leaves words out has no pages of a known ratio', async () => {
    assert.equal((await planOf('usemem: { size: 1G, readonly: true }')).workload.footprint, undefined);
    for (const key of ['random: true', 'step: 4k']) {
      const { workload, forecast } = await planOf(`usemem: { size: 1G, ${key} }`);
      assert.equal(workload.footprint?.content, undefined);
      assert.equal(forecast, undefined);
    }
  });

  it('needs its corpus', async () => {
    const { workload } = await planOf('usemem: { size: 1M, content: "file:/x y" }');
    assert.deepEqual(workload.needs, [{ path: '/x y', mode: 'r', what: 'workload.usemem.content' }]);
  });
});

describe('a madvise workload', () => {
  it('takes a folio a call, and all of it is in the pool at once', async () => {
    const given = await planOf(
      'madvise: { processes: 2, size: 256M, rounds: 3, bind: 1, content: "ratio:3" }',
    );
    assert.deepEqual(shown(given), [
      '  workload in /sys/fs/cgroup/iaa-zswap:',
      '    madvise -b 1 -n 2 --chunk 64k --rounds 3 --content ratio:3 256m',
    ]);
    // 512 MiB, whatever the limit, at 0.95 x 3.
    assert.equal(Math.round((given.forecast?.poolBytes ?? 0) / 2 ** 20), Math.round(512 / 2.85));
    const unlimited = await planOf('madvise: { size: 256M }', { cgroup: '' });
    assert.ok(unlimited.forecast !== undefined);
  });

  it('refuses chunks that would split folios, and sizes that are no whole chunks', async () => {
    assert.equal(
      await argvOf('madvise: { size: 4M }', { folio: '4kB' }),
      'madvise -n 1 --chunk 4k --rounds 1 4m',
    );
    assert.equal(
      await argvOf('madvise: { size: 4M, chunk: 2M, threads: 2, seed: 1, content: random }'),
      'madvise -n 1 -t 2 --chunk 2m --rounds 1 --content random --seed 1 4m',
    );
    assert.deepEqual(await issuesOf('madvise: { size: 4M, chunk: 16k }'), [
      'workload.madvise.chunk: is 16k, and the kernel would split folios of 64kB',
    ]);
    assert.deepEqual(await issuesOf('madvise: { size: 3M }', { folio: '2048kB' }), [
      'workload.madvise.size: is no multiple of a chunk, 2m',
    ]);
  });

  it('needs swap for all of it', async () => {
    const [issue] = await issuesOf('madvise: { processes: 4096, size: 1G }', { cgroup: '' });
    assert.match(issue ?? '', /the workload needs 4194304 MiB of swap, \d+ MiB are free$/);
  });
});

describe('a build', () => {
  const named = 'source: /usr/src/linux, directory: /mnt/x';

  it("of the kernel's tree is made beside it, from nothing; only the build is measured", async () => {
    const given = await planOf(
      `build: { config: allmodconfig, threads: 32, make: [LLVM=1, vmlinux], ${named} }`,
    );
    assert.deepEqual(shown(given), [
      '  workload in /sys/fs/cgroup/iaa-zswap:',
      '    set-up   /usr/bin/rm -rf -- /mnt/x/iaa-zswap-build',
      '    set-up   /usr/bin/mkdir -- /mnt/x/iaa-zswap-build',
      '    set-up   /usr/bin/make -s -C /usr/src/linux O=/mnt/x/iaa-zswap-build -j32 LLVM=1 allmodconfig',
      '    measured /usr/bin/make -s -C /usr/src/linux O=/mnt/x/iaa-zswap-build -j32 LLVM=1 vmlinux',
      '    clean-up /usr/bin/rm -rf -- /mnt/x/iaa-zswap-build',
    ]);
    assert.deepEqual(
      given.workload.needs.map(({ path, mode }) => `${mode} ${path}`),
      ['x /usr/bin/make', 'rx /usr/src/linux', 'wx /mnt/x'],
    );
    assert.equal(given.forecast, undefined);
  });

  it('of another tree is made in a copy', async () => {
    const { workload } = await planOf(`build: { config: none, ${named} }`);
    assert.deepEqual(
      [...workload.setup.slice(2), workload.argv].map((words) => words.join(' ')),
      [
        '/usr/bin/cp -a -- /usr/src/linux/. /mnt/x/iaa-zswap-build',
        '/usr/bin/make -s -C /mnt/x/iaa-zswap-build -j1',
      ],
    );
  });

  it('wants its tree and its folder named', async () => {
    assert.deepEqual(await issuesOf('build: { config: tinyconfig }'), [
      'workload.build.source: the tree to build is not named',
      'workload.build.directory: a folder on the file system to build on is not named',
    ]);
    assert.equal((await issuesOf('build: { config: tinyconfig, source: /x }')).length, 1);
  });
});

describe('a command', () => {
  it('has its hooks, its folder and its user', async () => {
    const given = await planOf(`user: nobody
  command:
    argv: [/usr/bin/fio, --name=a b, "it's"]
    directory: /mnt/my data
    setup: [[/usr/bin/mkdir, -p, x], [/bin/true]]
    cleanup: [[/usr/bin/rm, -r, x]]`);
    assert.deepEqual(shown(given), [
      "  workload in /sys/fs/cgroup/iaa-zswap as nobody from '/mnt/my data':",
      '    set-up   /usr/bin/mkdir -p x',
      '    set-up   /bin/true',
      "    measured /usr/bin/fio '--name=a b' 'it'\\''s'",
      '    clean-up /usr/bin/rm -r x',
    ]);
    assert.equal(given.workload.user, 'nobody');
    assert.deepEqual(
      given.workload.needs.map(({ path, mode }) => `${mode} ${path}`),
      ['x /usr/bin/mkdir', 'x /bin/true', 'x /usr/bin/fio', 'x /usr/bin/rm', 'x /mnt/my data'],
    );
  });

  it('alone is one line', async () => {
    assert.deepEqual(shown(await planOf('{ user: 0, command: { argv: [/bin/true] } }')), [
      '  workload in /sys/fs/cgroup/iaa-zswap as 0:',
      '    /bin/true',
    ]);
  });
});

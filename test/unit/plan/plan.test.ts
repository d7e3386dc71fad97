import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { PlanError } from '../../../src/errors.js';
import { cellsOf, withValue } from '../../../src/experiment/cells.js';
import { plan } from '../../../src/plan/plan.js';
import { renderPlan } from '../../../src/plan/render.js';
import type { Plan } from '../../../src/plan/steps.js';
import type { MemoryHost } from '../../support/memory-host.js';
import { smallExperiment, smallMachine } from '../../support/small-machine.js';

async function planOn(host: MemoryHost, experiment = smallExperiment()): Promise<Plan> {
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  return plan(await discover(host), experiment, cell);
}

async function issuesOn(host: MemoryHost, experiment = smallExperiment()): Promise<string[]> {
  const error = await planOn(host, experiment).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof PlanError, String(error));
  assert.equal(error.exitCode, 3);
  for (const issue of error.issues) assert.notEqual(issue.mend, '');
  return error.issues.map((issue) => `${issue.path}: ${issue.message}`);
}

describe('plan', () => {
  it('reads as a person wants to read it', async () => {
    assert.equal(
      renderPlan(await planOn(smallMachine())),
      `cell 1: zstd, 64kB
  machine-wide (every process on this machine feels it):
    zswap.enabled           N -> Y  (/sys/module/zswap/parameters/enabled)
    zswap.compressor        lzo -> zstd  (/sys/module/zswap/parameters/compressor)
    zswap.max_pool_percent  20 -> 50  (/sys/module/zswap/parameters/max_pool_percent)
    zswap.shrinker_enabled  Y -> N  (/sys/module/zswap/parameters/shrinker_enabled)
    vm.min_free_kbytes      put back at the end  (/proc/sys/vm/min_free_kbytes)
    thp.enabled             madvise -> never  (/sys/kernel/mm/transparent_hugepage/enabled)
    thp.128kB               inherit -> never  (/sys/kernel/mm/transparent_hugepage/hugepages-128kB/enabled)
    thp.2048kB              inherit -> never  (/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled)
    thp.64kB                never -> always  (/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled)
    vm.page-cluster         3 -> 0  (/proc/sys/vm/page-cluster)
    cgroup.+memory          +memory  (/sys/fs/cgroup/cgroup.subtree_control)
  for this run's own cgroup:
    zswap.pool          check that zswap has a pool of zstd
    cgroup.create       create  (/sys/fs/cgroup/iaa-zswap)
    cgroup.memory.high  67108864  (/sys/fs/cgroup/iaa-zswap/memory.high)
  workload in /sys/fs/cgroup/iaa-zswap:
    usemem --init-time -w -O -b 1 -s 0 -n 2 64m
  expected zswap pool: 15 of 1,000 MiB (ratio 5.16, from the cover letter's zswpout; once full, taken again below 900)
  cannot be undone before the next boot: zswap.enabled: zswap stays set up and the kernel no longer swaps in large folios, even after enabled=N
  cannot be undone before the next boot: zswap.compressor: the kernel loads the module of zstd, which stays loaded`,
    );
  });

  it('announces nothing one-way when zswap was enabled before', async () => {
    const host = smallMachine();
    host.files.set('/sys/kernel/debug/zswap/pool_total_size', '0\n');
    const [step] = (await planOn(host)).steps;
    assert.equal(step?.id, 'zswap.enabled');
    assert.equal(step?.kind === 'attribute' ? step.oneWay : 'no', undefined);
  });

  it('asks systemd for a delegated scope, and leaves the root of its tree alone', async () => {
    const host = smallMachine();
    host.directories.add('/run/systemd/system');
    const { steps, cgroup } = await planOn(host);
    assert.equal(cgroup, '/sys/fs/cgroup/system.slice/iaa-zswap.scope/workload');
    assert.ok(steps.some((step) => step.kind === 'scope'));
    assert.deepEqual(
      steps.flatMap((step) => (step.kind === 'controller' ? [step.path] : [])),
      ['/sys/fs/cgroup/system.slice/iaa-zswap.scope/cgroup.subtree_control'],
    );
  });

  it('gives every reason at once', async () => {
    const host = smallMachine();
    for (const path of [...host.files.keys()]) {
      if (path.startsWith('/sys/module/zswap') || path === '/proc/self/mountinfo') host.files.delete(path);
    }
    host.files.set('/proc/swaps', 'Filename\tType\tSize\tUsed\tPriority\n');
    const issues = await issuesOn(host);
    assert.equal(issues.length, 3);
    assert.match(issues.join('\n'), /has no zswap[\s\S]*no cgroup v2[\s\S]*no swap area/);
  });

  const lacking: [string, (host: MemoryHost) => void, string, RegExp][] = [
    [
      'a folio size the kernel lacks',
      () => {},
      'thp: {}',
      /hugepages-32kB.*: this kernel has no anonymous folios of 32kB; it has 64kB, 128kB, 2048kB/,
    ],
    [
      'a memory controller that a v1 hierarchy holds',
      (host) => host.files.set('/sys/fs/cgroup/cgroup.controllers', 'pids\n'),
      '',
      /cgroup\.controllers: cgroup v2 has no memory controller/,
    ],
    [
      'too little swap',
      (host) =>
        host.files.set('/proc/swaps', 'Filename Type Size Used Priority\n/dev/vda partition 1000 0 -2\n'),
      '',
      /needs 64 MiB of swap beyond its limit, 0 MiB are free/,
    ],
    [
      'an attribute that reads as garbage',
      (host) => host.files.set('/proc/sys/vm/page-cluster', '\x1b[2J\n'),
      '',
      /^\/proc\/sys\/vm\/page-cluster: /,
    ],
  ];
  for (const [what, change, more, expected] of lacking) {
    it(`says so when there is ${what}`, async () => {
      const host = smallMachine();
      change(host);
      const given = smallExperiment(more);
      const experiment = what.startsWith('a folio') ? withValue(given, ['matrix', 'folio'], ['32kB']) : given;
      const issues = await issuesOn(host, experiment);
      assert.equal(issues.length, 1, issues.join('\n'));
      assert.match(issues[0] ?? '', expected);
    });
  }

  it('refuses a cpuset that does not hold the CPUs usemem binds to', async () => {
    const experiment = smallExperiment();
    experiment.cgroup['cpuset.cpus'] = '0';
    assert.match(
      (await issuesOn(smallMachine(), experiment)).join(),
      /usemem binds to CPU 1, which 0 does not hold/,
    );
    experiment.cgroup['cpuset.cpus'] = '0-7';
    assert.match((await issuesOn(smallMachine(), experiment)).join(), /CPU 2, 3, 4, 5, 6, 7 is not online/);
  });

  it('refuses a bind that usemem refuses', async () => {
    const experiment = smallExperiment();
    assert.ok(experiment.workload.usemem !== undefined);
    experiment.workload.usemem.bind = 2;
    assert.match((await issuesOn(smallMachine(), experiment)).join(), /a multiple of 2, and 2 are online/);
  });

  it('takes zpool zsmalloc for granted where the parameter is gone, and no other', async () => {
    const experiment = smallExperiment();
    experiment.zswap.zpool = 'zsmalloc';
    await planOn(smallMachine(), experiment);
    experiment.zswap.zpool = 'zbud';
    assert.match((await issuesOn(smallMachine(), experiment)).join(), /zpool: this kernel does not offer it/);
  });
});

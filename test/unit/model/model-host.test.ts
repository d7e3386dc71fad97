import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { counterSources } from '../../../src/collect/counters.js';
import { RowDecoder } from '../../../src/collect/rows.js';
import { RequirementError, UsageError } from '../../../src/errors.js';
import type { Host, WorkloadExit } from '../../../src/host/host.js';
import { openHost } from '../../../src/host/open.js';
import { type HostPath, hostPath } from '../../../src/host/path.js';
import { parseFlatKeyed } from '../../../src/kernel/flat-keyed.js';
import { parseIaaStatistics } from '../../../src/kernel/iaa-crypto.js';
import { parseUsemem } from '../../../src/run/usemem-output.js';
import { tempDirectory } from '../../support/temp-directory.js';

const group = hostPath('/sys/fs/cgroup/test');
const usemem = ['usemem', '-O', '-w', '-b', '1', '-n', '4', '64m'];

/** A machine with zswap on, 64kB folios, and a group with a limit for the workload. */
async function machine(t: TestContext, compressor = 'zstd', high = '128M'): Promise<Host> {
  const host = await openHost('model:spr-2s', { writable: true });
  t.after(() => host.close());
  const writes: readonly [string, string][] = [
    ['/sys/module/zswap/parameters/enabled', 'Y'],
    ['/sys/module/zswap/parameters/compressor', compressor],
    ['/sys/kernel/mm/transparent_hugepage/enabled', 'never'],
    ['/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled', 'always'],
    ['/sys/fs/cgroup/cgroup.subtree_control', '+memory'],
  ];
  for (const [path, text] of writes) await host.write(hostPath(path), text);
  await host.mkdir(group);
  await host.write(hostPath(group, 'memory.high'), high);
  return host;
}

function launch(t: TestContext, host: Host, argv: readonly string[] = usemem) {
  const directory = tempDirectory(t);
  const files = { stdoutFile: join(directory, 'stdout'), stderrFile: join(directory, 'stderr') };
  return { ...host.launch({ argv, ...files }, group), ...files };
}

/** Lets time pass until a workload has ended. */
async function toItsEnd(host: Host, exit: Promise<WorkloadExit>): Promise<WorkloadExit> {
  let ended = false;
  const watched = exit.finally(() => {
    ended = true;
  });
  while (!ended) await host.delay(50);
  return watched;
}

async function flat(host: Host, path: string) {
  const [text = ''] = await host.read([hostPath(path)]);
  return parseFlatKeyed(text, path);
}

async function number(host: Host, path: string): Promise<number> {
  return Number((await host.read([hostPath(path)]))[0]);
}

describe('a workload on a modelled machine', () => {
  test('takes virtual time, prints its lines and moves the counters of the kernel files', async (t) => {
    const host = await machine(t);
    const begin = host.now();
    const { exit, stdoutFile } = launch(t, host);
    const how = await toItsEnd(host, exit);
    assert.equal(how.exitCode, 0);
    assert.equal(host.now() - begin, how.elapsedNs, 'a wait is over when the workload is');
    assert.ok(how.elapsedNs > 10_000_000n && how.systemUs > 0n && how.userUs > 0n);
    assert.equal(parseUsemem(readFileSync(stdoutFile, 'utf8')).processes.length, 4);

    const vmstat = await flat(host, '/proc/vmstat');
    const stat = await flat(host, `${group}/memory.stat`);
    const out = Number(vmstat.get('zswpout'));
    assert.ok(out > 20_000);
    assert.equal(stat.get('zswpout'), vmstat.get('zswpout'));
    const stats = '/sys/kernel/mm/transparent_hugepage/hugepages-64kB/stats';
    assert.ok((await number(host, `${stats}/zswpout`)) * 16 <= out);
    assert.ok(Number((await flat(host, `${group}/memory.events`)).get('high')) > 0);
    const cpu = await flat(host, `${group}/cpu.stat`);
    assert.equal(cpu.get('system_usec'), how.systemUs);
    assert.equal(cpu.get('usage_usec'), how.systemUs + how.userUs);
    // Everything is freed at the end.
    assert.equal(await number(host, '/sys/kernel/debug/zswap/stored_pages'), 0);
    assert.equal((await flat(host, `${group}/memory.stat`)).get('anon'), 0n);
    // What is left is each CPU's stock of charges: at most 64 pages (MEMCG_CHARGE_BATCH) on each of four.
    assert.ok((await number(host, `${group}/memory.current`)) <= 4 * 64 * 4096);
    assert.deepEqual(await host.read([hostPath(group, 'cgroup.procs')]), ['']);
  });

  test('can be looked at while it runs; the group is populated then', async (t) => {
    const host = await machine(t);
    const { exit } = launch(t, host);
    await host.delay(50);
    assert.ok((await number(host, `${group}/memory.current`)) > 0);
    assert.match((await host.read([hostPath(group, 'cgroup.events')]))[0] ?? '', /^populated 1$/m);
    await toItsEnd(host, exit);
    assert.match((await host.read([hostPath(group, 'cgroup.events')]))[0] ?? '', /^populated 0$/m);
  });

  test('counters go on from where an earlier workload has left them', async (t) => {
    const host = await machine(t);
    await toItsEnd(host, launch(t, host).exit);
    const first = Number((await flat(host, '/proc/vmstat')).get('zswpout'));
    await toItsEnd(host, launch(t, host).exit);
    assert.equal(Number((await flat(host, '/proc/vmstat')).get('zswpout')), 2 * first);
  });

  test('what it runs with is what the files say: the limit, the compressor, the folio size', async (t) => {
    const roomy = await machine(t, 'zstd', 'max');
    await toItsEnd(roomy, launch(t, roomy).exit);
    assert.equal((await flat(roomy, '/proc/vmstat')).get('zswpout'), 0n);

    const iaa = await machine(t, 'deflate-iaa');
    await iaa.write(hostPath('/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled'), 'never');
    await iaa.write(hostPath('/sys/kernel/mm/transparent_hugepage/hugepages-32kB/enabled'), 'always');
    await toItsEnd(iaa, launch(t, iaa).exit);
    const out = Number((await flat(iaa, '/proc/vmstat')).get('zswpout'));
    const stats = '/sys/kernel/mm/transparent_hugepage';
    assert.equal(await number(iaa, `${stats}/hugepages-64kB/stats/zswpout`), 0);
    assert.ok((await number(iaa, `${stats}/hugepages-32kB/stats/zswpout`)) > 0);
    const path = '/sys/kernel/debug/iaa_crypto/wq_stats';
    const { devices } = parseIaaStatistics((await iaa.read([hostPath(path)]))[0] ?? '', path);
    const used = devices.map(({ counters }) => Number(counters.get('comp_calls')));
    assert.equal(
      used.reduce((sum, calls) => sum + calls, 0),
      out,
    );
    // Tasks on CPUs 0 to 3, all of package 0: its four devices in turn.
    assert.ok(used.slice(0, 4).every((calls) => calls > 0) && used.slice(4).every((calls) => calls === 0));
  });

  test('cgroup.kill ends it, as does kill()', async (t) => {
    for (const how of ['file', 'call', 'at once']) {
      const host = await machine(t);
      const { exit, kill } = launch(t, host);
      if (how !== 'at once') await host.delay(50);
      if (how === 'file') await host.write(hostPath(group, 'cgroup.kill'), '1');
      else kill();
      assert.deepEqual([(await exit).signal, (await exit).exitCode], ['SIGKILL', undefined]);
      assert.equal(await number(host, `${group}/memory.current`), 0);
      const faults = Number((await flat(host, '/proc/vmstat')).get('pgfault'));
      assert.equal(faults > 0, how !== 'at once');
      const begin = host.now();
      await host.delay(10);
      assert.equal(host.now() - begin, 10_000_000n, 'it is gone');
    }
  });

  test('an abort ends a wait; time has not passed to its end', async (t) => {
    const host = await machine(t);
    const begin = host.now();
    await host.delay(1000, AbortSignal.abort());
    await host.delay(1000);
    assert.equal(host.now() - begin, 2_000_000_000n);
  });

  test('is refused when the model does not know it, and so is a second one', async (t) => {
    const host = await machine(t);
    assert.throws(() => launch(t, host, ['/bin/true']), RequirementError);
    assert.throws(() => host.model?.require(['usemem', '-O', '-R', '1m']), RequirementError);
    const { exit } = launch(t, host);
    assert.throws(() => launch(t, host), RequirementError);
    await assert.rejects(async () => host.model?.boot('v9'), UsageError);
    await toItsEnd(host, exit);
  });

  test('a configuration that cannot be is told by its exit', async (t) => {
    const host = await machine(t);
    await host.write(hostPath('/sys/module/zswap/parameters/compressor'), 'lzo-rle');
    const { exit } = launch(t, host);
    exit.catch(() => {});
    await host.delay(50);
    await assert.rejects(exit, /the model cannot run this: its zswap\.compressor/);
  });

  test('a host that is closed ends it', async (t) => {
    const host = await machine(t);
    const { exit } = launch(t, host);
    exit.catch(() => {});
    await host.delay(50);
    await host.close();
    await assert.rejects(exit, /was closed/);
  });

  test('output goes to files that must not exist', async (t) => {
    const host = await machine(t);
    const directory = tempDirectory(t);
    const same = join(directory, 'both');
    const { exit } = host.launch({ argv: usemem, stdoutFile: same, stderrFile: same }, group);
    await assert.rejects(exit, /cannot create the output file/);
  });
});

describe('series of a modelled machine', () => {
  test('are rows at ticks of virtual time, whenever they are asked for', async (t) => {
    const host = await machine(t);
    const sampling = await host.sample({
      sources: await counterSources(host, group),
      intervalNs: 10_000_000,
    });
    const { exit } = launch(t, host);
    await host.delay(35);
    assert.equal(sampling.take().length, 0);
    const how = await toItsEnd(host, exit);
    await host.delay(25);
    sampling.stop();
    const column = (path: string, key: string): number =>
      sampling.columns.findIndex((each) => each.path === path && each.key === key);
    const rows = [...new RowDecoder(sampling.columns.length).decode(sampling.take())].map(() => undefined);
    const ticks = Math.floor(Number(how.elapsedNs + 25_000_000n) / 10_000_000) + 1;
    assert.equal(rows.length, ticks);
    assert.deepEqual(
      { ...sampling.statistics(), lateNs: undefined, readingNs: undefined },
      { rows: ticks, dropped: 0, missed: 0, lateNs: undefined, readingNs: undefined },
    );
    assert.ok(column('/proc/vmstat', 'zswpout') >= 0 && column(`${group}/memory.current`, '') >= 0);
    assert.deepEqual(
      sampling.leftOut.map(({ path }) => path).filter((path) => !path.includes('pressure')),
      ['/sys/kernel/debug/iaa_crypto/wq_stats'],
    );
  });

  test('end with what the files say', async (t) => {
    const host = await machine(t);
    const path: HostPath = hostPath('/proc/vmstat');
    const sampling = await host.sample({ sources: [{ path, format: 'flat' }], intervalNs: 10_000_000 });
    await toItsEnd(host, launch(t, host).exit);
    await host.delay(10);
    sampling.stop();
    const counters = await flat(host, path);
    let seen: (bigint | undefined)[] = [];
    let before = -1n;
    const zswpout = sampling.columns.findIndex(({ key }) => key === 'zswpout');
    for (const row of new RowDecoder(sampling.columns.length).decode(sampling.take())) {
      seen = sampling.columns.map((_, column) => row.value(column));
      assert.ok((seen[zswpout] ?? -1n) >= before);
      before = seen[zswpout] ?? -1n;
    }
    assert.deepEqual(
      seen,
      sampling.columns.map(({ key }) => counters.get(key)),
    );
  });

  test('an interval out of bounds is refused', async (t) => {
    const host = await machine(t);
    await assert.rejects(host.sample({ sources: [], intervalNs: 1 }), UsageError);
  });
});

describe('a boot', () => {
  test('leaves nothing of what was changed, and only known kernels boot', async (t) => {
    const host = await machine(t);
    await host.model?.boot('mainline 6.12');
    const [enabled, release] = await host.read(
      ['/sys/module/zswap/parameters/enabled', '/proc/sys/kernel/osrelease'].map((path) => hostPath(path)),
    );
    assert.equal(enabled, 'N\n');
    assert.equal(release?.trim(), host.model?.kernels.find(({ name }) => name === 'mainline 6.12')?.release);
    assert.equal(host.model?.kernel, 'mainline 6.12');
    await assert.rejects(async () => host.model?.boot('v8'), UsageError);
  });
});

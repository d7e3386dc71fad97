import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Snapshot } from '../../../src/collect/snapshot.js';
import { InterruptedError, WorkloadError } from '../../../src/errors.js';
import type { WorkloadExit } from '../../../src/host/host.js';
import { hostPath } from '../../../src/host/path.js';
import { runWorkload, type WorkloadOptions } from '../../../src/run/workload.js';
import { MemoryHost } from '../../support/memory-host.js';

const group = hostPath('/sys/fs/cgroup/test');
const ended: WorkloadExit = {
  exitCode: 0,
  signal: undefined,
  elapsedNs: 1n,
  userUs: 1n,
  systemUs: 1n,
  maxRssKiB: 1,
};
const killed: WorkloadExit = { ...ended, exitCode: undefined, signal: 'SIGKILL' };
const spec = { argv: ['/bin/true'], stdoutFile: '/none', stderrFile: '/none' };

/** A host whose workload runs until cgroup.kill is written, or for `lasts` looks. */
function hostWithWorkload(lasts = Number.POSITIVE_INFINITY): {
  host: MemoryHost;
  options: WorkloadOptions;
  looks: Snapshot[];
} {
  const host = new MemoryHost({
    [`${group}/cgroup.events`]: 'populated 1\n',
    [`${group}/cgroup.kill`]: '',
    [`${group}/cpu.stat`]: 'usage_usec 1\n',
    [`${group}/memory.stat`]: 'zswapped 4096\n',
  });
  const looks: Snapshot[] = [];
  let end: (exit: WorkloadExit) => void = () => {};
  const exit = new Promise<WorkloadExit>((resolve) => {
    end = resolve;
  });
  host.onLaunch = () => ({ exit, kill() {} });
  host.react(`${group}/cgroup.kill`, (_, at) => {
    at.files.set(`${group}/cgroup.events`, 'populated 0\n');
    end(killed);
    return '';
  });
  const options: WorkloadOptions = {
    timeMs: 60_000,
    noProgressMs: 60_000,
    lookPaths: [hostPath(group, 'memory.stat')],
    onLook(snapshot) {
      looks.push(snapshot);
      if (looks.length >= lasts) end(ended);
    },
  };
  return { host, options, looks };
}

describe('runWorkload', () => {
  it('gives how the workload ended, and what each look saw', async () => {
    const { host, options, looks } = hostWithWorkload(2);
    assert.deepEqual(await runWorkload(host, spec, group, options), ended);
    assert.equal(looks.length, 2);
    assert.equal(looks[0]?.files[`${group}/memory.stat`], 'zswapped 4096\n');
    assert.deepEqual(host.changes, []);
  });

  it('ends the whole group when time is up', async () => {
    const { host, options } = hostWithWorkload();
    await assert.rejects(runWorkload(host, spec, group, { ...options, timeMs: 600 }), (error) => {
      assert.ok(error instanceof WorkloadError);
      assert.match(error.message, /did not end within 0\.6 s/);
      return true;
    });
    assert.deepEqual(
      host.changes.map((change) => change.path),
      [`${group}/cgroup.kill`],
    );
  });

  it('ends it when it uses no CPU any more', async () => {
    const { host, options } = hostWithWorkload();
    await assert.rejects(
      runWorkload(host, spec, group, { ...options, noProgressMs: 600 }),
      /used no CPU for 0\.6 s/,
    );
    assert.deepEqual(
      host.changes.map((change) => change.path),
      [`${group}/cgroup.kill`],
    );
  });

  it('does not take slow for stuck', async () => {
    const { host, options } = hostWithWorkload(3);
    const onLook = (snapshot: Snapshot) => {
      options.onLook(snapshot);
      host.files.set(`${group}/cpu.stat`, `usage_usec ${host.nowNs}\n`);
    };
    assert.deepEqual(await runWorkload(host, spec, group, { ...options, onLook, noProgressMs: 600 }), ended);
  });

  it('ends it at an abort, before the next look', async () => {
    const { host, options, looks } = hostWithWorkload();
    const controller = new AbortController();
    // Whoever can be told of an abort waits for it.
    host.delay = (_: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        if (signal === undefined) resolve();
        signal?.addEventListener('abort', () => resolve());
        setImmediate(() => controller.abort(new InterruptedError('SIGTERM')));
      });
    const running = runWorkload(host, spec, group, { ...options, signal: controller.signal });
    await assert.rejects(running, InterruptedError);
    assert.deepEqual(looks, []);
    assert.deepEqual(
      host.changes.map((change) => change.path),
      [`${group}/cgroup.kill`],
    );
  });
});

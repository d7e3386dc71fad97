import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InterruptedError, WorkloadError } from '../../../src/errors.js';
import type { WorkloadExit, WorkloadSpec } from '../../../src/host/host.js';
import { hostPath } from '../../../src/host/path.js';
import { runHooks } from '../../../src/run/hooks.js';
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
const options = { stage: 'setup', directory: '/cell', timeMs: 60_000, noProgressMs: 60_000 } as const;
const hooks = ['/bin/a', '/bin/b', '/bin/c'].map((program) => ({
  argv: [program, 'x'],
  user: '1000',
  directory: '/srv',
}));

/** A host whose programs take 20 s each, by its own clock, and end as `exits` says. */
function hostWith(exits: Readonly<Record<string, Partial<WorkloadExit>>> = {}): {
  host: MemoryHost;
  launched: WorkloadSpec[];
} {
  const host = new MemoryHost({
    [`${group}/cgroup.events`]: 'populated 0\n',
    [`${group}/cpu.stat`]: 'usage_usec 1\n',
  });
  const launched: WorkloadSpec[] = [];
  host.onLaunch = (spec) => {
    launched.push(spec);
    host.nowNs += 20_000_000_000n;
    return { exit: Promise.resolve({ ...ended, ...exits[spec.argv[0] ?? ''] }), kill() {} };
  };
  return { host, launched };
}

describe('runHooks', () => {
  it('runs them in turn, as the same user and in the same folder, each with files of its own', async () => {
    const { host, launched } = hostWith();
    await runHooks(host, hooks, group, options);
    assert.deepEqual(
      launched,
      hooks.map((hook, index) => ({
        ...hook,
        stdoutFile: `/cell/setup-${index + 1}-stdout.txt`,
        stderrFile: `/cell/setup-${index + 1}-stderr.txt`,
      })),
    );
  });

  it('stops at the first that fails, and says where its words are', async () => {
    for (const [exit, message] of [
      [{ exitCode: 2 }, 'the set-up /bin/b x ended with exit code 2'],
      [{ exitCode: undefined, signal: 'SIGKILL' }, 'the set-up /bin/b x was ended by SIGKILL'],
    ] as const) {
      const { host, launched } = hostWith({ '/bin/b': exit });
      await assert.rejects(runHooks(host, hooks, group, options), (error) => {
        assert.ok(error instanceof WorkloadError);
        assert.equal(error.message, message);
        assert.match(error.hint ?? '', /\/cell\/setup-2-stderr\.txt$/);
        return true;
      });
      assert.equal(launched.length, 2);
    }
  });

  it('gives all of them one time', async () => {
    const { host } = hostWith();
    host.onLaunch = (spec) => {
      host.nowNs += 20_000_000_000n;
      if (spec.argv[0] !== '/bin/c') return { exit: Promise.resolve(ended), kill() {} };
      // It takes another millisecond, which is more than there is left.
      host.nowNs -= 20_000_000_000n;
      setTimeout(() => (host.nowNs += 1_000_000n), 10);
      let end: (exit: WorkloadExit) => void = () => {};
      const exit = new Promise<WorkloadExit>((resolve) => (end = resolve));
      return { exit, kill: () => end(ended) };
    };
    await assert.rejects(runHooks(host, hooks, group, { ...options, stage: 'cleanup', timeMs: 40_000 }), {
      message: 'the clean-up /bin/c x did not end within 0 s',
      hint: 'raise limits.cleanup_s',
    });
  });

  it('heeds a signal between two of them', async () => {
    const { host, launched } = hostWith();
    const abort = new AbortController();
    const { onLaunch } = host;
    host.onLaunch = (spec, cgroup) => {
      abort.abort(new InterruptedError('SIGINT'));
      return onLaunch?.(spec, cgroup) as never;
    };
    await assert.rejects(
      runHooks(host, hooks, group, { ...options, signal: abort.signal }),
      InterruptedError,
    );
    assert.equal(launched.length, 1);
  });
});

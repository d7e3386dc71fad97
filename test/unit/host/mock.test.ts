import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { HostIoError, RequirementError, UsageError } from '../../../src/errors.js';
import type { Host } from '../../../src/host/host.js';
import { openHost } from '../../../src/host/open.js';
import { hostPath } from '../../../src/host/path.js';
import { buildMachine, packTree, parseArchive } from '../../../src/testing/index.js';
import { errnoOf, mockKinds, smallest } from '../../support/mocks.js';

const machine = buildMachine(smallest);

/** The error of a change, as data. */
async function failureOf(change: Promise<unknown>): Promise<Partial<HostIoError> | undefined> {
  try {
    await change;
    return undefined;
  } catch (error) {
    if (!(error instanceof HostIoError)) throw error;
    const { operation, path, errnoCode, syscall, value } = error;
    return { operation, path, errnoCode, syscall, value } as Partial<HostIoError>;
  }
}

for (const kind of mockKinds) {
  describe(`a mock, ${kind.name}`, () => {
    test('an errno is an error like that of a live host', async () => {
      await kind.with(machine, async (host) => {
        const path = hostPath('/sys/bus/dsa/drivers/crypto/sync_mode');
        assert.deepEqual(await failureOf(host.write(path, 'async\n')), {
          operation: 'write',
          path,
          errnoCode: 'EBUSY',
          syscall: 'write',
          value: 'async\n',
        });
        for (const [bad, errnoCode, syscall] of [
          ['/sys/none', 'ENOENT', 'openat2'],
          ['/sys/kernel', 'EISDIR', 'file-type'],
          ['/proc/swaps', 'EACCES', 'openat'],
          ['/sys/module/zswap/parameters/enabled/more', 'ENOTDIR', 'openat2'],
        ] as const) {
          const failure = await failureOf(host.write(hostPath(bad), '1'));
          assert.deepEqual([failure?.errnoCode, failure?.syscall], [errnoCode, syscall], bad);
        }
      });
    });

    test('nothing is claimed about a file whose behaviour is not known', async () => {
      await kind.with(
        [...machine, { kind: 'file', path: '/sys/strange', mode: 0o644, content: Buffer.from('1\n') }],
        async (host) => {
          const failure = await failureOf(host.write(hostPath('/sys/strange'), '2'));
          assert.deepEqual([failure?.errnoCode, failure?.syscall], ['EOPNOTSUPP', 'no-reaction']);
          assert.deepEqual(await host.read([hostPath('/sys/strange')]), ['1\n']);
        },
      );
    });

    test('reads, lists and links', async () => {
      await kind.with(machine, async (host) => {
        const [bind, state] = await host.probe([
          hostPath('/sys/bus/dsa/drivers/idxd/bind'),
          hostPath('/sys/bus/dsa/devices/wq0.0/driver/wq0.0/state'),
        ]);
        assert.ok(bind?.ok === false && bind.error.errnoCode === 'EACCES', 'write-only');
        assert.ok(state?.ok === true && state.text === 'enabled\n', 'through two links');
        assert.equal(
          await host.readlink(hostPath('/sys/bus/dsa/devices/iax0')),
          '../../../devices/pci0000:6a/0000:6a:02.0/iax0',
        );
        assert.equal(await host.readlink(hostPath('/sys/bus/dsa/devices')), undefined);
        assert.equal(await host.list(hostPath('/sys/none')), undefined);
        assert.deepEqual(await host.list(hostPath('/sys/fs/cgroup')), [
          'cgroup.controllers',
          'cgroup.procs',
          'cgroup.subtree_control',
        ]);
      });
    });

    test('no workload can run', async () => {
      await kind.with(machine, async (host) => {
        const workload = { argv: ['/bin/true'], stdoutFile: '/x', stderrFile: '/y' };
        assert.throws(() => host.launch(workload, hostPath('/sys/fs/cgroup')), RequirementError);
      });
    });

    test('after close all is EBADF', async () => {
      await kind.with(machine, async (host) => {
        await host.close();
        assert.equal(await errnoOf(host.write(hostPath('/proc/sys/vm/swappiness'), '1')), 'EBADF');
        assert.equal(await errnoOf(host.read([hostPath('/proc/sys/vm/swappiness')])), 'EBADF');
      });
    });
  });
}

/** A directory with a file outside the mock in it, and the mock below. */
async function withHostile(
  work: (host: Host, paths: { mock: string; outside: string }) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'iaa-zswap-hostile-'));
  try {
    const mock = join(directory, 'mock');
    const outside = join(directory, 'outside');
    mkdirSync(join(mock, 'proc/sys/vm'), { recursive: true });
    mkdirSync(join(mock, 'sys/module/zswap'), { recursive: true });
    writeFileSync(outside, '60\n');
    const host = await openHost(`mock:${mock}`, { writable: true });
    await work(host, { mock, outside });
    await host.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('mock:DIR stays in its directory', () => {
  const swappiness = hostPath('/proc/sys/vm/swappiness');

  test('an absolute link leads to the place inside, .. not above it', async () => {
    await withHostile(async (host, { mock, outside }) => {
      symlinkSync(outside, join(mock, swappiness));
      assert.equal(await errnoOf(host.write(swappiness, '10')), 'ENOENT');
      rmSync(join(mock, swappiness));
      symlinkSync('../../../../../../outside', join(mock, swappiness));
      assert.equal(await errnoOf(host.write(swappiness, '10')), 'ENOENT');
      assert.deepEqual(await host.tryRead([swappiness]), [undefined]);
      assert.equal(readFileSync(outside, 'utf8'), '60\n');
    });
  });

  test('a link that is changed between the look and the write is not followed', async () => {
    const { DirectoryTree } = await import('../../../src/host/directory-tree.js');
    await withHostile(async (_host, { mock, outside }) => {
      const tree = new DirectoryTree(mock);
      symlinkSync(outside, join(mock, swappiness));
      const write = () => tree.apply({ kind: 'file', path: swappiness, text: 'x', mode: 0o644 });
      assert.throws(write, { code: 'ELOOP' });
      rmSync(join(mock, 'proc/sys/vm'), { recursive: true });
      symlinkSync(dirname(outside), join(mock, 'proc/sys/vm'));
      tree.endOperation();
      assert.throws(write, { code: 'ENOTDIR' });
      assert.throws(() => tree.apply({ kind: 'remove', path: '/proc/sys/vm/outside' }), { code: 'ENOTDIR' });
      tree.close();
      assert.equal(readFileSync(outside, 'utf8'), '60\n');
    });
  });

  test('a file that has a second name is left alone', async () => {
    await withHostile(async (host, { mock, outside }) => {
      linkSync(outside, join(mock, swappiness));
      assert.equal(await errnoOf(host.write(swappiness, '10')), 'EPERM');
      assert.equal(readFileSync(outside, 'utf8'), '60\n');
    });
  });

  test('a FIFO is nothing that could be read or written, and nobody waits for it', async () => {
    await withHostile(async (host, { mock }) => {
      assert.equal(spawnSync('mkfifo', [join(mock, swappiness)]).status, 0);
      assert.deepEqual(await host.tryRead([swappiness]), [undefined]);
      assert.equal(await errnoOf(host.write(swappiness, '10')), 'ENOENT');
    });
  });

  test('links in a circle are ELOOP', async () => {
    await withHostile(async (host, { mock }) => {
      symlinkSync('swappiness', join(mock, swappiness));
      assert.equal(await errnoOf(host.write(swappiness, '10')), 'ELOOP');
    });
  });
});

test('mock:DIR has no file of ours in it, and one opened for reading takes no writes', async () => {
  await mockKinds[1]?.with(machine, async (host) => {
    const before = parseArchive(packTree(host.root)).map(({ path }) => path);
    assert.deepEqual(before, machine.map(({ path }) => path).sort(), 'as it was written');
    await host.write(hostPath('/proc/sys/vm/swappiness'), '10');
    assert.deepEqual(
      parseArchive(packTree(host.root)).map(({ path }) => path),
      before,
    );
    const reading = await openHost(`mock:${host.root}`, { writable: false });
    assert.equal(await errnoOf(reading.write(hostPath('/proc/sys/vm/swappiness'), '20')), 'EROFS');
    await reading.close();
  });
});

test('mock: of what is no directory is a UsageError', async () => {
  for (const path of ['/nowhere', '/dev/null', '']) {
    await assert.rejects(openHost(`mock:${path}`, { writable: true }), UsageError);
  }
});

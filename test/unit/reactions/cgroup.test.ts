import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Host } from '../../../src/host/host.js';
import { hostPath } from '../../../src/host/path.js';
import { buildMachine, type TreeEntry } from '../../../src/testing/index.js';
import { assertReads, errnoOf, mockKinds, smallest } from '../../support/mocks.js';

const root = '/sys/fs/cgroup';
const group = `${root}/lab`;
const write = (host: Host, path: string, text: string): Promise<string | undefined> =>
  errnoOf(host.write(hostPath(path), text));
const machine = buildMachine(smallest);

/** A machine with the group `lab` and its child `inner`, which process 42 is in. */
const populated: readonly TreeEntry[] = [
  ...machine,
  ...[group, `${group}/inner`].flatMap((path): TreeEntry[] =>
    Object.entries({
      'cgroup.controllers': '',
      'cgroup.events': 'populated 1\nfrozen 0\n',
      'cgroup.kill': '',
      'cgroup.procs': path === group ? '' : '42\n',
      'cgroup.subtree_control': '',
    }).map(([name, text]) => ({
      kind: 'file',
      path: `${path}/${name}`,
      mode: 0o644,
      content: Buffer.from(text),
    })),
  ),
];

for (const kind of mockKinds) {
  describe(`cgroups, ${kind.name}`, () => {
    test('mkdir makes the files of the controllers that the parent has on', async () => {
      await kind.with(machine, async (host) => {
        await host.mkdir(hostPath(group));
        await assertReads(host, {
          [`${group}/cgroup.controllers`]: '',
          [`${group}/cgroup.events`]: 'populated 0\nfrozen 0\n',
          [`${group}/memory.high`]: undefined,
        });
        assert.equal(await write(host, `${root}/cgroup.subtree_control`, '+memory +cpuset'), undefined);
        await assertReads(host, {
          [`${root}/cgroup.subtree_control`]: 'cpuset memory\n',
          [`${group}/cgroup.controllers`]: 'cpuset memory\n',
          [`${group}/memory.high`]: 'max\n',
          [`${group}/cpuset.cpus`]: '\n',
        });
        assert.equal(await write(host, `${root}/cgroup.subtree_control`, '-memory'), undefined);
        await assertReads(host, { [`${group}/memory.high`]: undefined, [`${group}/cpuset.cpus`]: '\n' });
      });
    });

    test('mkdir where something is, or where no cgroup is', async () => {
      await kind.with(machine, async (host) => {
        await host.mkdir(hostPath(group));
        assert.equal(await errnoOf(host.mkdir(hostPath(group))), 'EEXIST');
        assert.equal(await errnoOf(host.mkdir(hostPath(root, 'no/lab'))), 'ENOENT');
        assert.equal(await errnoOf(host.mkdir(hostPath('/sys/kernel/mm/lab'))), 'EPERM');
      });
    });

    test('rmdir takes the files along; EBUSY with a child, with a process, or for the root', async () => {
      await kind.with(populated, async (host) => {
        assert.equal(await errnoOf(host.rmdir(hostPath(group))), 'EBUSY');
        assert.equal(await errnoOf(host.rmdir(hostPath(group, 'inner'))), 'EBUSY');
        assert.equal(await write(host, `${group}/cgroup.kill`, '1'), undefined);
        await host.rmdir(hostPath(group, 'inner'));
        await host.rmdir(hostPath(group));
        assert.equal(await host.list(hostPath(group)), undefined);
        assert.equal(await errnoOf(host.rmdir(hostPath(root))), 'EBUSY');
        assert.equal(await errnoOf(host.rmdir(hostPath('/sys/kernel'))), 'EPERM');
        assert.equal(await errnoOf(host.rmdir(hostPath(root, 'cgroup.procs'))), 'ENOTDIR');
      });
    });

    test('cgroup.kill takes 1 and ends all below it', async () => {
      await kind.with(populated, async (host) => {
        assert.equal(await write(host, `${group}/cgroup.kill`, '0'), 'ERANGE');
        assert.equal(await write(host, `${group}/cgroup.kill`, 'yes'), 'EINVAL');
        assert.equal(await write(host, `${group}/inner/cgroup.kill`, '1'), undefined);
        await assertReads(host, {
          [`${group}/inner/cgroup.procs`]: '',
          [`${group}/inner/cgroup.events`]: 'populated 0\nfrozen 0\n',
          [`${group}/cgroup.events`]: 'populated 0\nfrozen 0\n',
        });
      });
    });

    test('cgroup.subtree_control: words, what the parent has, children and processes', async () => {
      await kind.with(machine, async (host) => {
        const control = `${root}/cgroup.subtree_control`;
        assert.equal(await write(host, control, 'memory'), 'EINVAL');
        assert.equal(await write(host, control, '+nosuch'), 'EINVAL');
        assert.equal(await write(host, control, '+hugetlb'), 'ENOENT');
        assert.equal(await write(host, control, '+memory'), undefined);
        await host.mkdir(hostPath(group));
        assert.equal(await write(host, `${group}/cgroup.subtree_control`, '+cpu'), 'ENOENT');
        assert.equal(await write(host, `${group}/cgroup.subtree_control`, '+memory'), undefined);
        assert.equal(await write(host, control, '-memory'), 'EBUSY');
      });
      await kind.with(populated, async (host) => {
        assert.equal(await write(host, `${root}/cgroup.subtree_control`, '+memory'), undefined);
        assert.equal(await write(host, `${group}/cgroup.subtree_control`, '+memory'), undefined);
        assert.equal(await write(host, `${group}/inner/cgroup.subtree_control`, '+memory'), 'EBUSY');
      });
    });

    test('limits: suffixes, whole pages, max', async () => {
      await kind.with(machine, async (host) => {
        await write(host, `${root}/cgroup.subtree_control`, '+memory');
        await host.mkdir(hostPath(group));
        for (const [text, shown] of [
          ['64M', '67108864\n'],
          ['150g\n', '161061273600\n'],
          ['5000', '4096\n'],
          ['0x2000', '8192\n'],
          ['0', '0\n'],
          ['max', 'max\n'],
          ['9223372036854775807', 'max\n'],
        ] as const) {
          assert.equal(await write(host, `${group}/memory.high`, text), undefined);
          await assertReads(host, { [`${group}/memory.high`]: shown });
        }
        for (const text of ['-1', '64MB', 'lots', '1.5G']) {
          assert.equal(await write(host, `${group}/memory.max`, text), 'EINVAL', text);
        }
        assert.equal(await write(host, `${group}/memory.zswap.writeback`, '0'), undefined);
        assert.equal(await write(host, `${group}/memory.zswap.writeback`, '2'), 'EINVAL');
        await assertReads(host, { [`${group}/memory.zswap.writeback`]: '0\n' });
      });
    });

    test("cpuset: lists of what there is, in the kernel's form", async () => {
      await kind.with(machine, async (host) => {
        await write(host, `${root}/cgroup.subtree_control`, '+cpuset');
        await host.mkdir(hostPath(group));
        assert.equal(await write(host, `${group}/cpuset.cpus`, '1,0\n'), undefined);
        await assertReads(host, { [`${group}/cpuset.cpus`]: '0-1\n' });
        assert.equal(await write(host, `${group}/cpuset.cpus`, '0-2'), 'EINVAL');
        assert.equal(await write(host, `${group}/cpuset.cpus`, '1-0'), 'EINVAL');
        assert.equal(await write(host, `${group}/cpuset.cpus`, '\n'), undefined);
        await assertReads(host, { [`${group}/cpuset.cpus`]: '\n' });
        assert.equal(await write(host, `${group}/cpuset.mems`, '1'), 'EINVAL');
      });
    });
  });
}

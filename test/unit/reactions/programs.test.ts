import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CommandError } from '../../../src/errors.js';
import type { Host } from '../../../src/host/host.js';
import { hostPath } from '../../../src/host/path.js';
import { buildMachine, type TreeEntry } from '../../../src/testing/index.js';
import { mockKinds, smallest } from '../../support/mocks.js';

const device = '/dev/nvme0n1p2';
const machine = buildMachine(smallest);

const areas = async (host: Host): Promise<string[]> => {
  const [text = ''] = await host.read([hostPath('/proc/swaps')]);
  return text
    .split('\n')
    .slice(1, -1)
    .map((line) => line.replace(/\s+/g, ' '));
};
const run = async (host: Host, ...argv: string[]): Promise<[number, string]> => {
  const { exitCode, stderr } = await host.exec(argv);
  return [exitCode, stderr];
};
const file = (path: string, text: string): TreeEntry => ({
  kind: 'file',
  path,
  mode: 0o600,
  content: Buffer.from(text),
});

for (const kind of mockKinds) {
  describe(`programs, ${kind.name}`, () => {
    test('swapoff and swapon of a partition', async () => {
      await kind.with(machine, async (host) => {
        assert.deepEqual(await run(host, 'swapoff', device), [0, '']);
        assert.deepEqual(await areas(host), []);
        assert.deepEqual(await run(host, 'swapoff', device), [
          4,
          `swapoff: ${device}: swapoff failed: No such file or directory\n`,
        ]);
        assert.deepEqual(await run(host, '/usr/sbin/swapon', device), [0, '']);
        assert.deepEqual(await areas(host), [`${device} partition 2097152 0 -2`]);
        assert.deepEqual(await run(host, 'swapon', device), [
          255,
          `swapon: ${device}: swapon failed: Device or resource busy\n`,
        ]);
      });
    });

    test('an area of a file with a priority comes before those with lower ones', async () => {
      await kind.with([...machine, file('/swapfile', 'x'.repeat(64 * 1024))], async (host) => {
        assert.deepEqual(await run(host, 'swapon', '-p', '100', '/swapfile'), [0, '']);
        assert.deepEqual(await areas(host), ['/swapfile file 60 0 100', `${device} partition 2097152 0 -2`]);
      });
    });

    test('swapoff of what does not fit into memory fails and leaves all as it was', async () => {
      const full = machine.map((entry) =>
        entry.kind === 'file' && entry.path === '/proc/swaps'
          ? file(entry.path, entry.content.toString().replace('\t0\t\t-2', '\t2097152\t\t-2'))
          : entry,
      );
      await kind.with(full, async (host) => {
        assert.deepEqual(await run(host, 'swapoff', device), [
          2,
          `swapoff: ${device}: swapoff failed: Cannot allocate memory\n`,
        ]);
        assert.equal((await areas(host)).length, 1);
      });
    });

    test('udevadm settle has nothing to wait for', async () => {
      await kind.with(machine, async (host) => {
        assert.deepEqual(await run(host, 'udevadm', 'settle', '--timeout=30'), [0, '']);
      });
    });

    for (const argv of [
      ['ls', '/'],
      ['modprobe', 'zram'],
      ['modprobe', '-r', 'idxd'],
      ['rmmod', 'idxd'],
      ['swapoff', '-a'],
      ['udevadm', 'trigger'],
    ]) {
      test(`${argv.join(' ')} is not answered for`, async () => {
        await kind.with(machine, async (host) => {
          await assert.rejects(
            host.exec(argv),
            (error) => error instanceof CommandError && /not a running machine/.test(error.message),
          );
        });
      });
    }

    test('modprobe of another module that is loaded has nothing to do', async () => {
      await kind.with(machine, async (host) => {
        assert.deepEqual(await run(host, 'modprobe', 'idxd'), [0, '']);
      });
    });
  });
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Host } from '../../../src/host/host.js';
import { hostPath } from '../../../src/host/path.js';
import { parseIaaStatistics } from '../../../src/kernel/iaa-crypto.js';
import { buildMachine, type MachineChange, type MachineKernel } from '../../../src/testing/index.js';
import {
  assertReads,
  errnoOf,
  mockKinds,
  smallest,
  testWriteRules,
  type WriteRule,
} from '../../support/mocks.js';

const driver = '/sys/bus/dsa/drivers/crypto';
const devices = '/sys/bus/dsa/devices';
const unbindWq: MachineChange = { write: `${driver}/unbind`, text: 'wq0.0' };
const everyKernel: readonly MachineKernel[] = [
  'mainline 6.12',
  'mm-unstable-4-21-2025',
  'mainline 6.18',
  'mainline 7.3',
  'v9',
];

const values = (
  attribute: string,
  taken: Record<string, string>,
  refused: Record<string, string>,
): WriteRule[] => [
  ...Object.entries(taken).map(([text, shown]) => ({
    rule: `${attribute}: ${JSON.stringify(text)} reads ${shown}`,
    kernel: 'v9' as const,
    given: [unbindWq],
    write: `${driver}/${attribute}`,
    text,
    reads: { [`${driver}/${attribute}`]: `${shown}\n` },
  })),
  ...Object.entries(refused).map(([text, errno]) => ({
    rule: `${attribute}: ${JSON.stringify(text)} is ${errno}`,
    kernel: 'v9' as const,
    given: [unbindWq],
    write: `${driver}/${attribute}`,
    text,
    errno,
  })),
];

testWriteRules('driver attributes', [
  ...values(
    'verify_compress',
    { '1\n': '1', no: '0', on: '1', off: '0', Y: '1', f: '0' },
    { '2': 'EINVAL', o: 'EINVAL' },
  ),
  ...values('distribute_comps', { '0': '0', Y: '1' }, { maybe: 'EINVAL' }),
  ...values('distribute_decomps', { '0': '0', true: '1' }, { '\n': 'EINVAL' }),
  ...values(
    'g_comp_wqs_per_iaa',
    { '4': '4', '-1': '-1', '1000\n': '1000' },
    { '0x4': 'EINVAL', '2147483648': 'ERANGE', x: 'EINVAL' },
  ),
  ...values(
    'sync_mode',
    { 'async_irq\n': 'async_irq', sync: 'sync' },
    { asynchronous: 'EINVAL', ' sync': 'EINVAL' },
  ),
  ...everyKernel.map((kernel) => ({
    rule: `sync_mode: async on ${kernel}`,
    kernel,
    given: [unbindWq],
    write: `${driver}/sync_mode`,
    text: 'async',
    reads: { [`${driver}/sync_mode`]: kernel === 'mainline 6.12' || kernel === 'v9' ? 'async\n' : 'sync\n' },
  })),
  ...['verify_compress', 'sync_mode', 'g_comp_wqs_per_iaa', 'distribute_comps', 'distribute_decomps'].map(
    (attribute) => ({
      rule: `${attribute}: EBUSY while a WQ is bound, whatever is written`,
      kernel: 'v9' as const,
      write: `${driver}/${attribute}`,
      text: 'nonsense',
      errno: 'EBUSY',
    }),
  ),
  {
    rule: 'mainline has no attributes of the batching patches',
    given: [unbindWq],
    write: `${driver}/distribute_comps`,
    text: '1',
    errno: 'ENOENT',
  },
]);

/** The raw writes of the kernel's own document (kernel.md 2.6), from a machine as it was booted. */
async function configure(host: Host): Promise<void> {
  const write = (path: string, text: string): Promise<void> => host.write(hostPath(path), text);
  await write(`${driver}/unbind`, 'wq0.0');
  await write('/sys/bus/dsa/drivers/idxd/unbind', 'iax0');
  assert.equal((await host.exec(['rmmod', 'iaa_crypto'])).exitCode, 0);
  assert.equal((await host.exec(['modprobe', 'iaa_crypto'])).exitCode, 0);
  await write(`${driver}/verify_compress`, '0');
  const wq = `${devices}/iax0/wq0.0`;
  await write(`${wq}/mode`, 'dedicated');
  await write(`${wq}/size`, '64');
  await write(`${wq}/group_id`, '0');
  await write(`${wq}/priority`, '10');
  await write(`${wq}/type`, 'kernel');
  await write(`${wq}/name`, 'iaa_crypto');
  await write(`${wq}/driver_name`, 'crypto');
  for (let engine = 0; engine < 8; engine++) await write(`${devices}/iax0/engine0.${engine}/group_id`, '0');
  await write('/sys/bus/dsa/drivers/idxd/bind', 'iax0');
  await write(`${driver}/bind`, 'wq0.0');
}

/** deflate-iaa in /proc/crypto: its references, or undefined when it is not registered. */
async function referencesOf(host: Host): Promise<number | undefined> {
  const [text = ''] = await host.read([hostPath('/proc/crypto')]);
  const count = /driver {7}: deflate-iaa\n(?:.+\n)*?refcnt {7}: (\d+)/.exec(text)?.[1];
  return count === undefined ? undefined : Number(count);
}

for (const kind of mockKinds) {
  describe(`iaa_crypto, ${kind.name}`, () => {
    for (const kernel of everyKernel) {
      test(`the document's sequence of writes ends enabled on ${kernel}`, async () => {
        await kind.with(buildMachine({ ...smallest, kernel }), async (host) => {
          await configure(host);
          await assertReads(host, {
            [`${devices}/iax0/state`]: 'enabled\n',
            [`${devices}/iax0/cmd_status`]: '0x0\n',
            [`${devices}/wq0.0/state`]: 'enabled\n',
            [`${devices}/iax0/group0.0/work_queues`]: 'wq0.0\n',
            [`${devices}/iax0/group0.0/engines`]:
              'engine0.0 engine0.1 engine0.2 engine0.3 engine0.4 engine0.5 engine0.6 engine0.7\n',
            [`${driver}/verify_compress`]: '0\n',
          });
          assert.equal(await referencesOf(host), 1);
          assert.equal(await errnoOf(host.write(hostPath(driver, 'verify_compress'), '1')), 'EBUSY');
          assert.match((await host.exec(['dmesg'])).stdout, /iaa_crypto now ENABLED\n$/);
          assert.equal(
            await host.readlink(hostPath(devices, 'wq0.0/driver')),
            '../../../../../bus/dsa/drivers/crypto',
          );
        });
      });
    }

    test('statistics count each bound WQ, by device in the order of their first binds', async () => {
      const machine = { ...smallest, iaaPerPackage: 2, iaaStatistics: true };
      await kind.with(buildMachine(machine), async (host) => {
        const statistics = '/sys/kernel/debug/iaa_crypto';
        const shown = async () => {
          const [text = ''] = await host.read([hostPath(statistics, 'wq_stats')]);
          const { devices } = parseIaaStatistics(text, 'wq_stats');
          return devices.map(({ id, wqs }) => [id, ...wqs.map(({ label }) => label)]);
        };
        assert.deepEqual(await shown(), [
          [0, 'iaa_crypto'],
          [1, 'iaa_crypto'],
        ]);
        await host.write(hostPath(driver, 'unbind'), 'wq0.0');
        assert.deepEqual(await shown(), [[1, 'iaa_crypto']]);
        await host.write(hostPath('/sys/bus/dsa/drivers/idxd/unbind'), 'iax0');
        await host.write(hostPath(devices, 'engine0.0/group_id'), '0');
        for (const [index, size] of [64, 32].entries()) {
          const wq = `${devices}/wq0.${index}`;
          const settings = {
            mode: 'dedicated',
            size,
            group_id: 0,
            priority: 10,
            type: 'kernel',
            name: `q${index}`,
          };
          for (const [name, value] of Object.entries({ ...settings, driver_name: 'crypto' }))
            await host.write(hostPath(wq, name), String(value));
        }
        await host.write(hostPath('/sys/bus/dsa/drivers/idxd/bind'), 'iax0');
        await host.write(hostPath(driver, 'bind'), 'wq0.1');
        await host.write(hostPath(driver, 'bind'), 'wq0.0');
        assert.deepEqual(await shown(), [
          [1, 'iaa_crypto'],
          [0, 'q0', 'q1'],
        ]);
        const [total = ''] = await host.read([hostPath(statistics, 'global_stats')]);
        assert.equal(parseIaaStatistics(total, 'global_stats').global.get('total_comp_calls'), 0n);
        await host.write(hostPath(statistics, 'stats_reset'), '1');
        assert.equal((await shown()).length, 2);
      });
    });

    test('without statistics in its configuration the kernel has no such directory, nor without the module', async () => {
      await kind.with(buildMachine(smallest), async (host) => {
        assert.equal(await host.list(hostPath('/sys/kernel/debug/iaa_crypto')), undefined);
      });
      await kind.with(buildMachine({ ...smallest, iaaStatistics: true }), async (host) => {
        await host.write(hostPath(driver, 'unbind'), 'wq0.0');
        assert.equal((await host.exec(['rmmod', 'iaa_crypto'])).exitCode, 0);
        assert.equal(await host.list(hostPath('/sys/kernel/debug/iaa_crypto')), undefined);
      });
    });

    test('without the module in between, binding again is EEXIST and resets the WQ', async () => {
      await kind.with(buildMachine(smallest), async (host) => {
        const wq = `${devices}/wq0.0`;
        await host.write(hostPath(driver, 'unbind'), 'wq0.0');
        assert.equal(await referencesOf(host), 1, 'stays registered');
        for (const [name, text] of [
          ['mode', 'dedicated'],
          ['priority', '1'],
          ['type', 'kernel'],
          ['name', 'again'],
        ]) {
          await host.write(hostPath(wq, name ?? ''), text ?? '');
        }
        assert.equal(await errnoOf(host.write(hostPath(driver, 'bind'), 'wq0.0')), 'EEXIST');
        await assertReads(host, {
          [`${wq}/state`]: 'disabled\n',
          [`${wq}/name`]: '\n',
          [`${wq}/driver/bind`]: undefined,
          '/sys/module/iaa_crypto/refcnt': '0\n',
        });
        assert.match((await host.exec(['dmesg'])).stdout, /fixed registration failed \(-17\)\n$/);
      });
    });

    test('rmmod with a WQ bound fails; without one all of the module goes', async () => {
      await kind.with(buildMachine(smallest), async (host) => {
        const busy = await host.exec(['rmmod', 'iaa_crypto']);
        assert.deepEqual([busy.exitCode, busy.stderr], [1, 'rmmod: ERROR: Module iaa_crypto is in use\n']);
        await host.write(hostPath(driver, 'unbind'), 'wq0.0');
        assert.equal((await host.exec(['rmmod', 'iaa_crypto'])).exitCode, 0);
        assert.equal(await host.list(hostPath(driver)), undefined);
        assert.equal(await host.list(hostPath('/sys/module/iaa_crypto')), undefined);
        assert.equal(await referencesOf(host), undefined);
        assert.match((await host.exec(['rmmod', 'iaa_crypto'])).stderr, /not currently loaded/);
      });
    });

    test('rmmod fails while zswap has a pool of deflate-iaa, though no WQ is bound', async () => {
      await kind.with(buildMachine(smallest), async (host) => {
        await host.write(hostPath('/sys/module/zswap/parameters/enabled'), 'Y');
        await host.write(hostPath('/sys/module/zswap/parameters/compressor'), 'deflate-iaa');
        assert.equal(await referencesOf(host), 3);
        await host.write(hostPath(driver, 'unbind'), 'wq0.0');
        assert.equal((await host.exec(['rmmod', 'iaa_crypto'])).exitCode, 1);
        await host.write(hostPath('/sys/module/zswap/parameters/compressor'), 'lzo');
        assert.equal(await referencesOf(host), 1);
        assert.equal((await host.exec(['modprobe', '-r', 'iaa_crypto'])).exitCode, 0);
      });
    });

    test('modprobe binds what is ready for it; other WQs of enabled devices lose their type', async () => {
      const machine = buildMachine({ ...smallest, iaaCrypto: 'absent' });
      await kind.with(machine, async (host) => {
        await assertReads(host, {
          [`${devices}/wq0.0/state`]: 'disabled\n',
          [`${driver}/sync_mode`]: undefined,
        });
        assert.deepEqual(await host.exec(['modprobe', 'iaa_crypto']), {
          exitCode: 0,
          stdout: '',
          stderr: '',
        });
        await assertReads(host, {
          [`${devices}/wq0.0/state`]: 'enabled\n',
          [`${devices}/iax0/cmd_status`]: '0x80200000\n',
          [`${driver}/sync_mode`]: 'sync\n',
          [`${driver}/verify_compress`]: '1\n',
        });
        assert.deepEqual(await host.exec(['modprobe', 'iaa_crypto']), {
          exitCode: 0,
          stdout: '',
          stderr: '',
        });
      });
    });

    test('v9 without its module is still v9: its attributes come back', async () => {
      await kind.with(buildMachine({ ...smallest, kernel: 'v9', iaaCrypto: 'absent' }), async (host) => {
        await host.exec(['modprobe', 'iaa_crypto']);
        await assertReads(host, {
          [`${driver}/distribute_comps`]: '1\n',
          [`${driver}/distribute_decomps`]: '1\n',
          [`${driver}/g_comp_wqs_per_iaa`]: '0\n',
          [`${driver}/sync_mode`]: 'async\n',
          [`${driver}/verify_compress`]: '0\n',
        });
      });
    });

    test('without IAA the module cannot be loaded', async () => {
      await kind.with(buildMachine({ ...smallest, iaaPerPackage: 0 }), async (host) => {
        const { exitCode, stderr } = await host.exec(['modprobe', 'iaa_crypto']);
        assert.deepEqual(
          [exitCode, stderr],
          [1, "modprobe: ERROR: could not insert 'iaa_crypto': No such device\n"],
        );
      });
    });
  });
}

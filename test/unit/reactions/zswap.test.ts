import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostPath } from '../../../src/host/path.js';
import {
  buildMachine,
  type MachineChange,
  type mockHost,
  type TreeEntry,
} from '../../../src/testing/index.js';
import { assertReads, mockKinds, smallest, testWriteRules } from '../../support/mocks.js';

const zswap = '/sys/module/zswap/parameters';
const debugfs = '/sys/kernel/debug/zswap';
const set = (name: string, text: string): MachineChange => ({ write: `${zswap}/${name}`, text });
const on = set('enabled', 'Y');

testWriteRules('zswap', [
  {
    rule: 'before the first enable any compressor is taken and reads back',
    write: `${zswap}/compressor`,
    text: 'no-such',
    reads: { [`${zswap}/compressor`]: 'no-such\n', [`${debugfs}/stored_pages`]: undefined },
  },
  {
    rule: 'the first enable replaces one that cannot be had by the default, without an error',
    given: [set('compressor', 'no-such')],
    write: `${zswap}/enabled`,
    text: 'Y',
    reads: {
      [`${zswap}/enabled`]: 'Y\n',
      [`${zswap}/compressor`]: 'lzo\n',
      [`${debugfs}/stored_pages`]: '0\n',
    },
  },
  {
    rule: 'the first enable takes one that can be loaded',
    given: [set('compressor', 'zstd')],
    write: `${zswap}/enabled`,
    text: '1',
    reads: { [`${zswap}/enabled`]: 'Y\n', [`${zswap}/compressor`]: 'zstd\n' },
  },
  {
    rule: 'writing enabled=N sets zswap up, too',
    write: `${zswap}/enabled`,
    text: 'N',
    reads: { [`${zswap}/enabled`]: 'N\n', [`${debugfs}/stored_pages`]: '0\n' },
  },
  { rule: 'enabled: another word is EINVAL', write: `${zswap}/enabled`, text: 'maybe', errno: 'EINVAL' },
  {
    rule: 'after it an unknown compressor is ENOENT and the old one stays',
    given: [on],
    write: `${zswap}/compressor`,
    text: 'no-such',
    errno: 'ENOENT',
    reads: { [`${zswap}/compressor`]: 'lzo\n' },
  },
  {
    rule: 'also after it was turned off again',
    given: [on, set('enabled', 'N')],
    write: `${zswap}/compressor`,
    text: 'no-such',
    errno: 'ENOENT',
  },
  {
    rule: 'deflate-iaa can be had when its algorithm is registered',
    given: [on],
    write: `${zswap}/compressor`,
    text: 'deflate-iaa\n',
    reads: { [`${zswap}/compressor`]: 'deflate-iaa\n' },
  },
  {
    rule: 'deflate-iaa is ENOENT before its module',
    machine: { iaaCrypto: 'absent' },
    given: [on],
    write: `${zswap}/compressor`,
    text: 'deflate-iaa',
    errno: 'ENOENT',
  },
  {
    rule: 'deflate-iaa can be had with no WQ bound any more: it stays registered',
    given: [on, { write: '/sys/bus/dsa/drivers/crypto/unbind', text: 'wq0.0' }],
    write: `${zswap}/compressor`,
    text: 'deflate-iaa',
    reads: { [`${zswap}/compressor`]: 'deflate-iaa\n' },
  },
  {
    rule: 'max_pool_percent: any number',
    write: `${zswap}/max_pool_percent`,
    text: '250',
    reads: { [`${zswap}/max_pool_percent`]: '250\n' },
  },
  {
    rule: 'max_pool_percent: in any base',
    write: `${zswap}/max_pool_percent`,
    text: '0x32',
    reads: { [`${zswap}/max_pool_percent`]: '50\n' },
  },
  {
    rule: 'max_pool_percent: negative is EINVAL',
    write: `${zswap}/max_pool_percent`,
    text: '-1',
    errno: 'EINVAL',
  },
  {
    rule: 'max_pool_percent: beyond 32 bits is ERANGE',
    write: `${zswap}/max_pool_percent`,
    text: '4294967296',
    errno: 'ERANGE',
  },
  {
    rule: 'shrinker_enabled: y',
    write: `${zswap}/shrinker_enabled`,
    text: 'y',
    reads: { [`${zswap}/shrinker_enabled`]: 'Y\n' },
  },
  {
    rule: 'zpool is gone in 6.18',
    kernel: 'mainline 6.18',
    write: `${zswap}/zpool`,
    text: 'zsmalloc',
    errno: 'ENOENT',
  },
  {
    rule: 'zpool: zbud in 6.12',
    kernel: 'mainline 6.12',
    given: [on],
    write: `${zswap}/zpool`,
    text: 'zbud',
    reads: { [`${zswap}/zpool`]: 'zbud\n' },
  },
  {
    rule: 'zpool: no zbud since 6.15',
    kernel: 'mm-unstable-4-21-2025',
    given: [on],
    write: `${zswap}/zpool`,
    text: 'zbud',
    errno: 'ENOENT',
  },
]);

/** The machine with these pages in zswap and in the swap area. */
function withPages(entries: readonly TreeEntry[], pages: number): TreeEntry[] {
  return entries.map((entry) => {
    if (entry.kind !== 'file') return entry;
    const text = entry.content.toString();
    if (entry.path === `${debugfs}/stored_pages`) return { ...entry, content: Buffer.from(`${pages}\n`) };
    if (entry.path !== '/proc/swaps') return entry;
    return { ...entry, content: Buffer.from(text.replace(/\t0\t\t-2/, `\t${pages * 4}\t\t-2`)) };
  });
}

const inUse = buildMachine({ ...smallest, changes: [on, set('compressor', 'deflate-iaa')] });
const references = async (host: ReturnType<typeof mockHost>, driver: string): Promise<string | undefined> => {
  const [text = ''] = await host.read([hostPath('/proc/crypto')]);
  return new RegExp(`driver {7}: ${driver}\\n(?:.+\\n)*?refcnt {7}: (\\d+)`).exec(text)?.[1];
};

for (const kind of mockKinds) {
  describe(`pools of zswap, ${kind.name}`, () => {
    test('a pool with pages stays after the change of the compressor, and goes with swapoff', async () => {
      await kind.with(withPages(inUse, 2048), async (host) => {
        await host.write(hostPath(zswap, 'compressor'), 'lzo');
        assert.equal(await references(host, 'deflate-iaa'), '3');
        assert.equal(await references(host, 'lzo-scomp'), '3');
        await host.write(hostPath('/sys/bus/dsa/drivers/crypto/unbind'), 'wq0.0');
        await assertReads(host, {
          '/sys/module/iaa_crypto/refcnt': '2\n',
          [`${debugfs}/stored_pages`]: '2048\n',
        });
        assert.equal((await host.exec(['swapoff', '/dev/nvme0n1p2'])).exitCode, 0);
        await assertReads(host, {
          '/sys/module/iaa_crypto/refcnt': '0\n',
          [`${debugfs}/stored_pages`]: '0\n',
        });
        assert.equal(await references(host, 'deflate-iaa'), '1');
        assert.equal(await references(host, 'lzo-scomp'), '3');
      });
    });

    test('going back to a pool that is still there takes no more references', async () => {
      await kind.with(withPages(inUse, 2048), async (host) => {
        await host.write(hostPath(zswap, 'compressor'), 'lzo');
        await host.write(hostPath(zswap, 'compressor'), 'deflate-iaa');
        assert.equal(await references(host, 'deflate-iaa'), '3');
      });
    });

    test('the log names the pool that zswap set itself up with', async () => {
      await kind.with(buildMachine({ ...smallest, kernel: 'mainline 6.12' }), async (host) => {
        await host.write(hostPath(zswap, 'compressor'), 'zstd');
        await host.write(hostPath(zswap, 'enabled'), 'Y');
        assert.match((await host.exec(['dmesg'])).stdout, /zswap: loaded using pool zstd\/zsmalloc\n$/);
      });
    });
  });
}

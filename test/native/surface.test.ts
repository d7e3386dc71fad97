import assert from 'node:assert/strict';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { native } from '../../src/native/load.js';
import type {
  NativeAddon,
  NativeCompressor,
  NativeHostRoot,
  NativeLock,
  NativeSampler,
} from '../../src/native/surface.js';
import { tempDirectory } from '../support/temp-directory.js';

// The compiler holds these lists to the interfaces, the tests hold the addon to these lists.
const exported: Record<keyof NativeAddon, true> = {
  openHostRoot: true,
  tryLock: true,
  compressors: true,
  openCompressor: true,
  openModel: true,
  modelConstants: true,
  modelCounters: true,
  openAccelConfig: true,
};
const compressorMethods: Record<keyof NativeCompressor, true> = {
  compress: true,
  decompress: true,
  runBatch: true,
};
const rootMethods: Record<keyof NativeHostRoot, true> = {
  readMany: true,
  write: true,
  append: true,
  mkdir: true,
  rmdir: true,
  list: true,
  readlink: true,
  statfsMagic: true,
  sample: true,
  close: true,
};
const samplerMethods: Record<keyof NativeSampler, true> = {
  files: true,
  startNs: true,
  take: true,
  statistics: true,
  stop: true,
};
const lockMethods: Record<keyof NativeLock, true> = { release: true };

function rootAt(directory: string, writable: boolean): NativeHostRoot {
  const root = native().openHostRoot(directory, writable);
  assert.ok(!('errno' in root));
  return root;
}

function lockOn(path: string): NativeLock {
  const lock = native().tryLock(path);
  assert.ok(!('errno' in lock));
  return lock;
}

function methodsOf(object: object): string[] {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(object));
  return names.filter((name) => name !== 'constructor').sort();
}

test('the addon exports what surface.ts declares, and nothing else', (t) => {
  // `bindings` adds the path that it was loaded from.
  const names = Object.keys(native()).filter((name) => name !== 'path');
  assert.deepEqual(names.sort(), Object.keys(exported).sort());
  const root = rootAt('/', false);
  assert.deepEqual(methodsOf(root), Object.keys(rootMethods).sort());
  const sampler = root.sample(['/proc/vmstat'], ['flat'], 1e9, 1024);
  assert.ok(!('errno' in sampler));
  assert.deepEqual(methodsOf(sampler), Object.keys(samplerMethods).sort());
  sampler.stop();
  root.close();
  const lock = lockOn(join(tempDirectory(t), 'lock'));
  assert.deepEqual(methodsOf(lock), Object.keys(lockMethods).sort());
  lock.release();
  const compressor = native().openCompressor('deflate-iaa');
  assert.ok(typeof compressor === 'object');
  assert.deepEqual(methodsOf(compressor), Object.keys(compressorMethods).sort());
});

type Call = (...values: unknown[]) => unknown;

const notPaths: unknown[] = [
  '',
  'relative',
  './x',
  '/nul\0',
  7,
  null,
  undefined,
  {},
  ['/x'],
  new String('/x'),
];

/** Per function: good arguments, and per position what is refused there. */
const misuse: { name: string; good: unknown[]; wrong: unknown[][] }[] = [
  {
    name: 'openHostRoot',
    good: ['/', false],
    wrong: [notPaths, [0, 1, 'true', null, undefined, {}, new Boolean(true)]],
  },
  { name: 'tryLock', good: ['/nonexistent/lock'], wrong: [notPaths] },
  {
    name: 'readMany',
    good: [['/x']],
    wrong: [['/x', null, undefined, {}, { length: 1, 0: '/x' }, ...notPaths.map((value) => ['/x', value])]],
  },
  {
    name: 'write',
    good: ['/x', Buffer.from('1')],
    wrong: [
      notPaths,
      ['1', 1, null, undefined, [49], new ArrayBuffer(1), new Uint16Array(1), new Int8Array(1)],
    ],
  },
  {
    name: 'append',
    good: ['/x', Buffer.from('1')],
    wrong: [notPaths, ['1', 1, null, undefined, [49], new ArrayBuffer(1)]],
  },
  { name: 'mkdir', good: ['/x'], wrong: [notPaths] },
  { name: 'rmdir', good: ['/x'], wrong: [notPaths] },
  { name: 'list', good: ['/x'], wrong: [notPaths] },
  { name: 'readlink', good: ['/x'], wrong: [notPaths] },
  { name: 'statfsMagic', good: ['/x'], wrong: [notPaths] },
  {
    name: 'sample',
    good: [['/x'], ['flat'], 1e6, 1024],
    wrong: [
      ['/x', null, undefined, {}, ...notPaths.map((value) => ['/x', value])],
      ['flat', null, undefined, {}, ['other'], [''], [7], [null], [undefined], [], ['flat', 'flat']],
      [0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, null, undefined],
      [0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, null, undefined],
    ],
  },
  { name: 'close', good: [], wrong: [] },
];

for (const { name, good, wrong } of misuse) {
  test(`${name} throws TypeError for wrong arguments`, (t) => {
    const root = rootAt(tempDirectory(t), true);
    t.after(() => root.close());
    const owner: object = name in native() ? native() : root;
    const method = Reflect.get(owner, name) as Call;
    const call: Call = (...values) => method.apply(owner, values);

    for (const [position, values] of wrong.entries()) {
      for (const value of values) {
        const values_ = good.with(position, value);
        assert.throws(
          () => call(...values_),
          { name: 'TypeError', message: new RegExp(`^${name}\\(.*\\): argument ${position + 1} must be `) },
          `${name}(${values_.map(String).join(', ')})`,
        );
      }
    }
    const number = { name: 'TypeError', message: new RegExp(`number of arguments must be ${good.length}`) };
    assert.throws(() => call(...good, undefined), number);
    if (good.length > 0) assert.throws(() => call(...good.slice(1)), number);
    assert.throws(() => (Reflect.get(root, 'list') as Call).call({}, '/'), TypeError);
  });
}

test('release throws TypeError for arguments and keeps the lock', (t) => {
  const path = join(tempDirectory(t), 'lock');
  const lock = lockOn(path);
  assert.throws(() => (lock.release as Call)(1), TypeError);
  assert.ok('errno' in native().tryLock(path));
  lock.release();
});

test('what a getter in an argument throws comes through', () => {
  const root = rootAt('/', false);
  const paths = ['/x'];
  Object.defineProperty(paths, 0, {
    get() {
      throw new RangeError('from the getter');
    },
  });
  assert.throws(() => root.readMany(paths), { name: 'RangeError', message: 'from the getter' });
  root.close();
});

test('an object made by a class of ours itself is closed', async () => {
  const root = rootAt('/', false);
  const made = new (root.constructor as new () => NativeHostRoot)();
  assert.deepEqual(await made.list('/'), { errno: 9, code: 'EBADF', syscall: 'closed-root' });
  root.close();
});

test('a root answers in the order of the paths, each for itself', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'a'), 'A\n');
  writeFileSync(join(directory, 'bytes'), Buffer.from([0, 255, 10]));
  symlinkSync('../../../../../../etc/passwd', join(directory, 'escape'));
  const root = rootAt(directory, false);
  assert.deepEqual(await root.readMany(['/bytes', '/none', '/a', '/', '/escape', '/a']), [
    Buffer.from([0, 255, 10]),
    { errno: 2, code: 'ENOENT', syscall: 'openat2' },
    Buffer.from('A\n'),
    { errno: 21, code: 'EISDIR', syscall: 'file-type' },
    { errno: 2, code: 'ENOENT', syscall: 'openat2' },
    Buffer.from('A\n'),
  ]);
  assert.deepEqual(await root.readMany([]), []);
  root.close();
});

test('a file that the kernel gives piece by piece is read to its end', async () => {
  const root = rootAt('/', false);
  const [maps] = await root.readMany(['/proc/self/maps']);
  assert.ok(Buffer.isBuffer(maps));
  // seq_file gives a page at most in one read.
  assert.ok(maps.length > 4096, `${maps.length} bytes`);
  assert.match(maps.toString(), /\n$/);
  assert.match(maps.toString(), /\[stack\]/);
  root.close();
});

test('a file above 1 MiB is EFBIG, one of 1 MiB is whole', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'full'), Buffer.alloc(1 << 20, 'x'));
  writeFileSync(join(directory, 'more'), Buffer.alloc((1 << 20) + 1, 'x'));
  const root = rootAt(directory, false);
  const [full, more] = await root.readMany(['/full', '/more']);
  assert.ok(Buffer.isBuffer(full));
  assert.equal(full.length, 1 << 20);
  assert.deepEqual(more, { errno: 27, code: 'EFBIG', syscall: 'size-limit' });
  root.close();
});

test('writes take effect and settle in the order they were asked for', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'value'), 'a longer value from before\n');
  const root = rootAt(directory, true);
  const settled: number[] = [];
  await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      assert.equal(await root.write('/value', Buffer.from(String(i))), undefined);
      settled.push(i);
    }),
  );
  assert.deepEqual(
    settled,
    Array.from({ length: 200 }, (_, i) => i),
  );
  assert.equal(readFileSync(join(directory, 'value'), 'utf8'), '199');
  root.close();
});

test('what is appended stands behind what is there, and makes no file', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'list'), 'a\n');
  const root = rootAt(directory, true);
  assert.equal(await root.append('/list', Buffer.from('b\n')), undefined);
  assert.equal(readFileSync(join(directory, 'list'), 'utf8'), 'a\nb\n');
  assert.deepEqual(await root.append('/none', Buffer.from('b')), {
    errno: 2,
    code: 'ENOENT',
    syscall: 'openat2',
  });
  root.close();
});

test('the bytes of a write are those at the time of the call', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'value'), '');
  const root = rootAt(directory, true);
  const data = Buffer.from('xxbeforexx');
  const written = root.write('/value', data.subarray(2, 8));
  data.fill('y');
  assert.equal(await written, undefined);
  assert.equal(readFileSync(join(directory, 'value'), 'utf8'), 'before');
  root.close();
});

test('a read-only root answers EROFS to every change', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'value'), 'kept');
  const root = rootAt(directory, false);
  const refused = { errno: 30, code: 'EROFS', syscall: 'read-only-root' };
  assert.deepEqual(await root.write('/value', Buffer.from('x')), refused);
  assert.deepEqual(await root.mkdir('/new'), refused);
  assert.deepEqual(await root.rmdir('/none'), refused);
  assert.equal(readFileSync(join(directory, 'value'), 'utf8'), 'kept');
  root.close();
});

test('a closed root ends what is under way and answers EBADF from then on', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'value'), 'old');
  const root = rootAt(directory, true);
  const read = root.readMany(['/value']);
  const written = root.write('/value', Buffer.from('new'));
  root.close();
  root.close();
  assert.ok(Buffer.isBuffer((await read)[0]));
  assert.equal(await written, undefined);
  assert.equal(readFileSync(join(directory, 'value'), 'utf8'), 'new');
  const closed = { errno: 9, code: 'EBADF', syscall: 'closed-root' };
  assert.deepEqual(await root.readMany(['/value', '/value']), [closed, closed]);
  assert.deepEqual(await root.write('/value', Buffer.from('x')), closed);
  assert.deepEqual(await root.mkdir('/x'), closed);
  assert.deepEqual(await root.rmdir('/x'), closed);
  assert.deepEqual(await root.list('/'), closed);
  assert.deepEqual(await root.readlink('/x'), closed);
  assert.deepEqual(await root.statfsMagic('/'), closed);
  assert.deepEqual(root.sample(['/x'], ['flat'], 1e6, 1), closed);
});

test('a root that cannot be opened is a failure, not an exception', (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'file'), '');
  assert.deepEqual(native().openHostRoot(join(directory, 'none'), false), {
    errno: 2,
    code: 'ENOENT',
    syscall: 'open',
  });
  assert.deepEqual(native().openHostRoot(join(directory, 'file'), true), {
    errno: 20,
    code: 'ENOTDIR',
    syscall: 'open',
  });
});

test('a lock has one holder', (t) => {
  const path = join(tempDirectory(t), 'lock');
  const first = lockOn(path);
  assert.deepEqual(native().tryLock(path), { errno: 11, code: 'EWOULDBLOCK', syscall: 'flock' });
  first.release();
  first.release();
  lockOn(path).release();
});

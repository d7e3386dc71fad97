import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import type { HostIoError } from '../../../src/errors.js';
import { CapturedHost } from '../../../src/host/captured.js';
import { hostPath } from '../../../src/host/path.js';
import type { Tree } from '../../../src/host/tree-host.js';
import type { NativeFailure } from '../../../src/native/surface.js';

type ErrnoName = keyof typeof constants.errno;

function failure(code: ErrnoName, syscall = 'read'): NativeFailure {
  return { errno: constants.errno[code], code, syscall };
}

const path = hostPath('/sys/x');
const ok = Promise.resolve(undefined);

/** A host over a tree that the test answers for. CapturedHost adds nothing to the base but refusals to run. */
function hostOver(tree: Partial<Tree>): CapturedHost {
  const unexpected = (): never => assert.fail('not asked for by this test');
  return new CapturedHost('root:/tree', '/tree', {
    readMany: unexpected,
    write: unexpected,
    append: unexpected,
    mkdir: unexpected,
    rmdir: unexpected,
    list: unexpected,
    readlink: unexpected,
    sample: unexpected,
    close: unexpected,
    ...tree,
  });
}

/** An answer that comes when `end` is called. */
function pending(): { answer: Promise<undefined | NativeFailure>; end: (how?: NativeFailure) => void } {
  let end: (how?: NativeFailure) => void = () => {};
  const answer = new Promise<undefined | NativeFailure>((resolve) => (end = resolve));
  return { answer, end };
}

test('a read gives UTF-8 text with its newline, or an error with all that is known', async () => {
  const host = hostOver({ readMany: async () => [Buffer.from('µ\n'), failure('EIO'), Buffer.from([0xff])] });
  const [text, error, invalid] = await host.probe([path, hostPath('/sys/y'), path]);
  assert.deepEqual(text, { ok: true, text: 'µ\n' });
  assert.deepEqual(invalid, { ok: true, text: '\ufffd' });
  assert.ok(error?.ok === false);
  const { message, operation, root, errno, errnoCode, syscall, value, written, inFlight } = error.error;
  assert.deepEqual(
    { message, operation, root, errno, errnoCode, syscall, value, written, inFlight, path: error.error.path },
    {
      message: 'read /sys/y (root /tree): EIO from read',
      operation: 'read',
      path: '/sys/y',
      root: '/tree',
      errno: 5,
      errnoCode: 'EIO',
      syscall: 'read',
      value: undefined,
      written: undefined,
      inFlight: false,
    },
  );
});

test('tryRead tells what is not offered from what cannot be read', async () => {
  for (const code of ['ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP'] as const) {
    const host = hostOver({ readMany: async () => [failure(code)] });
    assert.deepEqual(await host.tryRead([path]), [undefined], code);
    await assert.rejects(host.read([path]), { errnoCode: code });
  }
  for (const code of ['EACCES', 'EPERM', 'EIO', 'EISDIR', 'ENXIO', 'EINVAL', 'EFBIG', 'ELOOP'] as const) {
    const host = hostOver({ readMany: async () => [Buffer.from(''), failure(code)] });
    await assert.rejects(host.tryRead([path, path]), { name: 'HostIoError', errnoCode: code });
  }
});

test('list and readlink give undefined for what is not there', async () => {
  const absent = hostOver({ list: async () => failure('ENOENT'), readlink: async () => failure('ENOENT') });
  assert.equal(await absent.list(path), undefined);
  assert.equal(await absent.readlink(path), undefined);
  const other = hostOver({ list: async () => failure('EACCES'), readlink: async () => failure('EACCES') });
  await assert.rejects(other.list(path), { operation: 'list', errnoCode: 'EACCES' });
  await assert.rejects(other.readlink(path), { operation: 'readlink', errnoCode: 'EACCES' });
  const there = hostOver({ list: async () => ['a'], readlink: async () => '../b' });
  assert.deepEqual(await there.list(path), ['a']);
  assert.equal(await there.readlink(path), '../b');
  const file = hostOver({ readlink: async () => failure('EINVAL', 'readlinkat') });
  assert.equal(await file.readlink(path), undefined);
});

test('a failed write carries its value, what was taken of it, and a hint', async () => {
  const short = hostOver({ write: async () => ({ ...failure('EIO', 'short-write'), written: 2 }) });
  await assert.rejects(short.write(path, 'lzo\n'), {
    message: "write 'lzo' to /sys/x (root /tree): EIO from short-write (2 bytes taken)",
    value: 'lzo\n',
    written: 2,
  });
  const compressor = hostPath('/sys/module/zswap/parameters/compressor');
  const unknown = hostOver({ write: async () => failure('ENOENT', 'write') });
  await assert.rejects(unknown.write(compressor, 'nonesuch'), (error: HostIoError) =>
    /no such compressor/.test(error.hint ?? ''),
  );
});

test('a write gives the text as it is', async () => {
  const given: string[] = [];
  const host = hostOver({
    write: async (to, data) => void given.push(`${to} ${Buffer.from(data).toString()}`),
  });
  await host.write(path, 'µ');
  await host.write(path, '1\n');
  assert.deepEqual(given, ['/sys/x µ', '/sys/x 1\n']);
});

test('a write past its time limit is in flight, and nothing new is begun until it has ended', async () => {
  const slow = pending();
  const begun: string[] = [];
  const host = hostOver({
    write: (_path, data) => {
      begun.push(Buffer.from(data).toString());
      return begun.length === 1 ? slow.answer : ok;
    },
    readMany: async () => [Buffer.from('still readable')],
  });

  await assert.rejects(host.write(path, 'first', { timeLimitMs: 10 }), {
    name: 'HostIoError',
    errnoCode: 'ETIMEDOUT',
    errno: constants.errno.ETIMEDOUT,
    inFlight: true,
    value: 'first',
    message: "write 'first' to /sys/x (root /tree): ETIMEDOUT from write (still in flight)",
  });
  const late = { errnoCode: 'ETIMEDOUT', inFlight: true };
  await assert.rejects(host.write(path, 'second'), { ...late, value: 'second' });
  await assert.rejects(host.mkdir(path), { ...late, operation: 'mkdir' });
  await assert.rejects(host.rmdir(path), { ...late, operation: 'rmdir' });
  assert.deepEqual(begun, ['first']);
  assert.deepEqual(await host.read([path]), ['still readable']);

  let settled = false;
  const waiting = host.settled().then(() => (settled = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(settled, false);
  slow.end();
  await waiting;
  await host.write(path, 'third');
  assert.deepEqual(begun, ['first', 'third']);
});

test('a failure that comes after the time limit is nobody’s unhandled rejection', async () => {
  const slow = pending();
  const host = hostOver({ write: () => slow.answer });
  await assert.rejects(host.write(path, '1', { timeLimitMs: 5 }), { inFlight: true });
  slow.end(failure('EBUSY', 'write'));
  await host.settled();
});

test('settled waits for writes that are not late yet, and for all of them', async () => {
  const [one, two] = [pending(), pending()];
  const answers = [one.answer, two.answer];
  const host = hostOver({ write: () => answers.shift() ?? assert.fail('two writes only') });
  await host.settled();
  const writes = [host.write(path, '1'), host.write(path, '2')];
  let settled = false;
  const waiting = host.settled().then(() => (settled = true));
  one.end();
  await writes[0];
  assert.equal(settled, false);
  two.end();
  await waiting;
  await writes[1];
});

test('a captured machine runs nothing', async () => {
  const host = hostOver({});
  assert.equal(host.writable, false);
  await assert.rejects(host.exec(['dmesg']), {
    code: 'ERR_COMMAND',
    argv: ['dmesg'],
    message: 'dmesg: not run: root:/tree is not a running machine',
  });
  assert.throws(() => host.launch(), { code: 'ERR_REQUIREMENT', exitCode: 3 });
});

test('now is a clock that goes on', async () => {
  const host = hostOver({});
  const before = host.now();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(host.now() - before >= 4_000_000n);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { codecs } from '../../../src/host/codecs.js';
import { hostPath } from '../../../src/host/path.js';
import {
  addFinding,
  kernelFile,
  listDirectory,
  parseCount,
  parseWith,
  readFiles,
} from '../../../src/kernel/attribute.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const a = hostPath('/sys/a');
const b = hostPath('/sys/b');
const c = hostPath('/sys/c');

describe('readFiles', () => {
  test('keeps the good beside the absent, the unreadable and the malformed', async () => {
    const host = new MemoryHost({ [a]: '1\n', [b]: '\u001b[2Jgarbage\n', [c]: '7\n', '/sys/d': '8\n' });
    host.failNext('read', c, 'EIO');
    const findings: Finding[] = [];
    const values = await readFiles(host, findings, {
      good: kernelFile(a, parseWith(codecs.oneZero)),
      malformed: kernelFile(b, parseWith(codecs.oneZero)),
      unreadable: kernelFile(c, parseCount),
      absent: kernelFile(hostPath('/sys/none'), parseCount),
      also: kernelFile(hostPath('/sys/d'), parseCount),
    });
    assert.deepEqual(values, {
      good: true,
      malformed: undefined,
      unreadable: undefined,
      absent: undefined,
      also: 8,
    });
    assert.deepEqual(
      findings.map(({ path, message }) => [path, message]),
      [
        [b, 'expected 1 or 0, found "\\u001b[2Jgarbage\\n"'],
        [c, 'cannot read: EIO from openat2'],
      ],
    );
  });

  test('the mend is the hint of the error, or the way to find out', async () => {
    const host = new MemoryHost({ [a]: '1\n', [b]: '1\n' });
    host.failNext('read', a, 'EACCES');
    host.failNext('read', b, 'EIO');
    const findings: Finding[] = [];
    await readFiles(host, findings, { a: kernelFile(a, parseCount), b: kernelFile(b, parseCount) });
    assert.deepEqual(
      findings.map((finding) => finding.mend),
      ['run as root', 'find out why it cannot be read: cat /sys/b'],
    );
  });

  for (const errno of ['ENOENT', 'ENOTDIR', 'ENODEV', 'EOPNOTSUPP'] as const) {
    test(`${errno} means that the kernel does not offer it`, async () => {
      const host = new MemoryHost({ [a]: '1\n' });
      host.failNext('read', a, errno);
      const findings: Finding[] = [];
      assert.deepEqual(await readFiles(host, findings, { a: kernelFile(a, parseCount) }), { a: undefined });
      assert.deepEqual(findings, []);
    });
  }

  test('an error that is no ParseError is ours and is not swallowed', async () => {
    const host = new MemoryHost({ [a]: '1\n' });
    const broken = kernelFile(a, (): never => {
      throw new TypeError('ours');
    });
    await assert.rejects(readFiles(host, [], { broken }), TypeError);
  });
});

test('a directory that cannot be listed is a finding, an absent one is not', async () => {
  const host = new MemoryHost({ '/sys/dir/x': '' });
  const findings: Finding[] = [];
  assert.deepEqual(await listDirectory(host, findings, hostPath('/sys/dir')), ['x']);
  assert.equal(await listDirectory(host, findings, hostPath('/sys/none')), undefined);
  assert.deepEqual(findings, []);
  host.failNext('list', '/sys/dir', 'EACCES');
  assert.equal(await listDirectory(host, findings, hostPath('/sys/dir')), undefined);
  assert.deepEqual(findings, [
    { path: '/sys/dir', message: 'cannot list: EACCES from openat2', mend: 'run as root' },
  ]);
});

test('a path is reported once', () => {
  const findings: Finding[] = [];
  addFinding(findings, { path: '/sys/a', message: 'first', mend: 'x' });
  addFinding(findings, { path: '/sys/a', message: 'second', mend: 'y' });
  addFinding(findings, { path: '/sys/b', message: 'third', mend: 'z' });
  assert.deepEqual(
    findings.map((finding) => finding.message),
    ['first', 'third'],
  );
});

test('parseCount takes what a double holds exactly', () => {
  assert.equal(parseCount('0\n', a), 0);
  assert.equal(parseCount('9007199254740991\n', a), Number.MAX_SAFE_INTEGER);
  for (const text of ['9007199254740992\n', '-1\n', '', '\n', '1 \n', '0x10\n', '1\n\n']) {
    assert.throws(() => parseCount(text, a), parseErrorAt(a, undefined), JSON.stringify(text));
  }
});

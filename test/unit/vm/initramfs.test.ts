import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpioArchive } from '../../../src/vm/initramfs.js';

test('an archive has the newc form, byte for byte', () => {
  const archive = cpioArchive([{ path: 'a', mode: 0o100644, data: Buffer.from('xyz') }]);
  const entry = (fields: string, name: string) => `070701${fields}${name}`;
  const zero = '00000000';
  assert.equal(
    archive.toString('latin1'),
    // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    entry(
      `00000001000081a4${zero}${zero}00000001${zero}00000003${zero}${zero}${zero}${zero}00000002${zero}`,
      'a\0',
    ) +
      'xyz\0' +
      entry(
        `00000002${zero}${zero}${zero}00000001${zero}${zero}${zero}${zero}${zero}${zero}0000000b${zero}`,
        'TRAILER!!!\0\0\0\0',
      ),
  );
});

test('every header and every content starts at a multiple of four bytes', () => {
  for (let length = 0; length < 9; length += 1) {
    const name = 'n'.repeat(length + 1);
    const archive = cpioArchive([{ path: name, mode: 0o100600, data: Buffer.alloc(length, 'd') }]);
    assert.equal(archive.length % 4, 0);
    const trailer = archive.indexOf('TRAILER!!!') - 110;
    assert.equal(trailer % 4, 0);
    assert.equal(archive.toString('latin1', trailer, trailer + 6), '070701');
    if (length > 0) assert.equal(archive.indexOf('d'.repeat(length), 110 + name.length) % 4, 0);
  }
});

import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { VmError } from '../../../src/errors.js';
import { ownFolder, withFileErrors } from '../../../src/vm/folders.js';

const base = mkdtempSync(join(tmpdir(), 'iaa-zswap-folders-'));
after(() => rmSync(base, { recursive: true }));

test('a folder is made for us alone', async () => {
  const folder = join(base, 'new', 'deep');
  await ownFolder(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  await ownFolder(folder);
});

test('a folder that others can write to is refused', async () => {
  const folder = join(base, 'open');
  mkdirSync(folder);
  for (const mode of [0o777, 0o770, 0o1777]) {
    chmodSync(folder, mode);
    await assert.rejects(ownFolder(folder), {
      code: 'ERR_TRUST',
      message: `${folder} can be written by others`,
    });
  }
});

test('a link or a file in its place is refused', async () => {
  symlinkSync(base, join(base, 'link'));
  await assert.rejects(ownFolder(join(base, 'link')), { code: 'ERR_TRUST', message: /is not a folder$/ });
  writeFileSync(join(base, 'file'), '');
  await assert.rejects(ownFolder(join(base, 'file')), { code: 'ERR_TRUST', message: /is not a folder$/ });
});

test("another user's folder is refused", async () => {
  // Root owns what it makes, and may give it away; nobody else can, but does not own /usr.
  const root = process.geteuid?.() === 0;
  const folder = root ? join(base, 'given') : '/usr';
  if (root) {
    mkdirSync(folder);
    chownSync(folder, 65534, 65534);
  }
  const message = `${folder} belongs to user ${root ? 65534 : 0}`;
  await assert.rejects(ownFolder(folder), { code: 'ERR_TRUST', message });
});

test('a failed file operation is one error with its path', async () => {
  const path = join(base, 'no', 'such');
  const work = withFileErrors(async () => statSync(path));
  await assert.rejects(work, { code: 'ERR_VM', message: `${path}: ENOENT from stat` });
  const own = new VmError('ours');
  await assert.rejects(
    withFileErrors(() => Promise.reject(own)),
    own,
  );
});

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

test('a folder that others can write to is refused, with those below it', async () => {
  const folder = join(base, 'open');
  mkdirSync(join(folder, 'deep'), { recursive: true });
  for (const mode of [0o777, 0o770, 0o1777]) {
    chmodSync(folder, mode);
    const message = `${folder}: ${folder} can be written by others`;
    await assert.rejects(ownFolder(folder), { code: 'ERR_TRUST', message });
  }
  chmodSync(folder, 0o775);
  const below = join(folder, 'deep');
  const message = `${below}: ${folder} can be written by others`;
  await assert.rejects(ownFolder(below), { code: 'ERR_TRUST', message });
});

test('what counts is where a link leads to', async () => {
  const target = join(base, 'target');
  mkdirSync(target, { mode: 0o700 });
  symlinkSync(target, join(base, 'link'));
  assert.equal(await ownFolder(join(base, 'link')), target);
  chmodSync(target, 0o777);
  await assert.rejects(ownFolder(join(base, 'link')), {
    code: 'ERR_TRUST',
    message: /target can be written by others$/,
  });
});

test('a file in its place is refused', async () => {
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
  const message = `${folder}: ${folder} belongs to user ${root ? 65534 : 0}`;
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

import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findGuest, temporaryFolder } from '../../../src/vm/guest.js';

const base = mkdtempSync(join(tmpdir(), 'iaa-zswap-guest-'));
after(() => rmSync(base, { recursive: true }));

/** What a guest that died `hours` ago has left in a folder. */
function leavings(name: string, hours: number, pid = 2 ** 22 + 1): string {
  const folder = join(base, name);
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, 'console.log'), 'last words');
  writeFileSync(join(folder, 'guest.json'), JSON.stringify({ schemaVersion: 1, pid, startTicks: '1' }));
  const lock = join(folder, 'guest.lock');
  writeFileSync(lock, '');
  const then = Date.now() / 1000 - hours * 3600;
  utimesSync(lock, then, then);
  return folder;
}

test('a temporary folder is a new one, for us alone', async () => {
  const [one, two] = await Promise.all([
    temporaryFolder(join(base, 'vm')),
    temporaryFolder(join(base, 'vm')),
  ]);
  assert.notEqual(one, two);
  assert.equal(statSync(one).mode & 0o777, 0o700);
});

test('what dead guests left is removed after a day, and nothing else', async () => {
  const old = leavings('vm-old', 25);
  const recent = leavings('vm-recent', 23);
  const other = leavings('other', 25);
  const foreign = join(base, 'vm-foreign');
  mkdirSync(foreign);
  const kept = leavings('vm-kept', 25);
  writeFileSync(join(kept, 'mine'), '');
  await temporaryFolder(join(base, 'vm'));
  assert.deepEqual(
    [old, recent, other, foreign].map((path) => existsSync(path)),
    [false, true, true, true],
  );
  assert.deepEqual(readdirSync(kept), ['mine']);
});

test('a process that got the number of a dead guest is not taken for it', async () => {
  assert.equal(await findGuest(leavings('reused', 1, process.pid)), undefined);
});

test('without a state file no guest runs', async () => {
  assert.equal(await findGuest(join(base, 'absent')), undefined);
});

test('a damaged state file is an error with its path', async () => {
  const folder = leavings('damaged', 1);
  writeFileSync(join(folder, 'guest.json'), '{');
  await assert.rejects(findGuest(folder), { code: 'ERR_VM', message: `${folder}/guest.json is damaged` });
});

/** The addon where the kernel or a container's seccomp filter does not offer openat2(2). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { prelude } from '../support/child.js';
import { tempDirectory } from '../support/temp-directory.js';
import { withoutSyscall } from '../support/without-syscall.js';

const code = `${prelude}
  (async () => {
    const root = addon.openHostRoot(process.cwd(), true);
    const read = await root.readMany(['/link', '/escape', '/none']);
    const written = await root.write('/link', Buffer.from('new'));
    const [again] = await root.readMany(['/value']);
    console.log(JSON.stringify([String(read[0]), read[1], read[2], written ?? null, String(again)]));
  })();`;

for (const errno of ['ENOSYS', 'EPERM'] as const) {
  test(`with ${errno} from openat2 the path is walked, and stays inside`, (t) => {
    const directory = tempDirectory(t);
    writeFileSync(join(directory, 'value'), 'old');
    symlinkSync('/value', join(directory, 'link'));
    symlinkSync('../../../../../../etc/passwd', join(directory, 'escape'));
    const [file = '', ...words] = withoutSyscall('openat2', constants.errno[errno], [
      process.execPath,
      '-e',
      code,
    ]);
    const { stdout, stderr } = spawnSync(file, words, { cwd: directory, encoding: 'utf8' });
    const absent = { errno: 2, code: 'ENOENT', syscall: 'openat' };
    assert.equal(stdout, `${JSON.stringify(['old', absent, absent, null, 'new'])}\n`, stderr);
  });
}

test('any other answer to openat2 is a failure to open the root', (t) => {
  const [file = '', ...words] = withoutSyscall('openat2', constants.errno.EACCES, [
    process.execPath,
    '-e',
    `${prelude} console.log(JSON.stringify(addon.openHostRoot(process.cwd(), false)));`,
  ]);
  const { stdout, stderr } = spawnSync(file, words, { cwd: tempDirectory(t), encoding: 'utf8' });
  assert.equal(stdout, `${JSON.stringify({ errno: 13, code: 'EACCES', syscall: 'openat2' })}\n`, stderr);
});

/** The launcher's own arguments and failures. What it does in a real cgroup is tested in the guest. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { helperPath } from '../../../src/native/load.js';

function launch(words: string[], report: 'pipe' | 'ignore' = 'pipe') {
  const { status, output } = spawnSync(helperPath('launch'), words, {
    stdio: ['ignore', 'pipe', 'pipe', report],
    encoding: 'utf8',
  });
  return { status, stdout: output[1], stderr: output[2], report: output[3] };
}

test('wrong words are a usage error, and nothing is reported', () => {
  for (const words of [
    [],
    ['--help'],
    ['/proc', '--'],
    ['/proc', '/bin/true', '--'],
    ['proc', '--', '/bin/true'],
    ['/proc', '--', 'true'],
    ['/proc', '-', '/bin/true'],
    ['', '--', '/bin/true'],
    ['--hold', 'x'],
    ['--user', '0', '--', '/bin/true'],
    ['/proc', '--user', '--', '/bin/true'],
    ['/proc', '--directory', 'tmp', '--', '/bin/true'],
    ['/proc', '/sys', '--', '/bin/true'],
    ['--check', '/proc', '--', 'r:/'],
    ['--check', '--', 'r'],
    ['--check', '--', 'q:/'],
    ['--check', '--', ':/'],
    ['--check', '--', 'r:etc'],
    ['--check', 'r:/'],
  ]) {
    const { status, stderr, stdout, report } = launch(words);
    assert.deepEqual({ status, stdout, report }, { status: 2, stdout: '', report: '' }, words.join(' '));
    assert.match(stderr ?? '', /^usage: launch .*CGROUP_DIR -- PROGRAM/);
  }
});

test('without descriptor 3 it is a usage error too', () => {
  const { status } = spawnSync('bash', ['-c', 'exec "$0" /proc -- /bin/true 3>&-', helperPath('launch')]);
  assert.equal(status, 2);
});

test('a failure is one line of JSON', () => {
  assert.deepEqual(launch(['/proc', '--', '/bin/true']), {
    status: 0,
    stdout: '',
    stderr: '',
    report: '{"failure":{"errno":22,"code":"EINVAL","syscall":"cgroup2-magic"}}\n',
  });
  assert.equal(
    launch(['/no/such', '--', '/bin/true']).report,
    '{"failure":{"errno":2,"code":"ENOENT","syscall":"open(cgroup)"}}\n',
  );
  assert.equal(
    launch(['/proc/version', '--', '/bin/true']).report,
    '{"failure":{"errno":20,"code":"ENOTDIR","syscall":"open(cgroup)"}}\n',
  );
});

describe('--check', () => {
  const check = (...words: string[]) => {
    const { status, stdout, stderr } = launch(['--check', ...words]);
    assert.deepEqual([status, stderr], [0, '']);
    return JSON.parse(stdout ?? '');
  };

  test('tells what may not be used, by its index', () => {
    assert.deepEqual(check('--', 'x:/bin/true', 'r:/no/such', 'rx:/', 'w:/proc/version/x'), {
      denied: [
        { index: 1, code: 'ENOENT' },
        { index: 3, code: 'ENOTDIR' },
      ],
    });
    assert.deepEqual(check('--'), { denied: [] });
  });

  test('tells it for another user, if the caller is root', () => {
    const asked = check('--user', 'nobody', '--', 'x:/bin/true', 'w:/etc/passwd', 'w:/tmp');
    if (process.geteuid?.() === 0) {
      assert.deepEqual(asked, {
        user: { name: 'nobody', uid: 65534, gid: 65534, home: '/nonexistent' },
        denied: [{ index: 1, code: 'EACCES' }],
      });
    } else {
      assert.deepEqual(asked, { failure: { errno: 1, code: 'EPERM', syscall: 'setgroups' } });
    }
  });

  test('knows a user by number as well, and tells who is none', () => {
    const failure = (user: string) => check('--user', user, '--').failure;
    assert.deepEqual(failure('no-such-user'), { errno: 2, code: 'ENOENT', syscall: 'getpwnam' });
    assert.deepEqual(failure('987654321'), { errno: 2, code: 'ENOENT', syscall: 'getpwuid' });
    // To setresuid(2) it is "leave as it is".
    assert.equal(failure('4294967295').code, 'ENOENT');
    assert.deepEqual(failure(''), { errno: 2, code: 'ENOENT', syscall: 'getpwnam' });
    assert.deepEqual(failure('nobody:0'), { errno: 1, code: 'EPERM', syscall: 'group' });
    assert.deepEqual(failure('nobody:x'), { errno: 22, code: 'EINVAL', syscall: 'group' });
    assert.deepEqual(failure('nobody:4294967295'), { errno: 22, code: 'EINVAL', syscall: 'group' });
  });
});

test('a report that nobody can read is exit code 1', () => {
  const { status } = spawnSync('bash', [
    '-c',
    'exec 3> >(exec true); wait $!; exec "$0" /proc -- /bin/true',
    helperPath('launch'),
  ]);
  assert.equal(status, 1);
});

/** Processes whose first word is `name`. */
function processesNamed(name: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] === name;
      } catch {
        return false; // it has ended meanwhile
      }
    })
    .map(Number);
}

test('--hold leaves one process behind that holds nothing of ours', async () => {
  const name = `iaa-zswap-holder-${process.pid}`;
  // It returns only when all ends of its pipes are closed.
  const { status } = spawnSync(helperPath('launch'), ['--hold'], { argv0: name, stdio: 'pipe' });
  assert.equal(status, 0);
  const [pid, ...others] = processesNamed(name);
  assert.ok(pid !== undefined);
  try {
    assert.deepEqual(others, []);
    const openFiles = (): string[] =>
      readdirSync(`/proc/${pid}/fd`).map((fd) => `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`);
    // Closing the last of its own descriptors comes after closing our pipes.
    for (let tries = 0; openFiles().length > 3 && tries < 100; tries++) await sleep(50);
    assert.deepEqual(openFiles(), ['0 /dev/null', '1 /dev/null', '2 /dev/null']);
    const [, session] = /^\d+ \(.*\) . \d+ \d+ (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    assert.equal(Number(session), pid, 'a session of its own');
  } finally {
    process.kill(pid, 'SIGKILL');
  }
});

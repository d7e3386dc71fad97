/** The launcher's own arguments and failures. What it does in a real cgroup is tested in the guest. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
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
  ]) {
    const { status, stderr, stdout, report } = launch(words);
    assert.deepEqual({ status, stdout, report }, { status: 2, stdout: '', report: '' }, words.join(' '));
    assert.match(stderr ?? '', /^usage: launch CGROUP_DIR -- PROGRAM/);
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

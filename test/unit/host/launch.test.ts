/** The launcher's own arguments and failures. What it does in a real cgroup is tested in the guest. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
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

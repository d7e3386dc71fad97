import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../src/native/load.js';
import { hostTree } from '../../src/testing/index.js';
import { iaaZswap } from '../support/program.js';

const archive = (name: string): string =>
  readFileSync(join(packageRoot(), 'test/hosts', `${name}.host`), 'utf8');

test('status of a captured tree', () => {
  using tree = hostTree(archive('spr-2s'));
  const { code, stdout, stderr } = iaaZswap(['--host', `root:${tree.root}`, 'status']);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.equal(stdout.split('\n', 1)[0], `source    hardware, root:${tree.root}`);
  assert.match(stdout, /^zswap {5}enabled, compressor zstd$/m);
});

test('status --json is the inventory', () => {
  using tree = hostTree(archive('spr-2s'));
  const { code, stdout } = iaaZswap(['--host', `root:${tree.root}`, '--json', 'status']);
  assert.equal(code, 0);
  const inventory = JSON.parse(stdout);
  assert.equal(inventory.schemaVersion, 1);
  assert.equal(inventory.cpu.online.length, 224);
});

test('a garbage machine is shown to its end, and nothing of it steers the terminal', () => {
  using tree = hostTree(archive('garbage'));
  for (const flags of [[], ['--json']]) {
    const { code, stdout, stderr } = iaaZswap(['--host', `root:${tree.root}`, ...flags, 'status']);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    assert.match(stdout, /^[\n\x20-\x7e]+$/);
  }
});

for (const [what, spec] of [
  ['a root that is not there', 'root:/nonexistent/dir'],
  ['a host of no kind', 'moon'],
] as const) {
  test(`${what} is one error with its mend and no stack trace`, () => {
    const { code, stdout, stderr } = iaaZswap(['--host', spec, 'status']);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^iaa-zswap: [^\n]+\n {2}mend: [^\n]+\n$/);
  });
}

test('a reader that goes away is no error', () => {
  using tree = hostTree(archive('spr-2s'));
  const command = '"$0" dist/cli.js --host "$1" --json status | head -c 1';
  const { stdout, stderr, status } = spawnSync(
    'bash',
    ['-o', 'pipefail', '-c', command, process.execPath, `root:${tree.root}`],
    { cwd: packageRoot(), encoding: 'utf8' },
  );
  assert.deepEqual([stdout, stderr, status], ['{', '', 0]);
});

/** Starts `status --watch` and ends it by a signal once it has said something. */
async function watched(signal: NodeJS.Signals, ...words: string[]) {
  const child = spawn(process.execPath, ['dist/cli.js', ...words], { cwd: packageRoot() });
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    // Two lines of JSON, or two screens.
    if (!child.killed && /\n.*\n/s.test(stdout)) child.kill(signal);
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`status --watch ends quietly at ${signal}`, async () => {
    using tree = hostTree(archive('debian-7.3-guest-swapping'));
    const host = `root:${tree.root}`;
    const text = await watched(signal, '--host', host, 'status', '--watch', '--interval', '0.1');
    assert.deepEqual([text.code, text.stderr], [code, '']);
    assert.match(text.stdout, /^root:\S+, every 0\.1 s, for \d+\.\d s, late /);
    assert.match(text.stdout, /^ {2}zswpout {2,}[\d,]+$/m);
    const json = await watched(signal, '--host', host, '--json', 'status', '--watch', '--interval', '0.01');
    assert.deepEqual([json.code, json.stderr], [code, '']);
    const lines = json.stdout.trimEnd().split('\n');
    assert.ok(lines.length >= 2);
    // On a busy machine ticks may be missing between them.
    const [first, second] = lines.slice(0, 2).map((line) => Number(JSON.parse(line).tick));
    assert.ok(first === 0 && second !== undefined && second > 0);
  });
}

test('status --watch ends when nobody reads any more, which is no error', () => {
  using tree = hostTree(archive('spr-2s'));
  const command = '"$0" dist/cli.js --host "$1" --json status --watch --interval 0.01 | head -n 1 | wc -l';
  const { stdout, stderr, status } = spawnSync(
    'bash',
    ['-o', 'pipefail', '-c', command, process.execPath, `root:${tree.root}`],
    { cwd: packageRoot(), encoding: 'utf8' },
  );
  assert.deepEqual([stdout.trim(), stderr, status], ['1', '', 0]);
});

test('status --watch of a cgroup shows its counters', async () => {
  using tree = hostTree(archive('debian-7.3-guest-swapping'));
  const group = '/sys/fs/cgroup/lab';
  mkdirSync(join(tree.root, group), { recursive: true });
  writeFileSync(join(tree.root, group, 'memory.stat'), 'anon 4096\nzswpout 5\n');
  const { stdout } = await watched(
    ...(['SIGINT', '--host', `root:${tree.root}`, '--json', 'status', '--watch'] as const),
    ...['--interval', '0.01', '--cgroup', `${group}/`],
  );
  assert.deepEqual(JSON.parse(stdout.split('\n')[0] ?? '').cgroup, {
    'memory.stat anon': { now: 4096 },
    'memory.stat zswpout': { now: 5 },
  });
});

for (const [what, code, words] of [
  ['--interval without --watch', 2, ['--interval', '1']],
  ['--interval 0', 2, ['--watch', '--interval', '0']],
  ['--interval 11', 2, ['--watch', '--interval', '11']],
  ['--interval of no number', 2, ['--watch', '--interval', '1e0']],
  ['a cgroup that is not there', 2, ['--watch', '--cgroup', '/sys/fs/cgroup/none']],
] as const) {
  test(`status with ${what} ends with ${code}`, () => {
    using tree = hostTree(archive('debian-7.3-guest-swapping'));
    const ended = iaaZswap(['--host', `root:${tree.root}`, 'status', ...words]);
    assert.deepEqual([ended.code, ended.stdout], [code, '']);
    assert.match(ended.stderr, /^iaa-zswap: [^\n]+\n {2}mend: [^\n]+\n$/);
  });
}

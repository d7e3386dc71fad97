import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

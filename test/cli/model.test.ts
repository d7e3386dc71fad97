/** The commands on a modelled machine. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packageRoot } from '../../src/native/load.js';
import { unpackTree } from '../../src/testing/index.js';
import { iaaZswap } from '../support/program.js';

let directory: string;
let experiment: string;
let state: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'cli-model-'));
  state = join(directory, 'state');
  experiment = join(directory, 'small.yaml');
  writeFileSync(
    experiment,
    `name: small
matrix: { compressor: [deflate-iaa, zstd], folio: [64kB] }
iaa: { wqs: [{ size: 128 }], driver: { verify_compress: false } }
cgroup: { memory.high: 64M }
workload: { usemem: { processes: 4, size: 32M, bind: 1 } }
model: { kernels: [mm-unstable-4-21-2025, v9] }
`,
  );
});
after(() => rmSync(directory, { recursive: true }));

const model = (...args: readonly string[]) => iaaZswap([...args, '--host', 'model:spr-2s']);

describe('on a modelled machine', () => {
  it('every view says what it is of', () => {
    for (const command of [['status'], ['topology'], ['doctor'], ['plan', experiment]]) {
      const { code, stdout } = model(...command);
      assert.equal(code, 0, command.join(' '));
      assert.match(stdout, /^source:? +model, model:spr-2s\n/, command.join(' '));
    }
  });

  it('plan knows the cells of all its kernels', () => {
    assert.match(model('plan', experiment, '--cell', '4').stdout, /cell 4: zstd, 64kB, v9/);
    const { code, stderr } = model('plan', experiment, '--cell', '5');
    assert.deepEqual([code, /has 4 cells, not 5/.test(stderr)], [2, true]);
    assert.match(
      iaaZswap(['plan', experiment, '--cell', '3', '--host', `root:${directory}`]).stderr,
      /2 cells/,
    );
  });

  it('run asks nothing, prints tables and keeps a record that report reads', () => {
    const { code, stdout, stderr } = model('run', experiment, '--state', state, '--seed', '5');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /64K folios: small: deflate-iaa:/);
    assert.match(stdout, /^ source: model \(Linux 6\.15\.0-rc3-mm and 6\.15\.0-rc3-v9, /m);
    assert.match(stderr, /booted v9/);
    const [name = ''] = readdirSync(join(state, 'runs'));
    assert.match(name, /^small-spr-2s-seed5-[0-9a-f]{8}$/);
    const report = iaaZswap(['report', join(state, 'runs', name)]);
    assert.equal(report.stdout, stdout);
  });

  it('run --json has the cells in the form of the published data', () => {
    const { stdout } = model('run', experiment, '--state', state, '--json');
    const { source, cells } = JSON.parse(stdout) as {
      source: string;
      cells: Record<string, unknown>[];
    };
    assert.equal(source, 'model');
    assert.deepEqual(
      cells.map(({ workload, folio, compressor, kernel, store }) => [
        ...[workload, folio, compressor, kernel, store],
      ]),
      [
        ['usemem4', '64k', 'deflate-iaa', 'mm-unstable-4-21-2025', 'sequential'],
        ['usemem4', '64k', 'zstd', 'mm-unstable-4-21-2025', 'sequential'],
        ['usemem4', '64k', 'deflate-iaa', 'v9', 'batch'],
        ['usemem4', '64k', 'zstd', 'v9', 'sequential'],
      ],
    );
  });

  it('apply leaves nothing behind: the machine ends with the command', () => {
    const { code, stdout } = model('apply', experiment, '--state', state);
    assert.equal(code, 0);
    assert.match(stdout, /zswap\.compressor: lzo -> deflate-iaa/);
    assert.match(stdout, /model:spr-2s ends with this command: nothing is left to put back\n$/);
    assert.equal(model('restore', '--state', state).stdout, 'nothing to restore\n');
    assert.equal(model('verify', experiment).code, 6);
  });

  it('a workload that it does not know is refused with exit 3, and nothing is kept', () => {
    const { code, stderr } = model(
      ...['run', experiment, '--state', join(directory, 'other')],
      ...['--set', 'workload.usemem.random=true'],
    );
    assert.equal(code, 3, stderr);
    assert.match(stderr, /the model cannot run usemem with -R/);
  });

  it('nothing can be watched where no time passes', () => {
    const { code, stderr } = model('status', '--watch');
    assert.equal(code, 3);
    assert.match(stderr, /time passes there only while a run lets it/);
  });

  it('a machine that is none is refused with exit 2', () => {
    const { code, stderr } = iaaZswap(['status', '--host', 'model:none']);
    assert.equal(code, 2);
    assert.match(stderr, /there is emr-2s, gnr-2s-6n, spr-2s/);
    const file = join(directory, 'bad.yaml');
    writeFileSync(file, 'name: x\n');
    assert.match(iaaZswap(['status', '--host', `model:${file}`]).stderr, /bad\.yaml:1: packages: missing/);
    for (const seed of ['-1', 'x', '2147483648'])
      assert.equal(model('run', experiment, `--seed=${seed}`).code, 2, seed);
  });
});

it('where IAA or zswap is missing, exit 3 names the modelled machine', () => {
  for (const machine of ['no-iaa', 'no-zswap']) {
    const root = join(directory, machine);
    mkdirSync(root);
    unpackTree(readFileSync(join(packageRoot(), 'test/hosts', `${machine}.host`), 'utf8'), root);
    const { code, stderr } = iaaZswap(['plan', experiment, '--host', `root:${root}`]);
    assert.equal(code, 3);
    assert.match(stderr, /--host model:spr-2s/);
  }
  const { code, stderr } = iaaZswap(['run', experiment, '--host', `mock:${directory}`, '--state', state]);
  assert.equal(code, 3);
  assert.match(stderr, /cannot run workloads\n.*--host model:spr-2s/);
});

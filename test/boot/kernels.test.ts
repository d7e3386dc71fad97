import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../src/native/load.js';
import type { MeasuredSet } from '../../src/study/cells.js';
import type { GuestKernel } from '../../src/vm/index.js';

const program = join(packageRoot(), 'dist/cli.js');

function call(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

function kernel(...args: readonly string[]): GuestKernel {
  const { status, stdout, stderr } = call('vm', 'fetch', '--json', ...args);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as GuestKernel;
}

test('two kernels, each in a boot of its own, give one record and one table', () => {
  const kernels = [kernel('--suite', 'trixie'), kernel()];
  const releases = kernels.map(({ release }) => release);
  const directory = mkdtempSync(join(tmpdir(), 'kernels-'));
  try {
    const file = join(directory, 'kernels.yaml');
    const tiny = readFileSync(join(packageRoot(), 'test/vm/programs/tiny.yaml'), 'utf8');
    const names = releases.map((release, index) => `{ name: ${['old', 'new'][index]}, release: ${release} }`);
    writeFileSync(
      file,
      tiny
        .replace('folio: [64kB, 2048kB]', `folio: [64kB]\n  kernel: [${names.join(', ')}]`)
        .replace(/^name: .*/m, 'name: kernels\nrepetitions: 2'),
    );
    const run = (release: string, ...more: readonly string[]) =>
      call('vm', 'run', '--state', directory, '--kernel', release, '--resume', ...more, file);
    const [older = '', newer = ''] = releases;
    const first = run(older);
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stderr, new RegExp(`waiting for new: boot ${newer.replaceAll('+', '\\+')}, then`));
    const second = run(newer, '--json');
    assert.equal(second.status, 0, second.stderr);
    assert.match(second.stderr, /kernels: 4 of 8 cells are finished in /);
    const { cells } = JSON.parse(second.stdout) as MeasuredSet;
    assert.deepEqual(
      cells.map(({ kernel: name, compressor, n }) => [name, compressor, n]),
      [
        ['old', 'lzo', 2],
        ['old', 'zstd', 2],
        ['new', 'lzo', 2],
        ['new', 'zstd', 2],
      ],
    );
    const [record, ...others] = JSON.parse(call('runs', '--json', '--state', directory).stdout);
    assert.deepEqual([others.length, record.state, record.cellsFinished], [0, 'complete', 8]);
    assert.deepEqual(record.kernels, releases);
    const { stdout } = call('report', record.directory);
    const lines = stdout.split('\n').map((line) => line.trim().replace(/\s+/g, ' '));
    for (const compressor of ['lzo', 'zstd']) {
      const at = lines.indexOf(`64K folios: kernels: ${compressor}:`);
      assert.ok(at >= 0, stdout);
      assert.deepEqual(lines.slice(at + 4, at + 7)[0], 'old new');
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

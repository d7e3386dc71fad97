import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Estimate } from '../../src/estimate/estimate.js';
import { packageRoot } from '../../src/native/load.js';
import { chargedLengths, pagesOf } from '../support/anonymous-pages.js';
import { iaaZswap } from '../support/program.js';

const text = readFileSync('package-lock.json').subarray(0, 40_001);
let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'estimate-'));
});
after(() => rmSync(directory, { recursive: true }));

function file(name: string, data: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, data);
  return path;
}

function estimateOf(args: readonly string[]): Estimate {
  const outcome = iaaZswap(['estimate', '--json', ...args]);
  assert.equal(outcome.code, 0, outcome.stderr);
  return JSON.parse(outcome.stdout) as Estimate;
}

/** All but the times. */
function sizesOf({ compressors }: Estimate): unknown {
  return compressors.map(({ microsecondsPerPage, ...sizes }) => sizes);
}

describe('estimate', () => {
  it('prints what the codec makes of a file whose length is no multiple of 4096', () => {
    const lengths = chargedLengths('deflate-iaa', pagesOf(text));
    const charged = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    const { code, stdout } = iaaZswap(['estimate', file('text', text), '--limit', '16K']);
    assert.equal(code, 0);
    assert.match(stdout, /text: 10 pages, 10 of them read\n/);
    const ratio = (4096 / charged).toFixed(3);
    const row = ['deflate-iaa', ratio, `${ratio}\\.\\.${ratio}`, '0\\.0%', charged.toFixed(0)];
    assert.match(stdout, new RegExp(`^${row.join(' +')} +\\d+ +\\d+\\.\\d\\d$`, 'm'));
    assert.match(stdout, /^under the limit +swapped MiB +charged MiB +host MiB +saved MiB$/m);
    assert.match(stdout, /^lzo-rle is absent: its format is in no library$/m);
  });

  it('gives the same for standard input', () => {
    const path = file('text', text);
    const { stdout } = spawnSync(
      process.execPath,
      [join(packageRoot(), 'dist/cli.js'), 'estimate', '--json', '-'],
      { encoding: 'utf8', input: text },
    );
    const piped = JSON.parse(stdout) as Estimate;
    assert.deepEqual(piped.sources, ['standard input']);
    assert.deepEqual(sizesOf(piped), sizesOf(estimateOf([path])));
  });

  it('says that an empty file has no pages, and leaves it out beside others', () => {
    const empty = file('empty', new Uint8Array(0));
    const outcome = iaaZswap(['estimate', empty]);
    assert.equal(outcome.code, 2);
    assert.match(outcome.stderr, /there are no pages in .*empty\n {2}mend: /);
    const path = file('text', text);
    assert.deepEqual(sizesOf(estimateOf([empty, path])), sizesOf(estimateOf([path])));
  });

  it('goes on without a process of a cgroup that has ended, and says so', () => {
    const group = join(directory, 'group');
    mkdirSync(group);
    // Above every pid_max.
    writeFileSync(join(group, 'cgroup.procs'), `${process.pid}\n${2 ** 22 + 1}\n`);
    const { code, stdout, stderr } = iaaZswap(['estimate', '--json', '--cgroup', group, '--pages', '64']);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^estimate: left out: there is no process 4194305$/m);
    const { sources, sampledPages } = JSON.parse(stdout) as Estimate;
    assert.deepEqual(sources, [`process ${process.pid}`]);
    assert.ok(sampledPages > 0);
  });

  it('fails when there is no such process (3)', () => {
    const outcome = iaaZswap(['estimate', '--pid', '4194305']);
    assert.equal(outcome.code, 3, outcome.stderr);
    assert.match(outcome.stderr, /there is no process 4194305/);
  });
});

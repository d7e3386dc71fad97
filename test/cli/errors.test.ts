import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { iaaZswap } from '../support/program.js';

let directory: string;
let empty: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'cli-'));
  empty = join(directory, 'empty');
  mkdirSync(empty);
});
after(() => rmSync(directory, { recursive: true }));

/** The command fails with this code, tells it in one error with a way to mend it, and shows no stack trace. */
function fails(args: readonly string[], code: number, expected: RegExp): void {
  const outcome = iaaZswap(args);
  assert.equal(outcome.code, code, outcome.stderr);
  assert.match(outcome.stderr, expected);
  assert.doesNotMatch(outcome.stderr, /\n\s+at |internal error/);
  assert.equal(outcome.stdout, '');
}

function file(name: string, text: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const good = 'name: x\nmatrix: { compressor: [zstd], folio: [64kB] }\nworkload: { usemem: { size: 1m } }\n';

describe('bad experiment files are told with file and line, exit 2', () => {
  const cases: [string, string, RegExp][] = [
    ['an unknown key', `${good}zwap: 1\n`, /unknown-0\.yaml:4: zwap: unknown key; known here: name, /],
    ['a wrong type', good.replace('[zstd]', '3'), /unknown-1\.yaml:2: matrix\.compressor: expected array/],
    [
      'an impossible size',
      good.replace('1m', '1q'),
      /unknown-2\.yaml:3: workload\.usemem\.size: expected a size/,
    ],
    ['a YAML bomb', 'a: &a [1,1]\nb: [*a,*a]\n', /unknown-3\.yaml:2: aliases/],
  ];
  for (const [index, [what, text, expected]] of cases.entries()) {
    it(what, () => {
      const path = file(`unknown-${index}.yaml`, text);
      for (const command of ['plan', 'apply', 'verify', 'run']) fails([command, path], 2, expected);
    });
  }
  it('a missing file', () =>
    fails(['plan', join(directory, 'none.yaml')], 2, /none\.yaml: no such file\n {2}mend: /));
  it('a binary file', () => fails(['plan', file('binary.yaml', Buffer.from([0xff, 0, 1]))], 2, /not UTF-8/));
  it('escape bytes of a file never reach the terminal raw', () => {
    const outcome = iaaZswap(['plan', file('escape.yaml', `${good}"\\e[31m": 1\n`)]);
    assert.equal(outcome.code, 2);
    assert.ok(!outcome.stderr.includes('\x1b'), JSON.stringify(outcome.stderr));
    assert.match(outcome.stderr, /\\x1b\[31m/);
  });
});

describe('bad roots are told with path and mend', () => {
  const plan = () => file('good.yaml', good);
  it('one that is not there', () =>
    fails(['status', '--host', `root:${directory}/none`], 2, /none cannot be opened: ENOENT\n {2}mend: /));
  it('one that is no machine', () =>
    fails(['status', '--host', `root:${empty}`], 2, /not the root of a machine[^\n]*\n {2}mend: /));
  it('a file that is no trace', () =>
    fails(['status', '--host', `root:${plan()}`], 1, /good\.yaml:1: not a line/));
  it('a FIFO', () => {
    execFileSync('mkfifo', [join(directory, 'fifo')]);
    fails(['status', '--host', `root:${directory}/fifo`], 2, /fifo/);
  });
  it('a word that is no host', () =>
    fails(['status', '--host', 'moon:x'], 2, /no such host: "moon:x"\n {2}mend: /));
});

describe('the command line', () => {
  it('without a command, or with an unknown one, is usage (2)', () => {
    assert.equal(iaaZswap([]).code, 2);
    const unknown = iaaZswap(['rnu']);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /unknown command 'rnu'[\s\S]*Did you mean run/);
  });
  it('names the cells there are', () =>
    fails(['plan', '--cell', '2', file('one.yaml', good)], 2, /one\.yaml has 1 cells, not 2/));
  it('cannot run on a captured tree (3)', () => {
    mkdirSync(join(empty, 'proc'), { recursive: true });
    fails(['run', '--yes', '--host', `root:${empty}`, file('one.yaml', good)], 3, /cannot run workloads/);
    rmSync(join(empty, 'proc'), { recursive: true });
  });
  it('does not change the live machine without --yes when nobody can be asked', () => {
    const outcome = iaaZswap(['run', file('one.yaml', good)], { IAA_ZSWAP_TEST: '1' });
    assert.notEqual(outcome.code, 0);
    assert.match(outcome.stderr, /not written to while IAA_ZSWAP_TEST=1|needs root/);
  });
});

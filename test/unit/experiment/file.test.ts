import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ExperimentError } from '../../../src/errors.js';
import { parseExperiment, readExperiment } from '../../../src/experiment/file.js';

const good = `
name: small
matrix:
  compressor: [lzo, zstd]
  folio: [64kB, 2M]
cgroup:
  memory.high: 64M
workload:
  usemem: { processes: 2, size: 64M, bind: 1 }
`;

function issuesOf(text: string): string[] {
  try {
    parseExperiment(text, 'x.yaml');
  } catch (error) {
    assert.ok(error instanceof ExperimentError, String(error));
    assert.equal(error.exitCode, 2);
    return error.message.split('\n');
  }
  throw new Error('was accepted');
}

describe('parseExperiment', () => {
  it('reads sizes in bytes, folio sizes by the kernel name, and fills the defaults', () => {
    const experiment = parseExperiment(good, 'x.yaml');
    assert.deepEqual(experiment.matrix.folio, ['64kB', '2048kB']);
    assert.equal(experiment.cgroup['memory.high'], 67108864n);
    assert.equal(experiment.workload.usemem?.size, 67108864n);
    assert.equal(experiment.workload.usemem?.sleep_s, 0);
    assert.deepEqual(experiment.limits, {
      time_s: 3600,
      no_progress_s: 120,
      setup_s: 1800,
      cleanup_s: 600,
    });
    assert.equal(experiment.bounds.pool_limit_hit, 0);
  });

  const wrong: [string, string, RegExp][] = [
    [
      'a step of half a word',
      good.replace('bind: 1', 'step: 12'),
      /^x\.yaml:9: workload\.usemem\.step: expected a multiple of 8 bytes/,
    ],
    [
      'a ratio that cannot be',
      good.replace('bind: 1', 'content: ratio:17'),
      /^x\.yaml:9: workload\.usemem\.content: expected counter, random/,
    ],
    [
      'a seed of what has none',
      good.replace('bind: 1', 'seed: 1'),
      /^x\.yaml:9: workload\.usemem\.seed: only random and ratio/,
    ],
    [
      'contents of what is not written',
      good.replace('bind: 1', 'readonly: true, content: zero'),
      /^x\.yaml:9: workload\.usemem\.content: with readonly nothing is written/,
    ],
    [
      'mappings that cannot all be there at the start',
      good.replace('bind: 1', 'sync_rw: true, unit: 1M'),
      /^x\.yaml:9: workload\.usemem\.unit: with sync_rw there is one mapping/,
    ],
    [
      'no workload',
      good.replace(/usemem: .*/, 'user: root'),
      /^x\.yaml:8: workload: expected one of usemem, madvise, build, command$/,
    ],
    [
      'two workloads',
      `${good}  madvise: { size: 1M }\n`,
      /^x\.yaml:8: workload: expected one of .*, not usemem and madvise$/,
    ],
    [
      'another kind of workload',
      good.replace('usemem:', 'redis:'),
      /^x\.yaml:9: workload\.redis: unknown key; known here: user, usemem, madvise, build, command$/,
    ],
    [
      'a user that cannot be',
      `${good}  user: "a b"\n`,
      /^x\.yaml:10: workload\.user: expected the name or number of a user$/,
    ],
    [
      'a user that the kernel takes for none',
      `${good}  user: 4294967295\n`,
      /^x\.yaml:10: workload\.user: must be at most 4294967294$/,
    ],
    ...(
      [
        ['madvise: { size: 5000 }', /madvise\.size: expected a multiple of 4096/],
        ['madvise: { size: 1M, rounds: 0 }', /madvise\.rounds: must be at least 1/],
        ['madvise: { size: 1M, seed: 1 }', /madvise\.seed: only random and ratio/],
        ['build: { config: -j1 }', /build\.config: expected none, or a target/],
        ['build: { config: none, source: linux }', /build\.source: expected an absolute path/],
        ['build: { config: none, source: "/a b" }', /build\.source: expected an absolute path/],
        ['build: { config: none, directory: "/$(x)" }', /build\.directory: expected an absolute path/],
        ['build: { config: none, make: ["-f/etc/x"] }', /build\.make\[0\]: expected a target/],
        ['command: { argv: [] }', /command\.argv: must not be empty/],
        ['command: { argv: [true] }', /command\.argv\[0\]: expected string/],
        ['command: { argv: ["true"] }', /command\.argv: expected a program by its absolute path/],
        ['command: { argv: [/bin/true, "a\\nb"] }', /command\.argv\[1\]: must not have control/],
        ['command: { argv: [/bin/true], setup: [[ls]] }', /command\.setup\[0\]: expected a program/],
        ['command: { argv: [/bin/true], name: usemem3 }', /command\.name: is the name of another kind/],
        ['command: { argv: [/bin/true], throughput: "[" }', /command\.throughput: expected a regular/],
        ['command: { argv: [/bin/true], throughput: "x" }', /command\.throughput: expected a regular/],
        ['command: { argv: [/bin/true], directory: tmp }', /command\.directory: expected an absolute/],
      ] as const
    ).map(([workload, expected]): [string, string, RegExp] => [
      workload,
      good.replace(/usemem: .*/, workload),
      expected,
    ]),
    [
      'an unknown key',
      good.replace('memory.high', 'memory.hihg'),
      /^x\.yaml:7: cgroup\."memory\.hihg": unknown key; known here: memory\.high, /,
    ],
    ['an unknown key at the top', `${good}zwap: {}\n`, /^x\.yaml:10: zwap: unknown key; known here: name, /],
    ['a wrong type', good.replace('[lzo, zstd]', '7'), /^x\.yaml:4: matrix\.compressor: expected array/],
    [
      'a wrong number',
      good.replace('processes: 2', 'processes: 0'),
      /^x\.yaml:9: workload\.usemem\.processes: must be at least 1/,
    ],
    [
      'a fraction',
      good.replace('processes: 2', 'processes: 1.5'),
      /^x\.yaml:9: workload\.usemem\.processes: expected a whole number/,
    ],
    [
      'an impossible size',
      good.replace('size: 64M', 'size: 64Q'),
      /^x\.yaml:9: workload\.usemem\.size: expected a size as/,
    ],
    [
      'a size of nothing',
      good.replace('size: 64M', 'size: 0'),
      /^x\.yaml:9: workload\.usemem\.size: expected a size as/,
    ],
    [
      'a size beyond 2^63',
      good.replace('size: 64M', 'size: 99999999t'),
      /^x\.yaml:9: workload\.usemem\.size: expected a size as/,
    ],
    [
      'a limit that is not whole pages',
      good.replace('memory.high: 64M', 'memory.high: 5000'),
      /^x\.yaml:7: cgroup\."memory\.high": expected max or a size that is a multiple of 4096/,
    ],
    [
      'a folio size that is none',
      good.replace('2M', '3M'),
      /^x\.yaml:5: matrix\.folio\[1\]: expected a folio size/,
    ],
    [
      'a compressor twice',
      good.replace('[lzo, zstd]', '[lzo, lzo]'),
      /^x\.yaml:4: matrix\.compressor: names a compressor twice/,
    ],
    [
      'a compressor with a slash',
      good.replace('[lzo, zstd]', '[../x]'),
      /^x\.yaml:4: matrix\.compressor\[0\]: expected the name/,
    ],
    [
      'an empty matrix axis',
      good.replace('[lzo, zstd]', '[]'),
      /^x\.yaml:4: matrix\.compressor: must not be empty/,
    ],
    ['a missing part', good.replace(/workload:[\s\S]*/, ''), /^x\.yaml:1: workload: missing/],
    ['broken YAML', good.replace('[lzo, zstd]', '[lzo, zstd'), /^x\.yaml:\d+: not YAML: /],
    ['a key twice', good.replace('name: small', 'name: small\nname: big'), /^x\.yaml:3: not YAML: /],
    ['an empty file', '', /^x\.yaml:1: expected object/],
    ['a list', '- 1\n', /^x\.yaml:1: expected object/],
  ];
  for (const [what, text, expected] of wrong) {
    it(`refuses ${what} with its line`, () => {
      const lines = issuesOf(text);
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0] ?? '', expected);
    });
  }

  it('tells of everything that is wrong, in the order of the lines', () => {
    const lines = issuesOf(good.replace('[lzo, zstd]', '7').replace('processes: 2', 'processes: 0'));
    assert.deepEqual(
      lines.map((line) => line.split(':')[1]),
      ['4', '9'],
    );
  });

  it('refuses a YAML bomb at once', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi'].map((pair) => [...pair])) {
      bomb.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(',')}]`);
    }
    const [line] = issuesOf(bomb.join('\n'));
    assert.match(line ?? '', /^x\.yaml:2: aliases \(\*name\) are not accepted/);
  });

  it('refuses 60,000 nested brackets without a stack trace', () => {
    const [line] = issuesOf('['.repeat(60_000));
    assert.match(line ?? '', /^x\.yaml:\d+: /);
  });
});

describe('readExperiment', () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'experiment-'));
  });
  after(() => rmSync(dir, { recursive: true }));

  async function messageOf(file: string): Promise<string> {
    const error = await readExperiment(file).then(
      () => new Error('was accepted'),
      (caught: unknown) => caught,
    );
    assert.ok(error instanceof ExperimentError, String(error));
    assert.ok(error.hint, 'says how to mend it');
    return error.message;
  }

  it('names a missing file', async () => {
    const file = join(dir, 'none.yaml');
    assert.equal(await messageOf(file), `${file}: no such file`);
  });
  it('refuses a folder, a FIFO and a device without reading them', async () => {
    execFileSync('mkfifo', [join(dir, 'fifo')]);
    symlinkSync('/dev/zero', join(dir, 'device'));
    for (const name of ['.', 'fifo', 'device']) {
      assert.equal(await messageOf(join(dir, name)), `${join(dir, name)}: not a regular file`);
    }
  });
  it('refuses a file that is too large or not text', async () => {
    writeFileSync(join(dir, 'large.yaml'), '#'.repeat(70_000));
    assert.match(await messageOf(join(dir, 'large.yaml')), /larger than 65536 bytes/);
    writeFileSync(join(dir, 'binary.yaml'), Buffer.from([0xff, 0xfe, 0x00, 0x80]));
    assert.match(await messageOf(join(dir, 'binary.yaml')), /not UTF-8 text/);
  });
});

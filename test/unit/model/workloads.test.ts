import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RequirementError } from '../../../src/errors.js';
import { modelledProgram, saidBy } from '../../../src/model/workloads.js';
import { parseUsemem } from '../../../src/run/usemem-output.js';

const letter = ['usemem', '--init-time', '-w', '-O', '-b', '1', '-s', '10', '-n', '30', '10g'];

describe('command lines that the model knows', () => {
  test("the letter's, however its options are written", () => {
    const expected = {
      kind: 'model',
      workload: {
        kind: 'usemem',
        tasks: 30,
        bindInterval: 1,
        taskPages: 2_621_440,
        unitPages: 2_621_440,
        stepBytes: 8,
        sleepNs: 10e9,
      },
      content: { kind: 'counter', seed: 0 },
      tellsInit: true,
    };
    assert.deepEqual(modelledProgram(letter), expected);
    assert.deepEqual(
      modelledProgram(['/opt/usemem', '-wOb1', '--init-time', '-s10', '--nproc=30', '10g']),
      expected,
    );
  });

  test('units, steps, contents', () => {
    const found = modelledProgram([
      ...['usemem', '-O', '-u', '1m', '-j', '4096', '--content', 'ratio:2.5', '--seed', '7', '4m'],
    ]);
    assert.deepEqual(found.kind === 'model' && [found.workload, found.content], [
      {
        kind: 'usemem',
        tasks: 1,
        bindInterval: 0,
        taskPages: 1024,
        unitPages: 256,
        stepBytes: 4096,
        sleepNs: 0,
      },
      { kind: 'ratio', ratio: 2.5, seed: 7 },
    ]);
  });

  const build = ['/usr/bin/make', '-s', '-C', '/usr/src/linux', 'O=/var/tmp/x', '-j32'];
  test('a build of allmodconfig, and what is before and after it', () => {
    const found = modelledProgram(build);
    assert.deepEqual(found.kind === 'model' && found.workload, {
      kind: 'build',
      workers: 32,
      partPerMillion: 1_000_000,
    });
    for (const argv of [
      [...build, 'allmodconfig'],
      ['/usr/bin/rm', '-rf', '--', '/var/tmp/x'],
      ['/usr/bin/mkdir', '--', '/var/tmp/x'],
    ]) {
      assert.deepEqual(modelledProgram(argv), { kind: 'nothing' });
    }
  });

  const refused: readonly (readonly [string, readonly string[]])[] = [
    ['another program', ['/bin/true']],
    ['another configuration', [...build, 'defconfig']],
    ['targets', [...build, 'vmlinux']],
    ['a build of something else', ['/usr/bin/make', '-s', '-C', '/x', '-j2']],
    ['an option that is none', ['usemem', '-O', '--fast', '1m']],
    ['no size', ['usemem', '-O']],
    ['two sizes', ['usemem', '-O', '1m', '2m']],
    ['memory of another kind', ['usemem', '1m']],
    ['parts of pages', ['usemem', '-O', '1000']],
    ['a file', ['usemem', '-O', '--content', 'file:/etc/passwd', '1m']],
    ['a ratio out of bounds', ['usemem', '-O', '--content', 'ratio:17', '1m']],
    ...['-o', '-R', '-Z', '-y', '-x', '-t2', '-r2', '-e5'].map(
      (flag) => [flag, ['usemem', '-O', flag, '1m']] as const,
    ),
  ];
  for (const [what, argv] of refused) {
    test(`refused: ${what}`, () => {
      assert.throws(
        () => modelledProgram(argv),
        (error) => error instanceof RequirementError && /usemem|make/.test(error.hint ?? ''),
      );
    });
  }

  test('one pass and one thread are what there is anyway', () => {
    assert.equal(modelledProgram(['usemem', '-O', '-t1', '-r1', '1m']).kind, 'model');
  });
});

describe('what usemem says', () => {
  const program = modelledProgram(letter);
  const task = {
    workedNs: 58_097_421_000,
    freeingBeganNs: 60e9,
    freedNs: 61_829_340_000,
    maxResidentPages: 1,
  };

  test('is as the real one prints it, in the order of times', () => {
    assert.ok(program.kind === 'model');
    const said = saidBy(program, [{ ...task, workedNs: 59e9, freedNs: 70e9 }, task]);
    assert.equal(said.exitCode, 0);
    const { initUsecs, processes, freeUsecs } = parseUsemem(said.stdout);
    assert.equal(initUsecs, 0n);
    // The letter's line for 10g (docs/usemem.md).
    assert.deepEqual(processes, [
      { bytes: 12079595520n, usecs: 58097421n, kbPerSec: 203046n },
      { bytes: 12079595520n, usecs: 59000000n, kbPerSec: 199940n },
    ]);
    assert.deepEqual(freeUsecs, [1829340n, 10000000n]);
  });

  test('counts the words of each unit', () => {
    const stepped = modelledProgram(['usemem', '-O', '-u', '12k', '-j', '8192', '32k']);
    assert.ok(stepped.kind === 'model');
    // 32k / 8, and two words in each of the units of 12k, one in that of 8k.
    assert.match(saidBy(stepped, [task]).stdout, /^4136 bytes \/ 58097421 usecs/);
  });

  test('a process that was killed is reported, and frees nothing', () => {
    assert.ok(program.kind === 'model');
    const dead = {
      maxResidentPages: 1,
      workedNs: undefined,
      freeingBeganNs: 1,
      freedNs: 2,
      signal: 'SIGBUS',
    };
    const said = saidBy(program, [task, dead]);
    assert.equal(said.exitCode, 1);
    assert.match(said.stderr, /^usemem: process 1 \(pid \d+\) ended by SIGBUS\n$/);
    assert.equal(parseUsemem(said.stdout).processes.length, 1);
  });
});

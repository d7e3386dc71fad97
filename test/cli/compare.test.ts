import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { iaaZswap } from '../support/program.js';
import { makeRecord } from '../support/records.js';

const steady = [1000, 1004, 998, 1002, 1001, 999];

describe('compare', () => {
  let runs: string;
  let base: string;
  let slower: string;
  before(async () => {
    runs = mkdtempSync(join(tmpdir(), 'compare-'));
    base = await makeRecord(runs, 'base', { throughputs: steady });
    slower = await makeRecord(runs, 'slower', {
      throughputs: steady.map((value) => value * 0.9),
      release: '7.4.0',
    });
  });
  after(() => rmSync(runs, { recursive: true }));

  it('prints what has changed, with its test', () => {
    const { code, stdout, stderr } = iaaZswap(['compare', base, slower]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^ source: emulated \(a CPU, machine 01234567\)$/m);
    assert.match(stdout, /^ kernel: 7\.3\.4 -> 7\.4\.0$/m);
    assert.match(stdout, /^ Total throughput \(KB\/s\) .*-10\.\d+% {2}p=0\.002 n=6$/m);
  });

  it('gates: 6 for a worse record, 0 for the same one', () => {
    const condition = ['--fail-if', 'throughput < -3%'];
    const worse = iaaZswap(['compare', base, slower, ...condition]);
    assert.equal(worse.code, 6, worse.stdout);
    assert.match(worse.stdout, /^ FAILED {2}throughput < -3% {2}usemem1/m);
    assert.equal(iaaZswap(['compare', base, base, ...condition]).code, 0);
    assert.equal(iaaZswap(['compare', base, slower, '--fail-if', 'throughput < -20%']).code, 0);
    const { gate, base: name } = JSON.parse(
      iaaZswap(['compare', base, slower, '--json', ...condition]).stdout,
    );
    assert.deepEqual([gate.fires, gate.checks.length, name], [true, 1, 'base']);
  });

  it('refuses what does not compare, and says why', async () => {
    const other = await makeRecord(runs, 'other', { throughputs: steady, size: '128m' });
    const elsewhere = await makeRecord(runs, 'elsewhere', { throughputs: steady, cpuModel: 'another CPU' });
    const few = await makeRecord(runs, 'few', { throughputs: [1, 2, 3] });
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[base, other], /another workload \('usemem -n 1 64m', 'usemem -n 1 128m'\)/],
      [[base, elsewhere], /do not compare: another machine/],
      [[base, few, '--fail-if', 'throughput < -3%'], /fewest|at least|too few/],
      [[base, slower, '--fail-if', 'throughput'], /is no condition/],
      [[base, slower, '--aa', base], /--aa belongs to --fail-if/],
    ];
    for (const [args, expected] of cases) {
      const { code, stderr } = iaaZswap(['compare', ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, expected);
    }
    const { code, stderr } = iaaZswap(['compare', base, join(runs, 'nowhere')]);
    assert.equal(code, 1);
    assert.match(stderr, /manifest\.json: cannot be read: ENOENT/);
  });
});

/** The libraries as a user sees them: their types, and the examples. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../../src/native/load.js';
import { assertGolden } from '../support/golden.js';
import { makeRecord } from '../support/records.js';

const examples = join(packageRoot(), 'build/test/examples');

function run(name: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(examples, name), ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

describe('the types of the libraries', () => {
  for (const name of ['index.d.ts', 'testing.d.ts']) {
    it(`${name} are those that were agreed upon`, () => {
      assertGolden(
        `api/${name.replace('.ts', '.txt')}`,
        readFileSync(join(packageRoot(), 'dist', name), 'utf8'),
      );
    });
  }
});

describe('the examples', () => {
  it('are all tried here or in the guest', () => {
    assert.deepEqual(readdirSync(join(packageRoot(), 'examples')).sort(), [
      'configure-a-mock.ts',
      'gate-two-records.ts',
      'watch-a-run.ts',
    ]);
  });

  it('configure-a-mock', () => {
    const { status, stdout, stderr } = run('configure-a-mock.js');
    assert.equal(status, 0, stderr);
    const lines = stdout.split('\n');
    assert.match(lines[0] ?? '', /^\d+ steps, wq1\.1 has 64 entries$/);
    assert.deepEqual(lines.slice(1), ['differences from the plan: 0', 'wq1.1 has 0 entries as before', '']);
  });

  it('gate-two-records ends with 6 for a worse record, with 0 for the same one', async () => {
    const runs = mkdtempSync(join(tmpdir(), 'gate-'));
    try {
      const throughputs = [1000, 1004, 998, 1002, 1001, 999];
      const base = await makeRecord(runs, 'base', { throughputs });
      const worse = await makeRecord(runs, 'worse', { throughputs: throughputs.map((value) => value * 0.9) });
      const outcome = run('gate-two-records.js', base, worse);
      assert.equal(outcome.status, 6, outcome.stderr);
      assert.match(outcome.stdout, /FAILED {2}throughput < -3%/);
      assert.equal(run('gate-two-records.js', base, base).status, 0);
    } finally {
      rmSync(runs, { recursive: true });
    }
  });

  it('watch-a-run says what is wrong with its file before it opens the machine', () => {
    const { status, stderr } = run('watch-a-run.js', '/no/such.yaml', '/no/state');
    assert.notEqual(status, 0);
    assert.match(stderr, /ExperimentError: \/no\/such\.yaml: no such file/);
  });
});

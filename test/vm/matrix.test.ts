import assert from 'node:assert/strict';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';
import type { MeasuredSet } from '../../src/study/cells.js';
import type { Guest } from '../../src/vm/index.js';
import { guestTest, output } from '../support/guest.js';

const program = join(packageRoot(), 'dist/cli.js');
const programs = join(packageRoot(), 'build/test/test/vm/programs');
const matrix = join(packageRoot(), 'test/vm/programs/matrix.yaml');
const state = '/run/matrix';

async function attributes(guest: Guest): Promise<string> {
  return JSON.stringify(
    JSON.parse(await output(guest, process.execPath, program, 'status', '--json')).attributes,
  );
}

guestTest('a matrix that is killed in its middle is gone on with, and gives one report', async (guest) => {
  const before = await attributes(guest);
  await output(guest, process.execPath, join(programs, 'killed.js'), program, matrix, state, '6');
  const argv = [process.execPath, program, 'run', '--resume', '--yes', '--json', '--state', state, matrix];
  const { exitCode, stdout, stderr } = await guest.run(argv);
  assert.equal(exitCode, 0, stderr.toString());
  assert.match(stderr.toString(), /^matrix: put back what an earlier run had left: \d+ changes$/m);
  assert.match(stderr.toString(), /^matrix: 5 of 12 cells are finished in /m);
  // The one that was cut off runs again.
  assert.match(stderr.toString(), /^matrix: cell 6 of 12 \(zstd, 64kB, repetition 2\): running$/m);
  const { cells } = JSON.parse(stdout.toString()) as MeasuredSet;
  assert.deepEqual(
    cells.map(({ compressor, folio, n, samples }) => [compressor, folio, n, samples?.['zswpout']?.length]),
    [
      ['lzo', '64k', 3, 3],
      ['zstd', '64k', 3, 3],
      ['lzo', '2048k', 3, 3],
      ['zstd', '2048k', 3, 3],
    ],
  );
  assert.equal(await attributes(guest), before);

  const [record, ...others] = JSON.parse(
    await output(guest, process.execPath, program, 'runs', '--json', '--state', state),
  );
  assert.deepEqual(others, []);
  assert.deepEqual([record.state, record.cells, record.cellsFinished], ['complete', 12, 12]);
  const manifest = JSON.parse(await output(guest, 'cat', join(record.directory, 'manifest.json')));
  assert.equal(manifest.sessions.length, 2);

  // Nothing is left: at the next boot a unit would find it so.
  const again = await guest.run(argv);
  assert.equal(again.exitCode, 0);
  assert.match(again.stderr.toString(), /^matrix: 12 of 12 cells are finished in /m);
  assert.doesNotMatch(again.stderr.toString(), /configuring/);
});

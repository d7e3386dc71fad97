// Start-up of the program: dist/cli.js --help beside a Node program without a line in it. Aim: 1.5 times.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { existing, output, table, takeTurns } from '../measure.mjs';

const rounds = 15;

function milliseconds(...args) {
  const start = performance.now();
  output(process.execPath, ...args);
  return performance.now() - start;
}

export async function run() {
  const program = existing('dist/cli.js', "build it: 'npm run build'");
  const directory = mkdtempSync(join(tmpdir(), 'iaa-zswap-bench-'));
  try {
    const empty = join(directory, 'empty.mjs');
    writeFileSync(empty, '');
    const values = await takeTurns(
      {
        'empty program': () => milliseconds(empty),
        'dist/cli.js --help': () => milliseconds(program, '--help'),
      },
      rounds,
    );
    console.log(table(values, `ms, of ${rounds} starts`));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

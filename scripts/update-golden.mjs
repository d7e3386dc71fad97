// Writes test/golden and the examples in the documents anew from what the program says now:
// node scripts/update-golden.mjs; then review git diff.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

for (const [program, ...args] of [
  [process.execPath, 'scripts/build.mjs'],
  ['node_modules/.bin/tsc', '-p', 'tsconfig.test.json'],
  // The machines first: the others read them.
  [process.execPath, '--test', 'build/test/test/hosts/machines.test.js'],
  [process.execPath, '--test', 'build/test/test/hosts/', 'build/test/test/cli/docs.test.js'],
  [process.execPath, '--test', 'build/test/test/cli/api.test.js'],
]) {
  const { status, error } = spawnSync(program, args, {
    stdio: 'inherit',
    env: { ...process.env, UPDATE_GOLDEN: '1' },
  });
  if (error) throw error;
  if (status !== 0) process.exit(1);
}

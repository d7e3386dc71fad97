// Writes test/golden anew from what the program says now: node scripts/update-golden.mjs; then review git diff.
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

for (const [program, ...args] of [
  ['node_modules/.bin/tsc', '-p', 'tsconfig.test.json'],
  [process.execPath, '--test', 'build/test/test/hosts/'],
]) {
  const { status, error } = spawnSync(program, args, {
    stdio: 'inherit',
    env: { ...process.env, UPDATE_GOLDEN: '1' },
  });
  if (error) throw error;
  if (status !== 0) process.exit(1);
}

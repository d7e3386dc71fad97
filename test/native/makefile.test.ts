/** native/Makefile: the workloads alone, without Node. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../src/native/load.js';
import { parseUsemem } from '../../src/run/usemem-output.js';
import { tempDirectory } from '../support/temp-directory.js';

test('make builds the programs from what is there', (t) => {
  const folder = join(tempDirectory(t), 'native');
  cpSync(join(packageRoot(), 'native'), folder, { recursive: true });
  const make = (...words: string[]) =>
    execFileSync('make', ['-s', '-C', folder, ...words], { encoding: 'utf8', stdio: 'pipe' });
  make(`-j${availableParallelism()}`, 'CXXFLAGS=-O0 -Wall -Wextra -Werror');
  const run = (program: string, ...words: string[]) =>
    execFileSync(join(folder, program, program), words, { encoding: 'utf8' });
  assert.equal(parseUsemem(run('usemem', '-O', '1m')).processes[0]?.bytes, 1179648n);
  assert.match(run('madvise', '1m'), /^asked for 256 pages: /);
  assert.equal(run('launch', '--check', '--', 'x:/bin/true'), '{"denied":[]}\n');
  make('clean');
  assert.equal(make('-n', 'clean').includes('usemem/run.o'), true);
  assert.equal(execFileSync('find', [folder, '-name', '*.[od]'], { encoding: 'utf8' }), '');
});

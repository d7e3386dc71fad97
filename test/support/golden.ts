import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';

/**
 * Compares a text with the file test/golden/NAME. `node scripts/update-golden.mjs` writes these files anew; what
 * has changed is then for the reviewer to see.
 */
export function assertGolden(name: string, actual: string): void {
  const file = join(packageRoot(), 'test/golden', name);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, actual);
    return;
  }
  assert.equal(actual, readFileSync(file, 'utf8'), `differs from ${file}: see scripts/update-golden.mjs`);
}

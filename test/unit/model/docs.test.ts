/** docs/model.md has the constants that the model has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { native, packageRoot } from '../../../src/native/load.js';
import { constantsTable, withTable } from '../../support/model-tables.js';

test('docs/model.md tells of every constant', () => {
  const text = readFileSync(join(packageRoot(), 'docs/model.md'), 'utf8');
  assert.equal(text, withTable(text, 'constants', constantsTable(native().modelConstants())));
});

/** docs/model.md has the constants that the model has, and what it gives with them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { letterSettings } from '../../../src/model/letter.js';
import { nativeConfig } from '../../../src/model/native-config.js';
import { runModel } from '../../../src/model/run.js';
import { native, packageRoot } from '../../../src/native/load.js';
import { constantsTable, withTable } from '../../support/model-tables.js';

test('docs/model.md says what the model gives for usemem30 64k under deflate-iaa on v9', async () => {
  const text = readFileSync(join(packageRoot(), 'docs/model.md'), 'utf8');
  const cell = { workload: 'usemem30', folio: '64k', compressor: 'deflate-iaa', kernel: 'v9' } as const;
  const { counters } = await runModel(nativeConfig(letterSettings(cell)));
  for (const [row, name] of [
    ['zswpout', 'vmstat.zswpout'],
    ['ZSWPOUT-64kB', 'hugepages.zswpout'],
    ['memcg_high', 'memory.events.high'],
  ] as const) {
    const line = text.split('\n').find((each) => each.startsWith(`| usemem30 64k deflate-iaa v9 | ${row} |`));
    assert.equal(line?.split(' | ')[4], counters[name]?.toLocaleString('en-US'), row);
  }
});

test('docs/model.md tells of every constant', () => {
  const text = readFileSync(join(packageRoot(), 'docs/model.md'), 'utf8');
  assert.equal(text, withTable(text, 'constants', constantsTable(native().modelConstants())));
});

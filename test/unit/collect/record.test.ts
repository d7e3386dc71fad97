import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  type CellRecord,
  type Manifest,
  RecordWriter,
  readRecord,
  recorded,
  recordVersion,
} from '../../../src/collect/record.js';
import type { Inventory } from '../../../src/discover/inventory.js';
import { RecordError } from '../../../src/errors.js';
import { smallExperiment } from '../../support/small-machine.js';

const cell = { number: 1, compressor: 'zstd', folio: '64kB' };
const manifest: Manifest = {
  schemaVersion: recordVersion,
  id: 'one',
  startedAt: '2026-11-22T00:00:00.000Z',
  state: 'running',
  source: 'emulated',
  tool: { version: '0.1.0', commit: 'unknown' },
  experimentFile: 'small.yaml',
  experiment: recorded(smallExperiment()),
  inventory: { schemaVersion: 1 } as Inventory,
  environment: { 'linux-image': '7.3.4' },
};
const cellRecord: CellRecord = {
  cell,
  state: 'complete',
  failure: undefined,
  plan: { cell } as unknown as CellRecord['plan'],
  receipts: [],
  argv: ['usemem'],
  exit: {
    exitCode: 0,
    signal: undefined,
    elapsedNs: '9007199254740993',
    userUs: '1',
    systemUs: '2',
    maxRssKiB: 3,
  },
  before: undefined,
  after: { atNs: '1', files: { '/proc/vmstat': 'zswpout 1\n' }, unreadable: {} },
  fullest: undefined,
};

let runs: string;
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), 'record-'));
});
afterEach(() => rmSync(runs, { recursive: true }));

describe('a record', () => {
  it('reads back as it was written, with the texts beside it', async () => {
    const writer = await RecordWriter.create(runs, manifest);
    const directory = await writer.cellDirectory(cell);
    writeFileSync(join(directory, 'stdout.txt'), 'out\n');
    await writer.writeCell(cellRecord, '[    1.0] dmesg\n');
    await writer.finish('complete');
    const record = await readRecord(writer.directory);
    assert.deepEqual(record.manifest, { ...manifest, state: 'complete' });
    assert.equal(record.manifest.experiment.cgroup['memory.high'], '67108864');
    assert.equal(record.cells.length, 1);
    const [read] = record.cells;
    assert.equal(read?.stdout, 'out\n');
    assert.equal(read?.stderr, '');
    assert.equal(read?.dmesg, '[    1.0] dmesg\n');
    assert.equal(read?.exit?.elapsedNs, '9007199254740993');
    assert.deepEqual(read?.after, cellRecord.after);
  });

  it('is readable while it runs, and after it was cut off in a cell', async () => {
    const writer = await RecordWriter.create(runs, manifest);
    await writer.cellDirectory(cell);
    const record = await readRecord(writer.directory);
    assert.equal(record.manifest.state, 'running');
    assert.deepEqual(record.cells, []);
  });

  it('is never written over', async () => {
    await RecordWriter.create(runs, manifest);
    await assert.rejects(RecordWriter.create(runs, manifest), /EEXIST/);
  });

  it('is not written through a link that somebody put there', async () => {
    const writer = await RecordWriter.create(runs, manifest);
    const victim = join(runs, 'victim');
    writeFileSync(victim, 'precious');
    symlinkSync(victim, join(writer.directory, 'manifest.json.new'));
    await assert.rejects(writer.finish('complete'), /EEXIST/);
    assert.equal(readFileSync(victim, 'utf8'), 'precious');
  });

  it('of another version, damaged or absent is one error that says so', async () => {
    const writer = await RecordWriter.create(runs, manifest);
    const path = join(writer.directory, 'manifest.json');
    const failsWith = (expected: RegExp) =>
      assert.rejects(readRecord(writer.directory), (error) => {
        assert.ok(error instanceof RecordError);
        assert.match(error.message, expected);
        assert.ok(error.hint);
        return true;
      });
    writeFileSync(path, JSON.stringify({ ...manifest, schemaVersion: recordVersion + 1 }));
    await failsWith(/record version 2 is not known/);
    writeFileSync(path, JSON.stringify({ ...manifest, schemaVersion: 'x' }));
    await failsWith(/record version "x" is not known/);
    appendFileSync(path, '}');
    await failsWith(/not JSON of a record/);
    rmSync(path);
    await failsWith(/cannot be read: ENOENT/);
  });
});

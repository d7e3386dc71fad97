import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  type CellRecord,
  listRecords,
  type Manifest,
  RecordWriter,
  readRecord,
  recorded,
  recordVersion,
  type Session,
} from '../../../src/collect/record.js';
import type { Inventory } from '../../../src/discover/inventory.js';
import { RecordError } from '../../../src/errors.js';
import { cellOf } from '../../support/results.js';
import { smallExperiment } from '../../support/small-machine.js';

const cell = cellOf('zstd');
const session: Session = {
  startedAt: '2026-11-22T00:00:00.000Z',
  tool: { version: '0.1.0', commit: 'unknown' },
  inventory: { schemaVersion: 1 } as Inventory,
  environment: { 'linux-image': '7.3.4' },
};
const manifest: Manifest = {
  schemaVersion: recordVersion,
  id: 'one',
  startedAt: '2026-11-22T00:00:00.000Z',
  state: 'running',
  source: 'emulated',
  experimentFile: 'small.yaml',
  experiment: recorded(smallExperiment()),
  sessions: [session],
};
const cellRecord: CellRecord = {
  cell,
  session: 0,
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
    await writer.finish('complete');
    assert.equal(readFileSync(victim, 'utf8'), 'precious');
    assert.equal((await readRecord(writer.directory)).manifest.state, 'complete');
  });

  it('is gone on with: finished cells stay, an unfinished one begins anew, each in its session', async () => {
    const first = await RecordWriter.create(runs, manifest);
    await first.cellDirectory(cell);
    await first.writeCell(cellRecord, undefined);
    const second = cellOf('zstd', '64kB', { number: 2, repetition: 2 });
    writeFileSync(join(await first.cellDirectory(second), 'stdout.txt'), 'half a line');
    const next = { ...session, startedAt: '2026-11-23T00:00:00.000Z' };
    const writer = await RecordWriter.resume(await readRecord(first.directory), next);
    await writer.cellDirectory(second);
    await writer.writeCell({ ...cellRecord, cell: second, session: writer.session }, '');
    await writer.finish('complete');
    const { manifest: read, cells } = await readRecord(first.directory);
    assert.deepEqual(read.sessions, [session, next]);
    assert.deepEqual(
      cells.map(({ cell: { number }, session: one, stdout, dmesg }) => [number, one, stdout, dmesg]),
      [
        [1, 0, '', undefined],
        [2, 1, '', ''],
      ],
    );
  });

  it('of version 1 is read as one session with one repetition', async () => {
    const { sessions: _, ...rest } = manifest;
    const { repetitions, order, seed, warm_up, cool_down_s, matrix, ...experiment } = rest.experiment;
    const { axes: _axes, kernel: _kernel, ...pair } = matrix;
    const old = { ...rest, ...session, schemaVersion: 1, experiment: { ...experiment, matrix: pair } };
    const { session: _session, ...oldRecord } = cellRecord;
    const directory = join(runs, 'old');
    mkdirSync(join(directory, '001-zstd-64kB'), { recursive: true });
    writeFileSync(join(directory, 'manifest.json'), JSON.stringify(old));
    writeFileSync(
      join(directory, '001-zstd-64kB/cell.json'),
      JSON.stringify({ ...oldRecord, cell: { number: 1, compressor: 'zstd', folio: '64kB' } }),
    );
    const read = await readRecord(directory);
    assert.deepEqual(read.manifest, { ...manifest, id: 'one' });
    assert.deepEqual([read.cells[0]?.cell, read.cells[0]?.session], [cell, 0]);
    assert.deepEqual([repetitions, order, seed, warm_up, cool_down_s], [1, 'interleaved', 1, 0, 0]);
  });

  it('is listed with others, the newest first, without what is no record', async () => {
    for (const id of ['2026-11-22T000000Z-a-1', '2026-11-23T000000Z-b-2']) {
      await RecordWriter.create(runs, { ...manifest, id });
    }
    mkdirSync(join(runs, 'other'));
    writeFileSync(join(runs, 'file'), '');
    const ids = (await listRecords(runs)).map(({ manifest: { id } }) => id);
    assert.deepEqual(ids, ['2026-11-23T000000Z-b-2', '2026-11-22T000000Z-a-1']);
    assert.deepEqual(await listRecords(join(runs, 'nowhere')), []);
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
    await failsWith(/record version 3 is not known/);
    writeFileSync(path, JSON.stringify({ ...manifest, schemaVersion: 'x' }));
    await failsWith(/record version "x" is not known/);
    appendFileSync(path, '}');
    await failsWith(/not JSON of a record/);
    rmSync(path);
    await failsWith(/cannot be read: ENOENT/);
  });
});

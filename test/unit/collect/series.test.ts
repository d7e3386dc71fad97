import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SeriesReader, SeriesRecorder } from '../../../src/collect/series.js';
import { RecordError, RequirementError } from '../../../src/errors.js';
import { hostPath } from '../../../src/host/path.js';
import type { Sampling } from '../../../src/host/sampling.js';
import { MemoryHost } from '../../support/memory-host.js';
import { tempDirectory } from '../../support/temp-directory.js';

const durations = { p50: 1, p99: 2, max: 3 };
const statistics = { rows: 2, dropped: 0, missed: 1, lateNs: durations, readingNs: durations };

/** A host whose sampling gives these rows, one part at each take. */
class SampledHost extends MemoryHost {
  readonly parts: number[][];
  stops = 0;

  constructor(...parts: number[][]) {
    super();
    this.parts = parts;
  }

  override async sample(): Promise<Sampling> {
    return {
      columns: [
        { path: hostPath('/proc/vmstat'), key: 'a' },
        { path: hostPath('/proc/vmstat'), key: 'b' },
        { path: hostPath('/sys/x'), key: '' },
      ],
      leftOut: [{ path: hostPath('/none'), errnoCode: 'ENOENT' }],
      intervalNs: 1e6,
      startNs: 12345678901234567890n,
      take: () => Uint8Array.from(this.parts.shift() ?? []),
      statistics: () => statistics,
      stop: () => {
        this.stops += 1;
      },
    };
  }
}

async function rowsOf(path: string) {
  const reader = await SeriesReader.open(path);
  const rows: (number | bigint | undefined)[][] = [];
  for await (const row of reader.rows())
    rows.push([row.tick, ...[0, 1, 2].map((column) => row.value(column))]);
  return { reader, rows };
}

// Rows of three columns: 1, 2, 3, and a tick left out later column 1 two more.
const first = [1, 0, 0, 3, 2, 2, 2, 4, 2, 6];
const second = [2, 0, 0, 1, 4, 4];

test('a series is read as it was written', async (t) => {
  const path = join(tempDirectory(t), 'series');
  const host = new SampledHost([...first, ...second]);
  const recorder = await SeriesRecorder.start(host, [], path, { intervalNs: 1e6 });
  assert.deepEqual(await recorder.end(), statistics);
  assert.equal(host.stops, 1);
  const { reader, rows } = await rowsOf(path);
  assert.deepEqual(rows, [
    [0, 1n, 2n, 3n],
    [2, 1n, 4n, 3n],
  ]);
  assert.deepEqual(reader.end, statistics);
  assert.deepEqual(
    reader.columns.map(({ path: of, key }) => `${of} ${key}`),
    ['/proc/vmstat a', '/proc/vmstat b', '/sys/x '],
  );
  // The first line is for people and for any tool; docs/series.md has it so.
  assert.deepEqual(JSON.parse(readFileSync(path, 'latin1').split('\n')[0] ?? ''), {
    schemaVersion: 1,
    kind: 'series',
    intervalNs: 1e6,
    startNs: '12345678901234567890',
    columns: [
      { path: '/proc/vmstat', keys: ['a', 'b'] },
      { path: '/sys/x', keys: [''] },
    ],
    leftOut: [{ path: '/none', errnoCode: 'ENOENT' }],
  });
});

test('a changed byte ends the rows before it', async (t) => {
  const path = join(tempDirectory(t), 'series');
  const recorder = await SeriesRecorder.start(new SampledHost(first), [], path, { intervalNs: 1e6 });
  await recorder.end();
  const bytes = readFileSync(path);
  const at = bytes.indexOf('\n') + 1;
  for (let index = at; index < bytes.length; index += 1) {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] ?? 0) ^ 0x40;
    writeFileSync(path, changed);
    const { reader, rows } = await rowsOf(path);
    assert.equal(reader.end, undefined, `byte ${index}`);
    // The first frame is whole when the change is behind it.
    assert.equal(rows.length, index < at + 8 + 1 + first.length ? 0 : 1, `byte ${index}`);
  }
});

test('a sound frame that holds no rows is a damaged series', async (t) => {
  const path = join(tempDirectory(t), 'series');
  const recorder = await SeriesRecorder.start(new SampledHost([1, 0, 0, 1, 99, 2]), [], path, {
    intervalNs: 1e6,
  });
  await recorder.end();
  await assert.rejects(rowsOf(path), RecordError);
});

test('what is no series is a record error that names it', async (t) => {
  const directory = tempDirectory(t);
  const wrong: Record<string, string> = {
    empty: '',
    'no newline': '{"kind":"series"}',
    'no JSON': 'series\n',
    null: 'null\n',
    'another kind': '{"kind":"trace","columns":[]}\n',
    'no columns': '{"kind":"series","schemaVersion":1}\n',
    'keys that are none': '{"kind":"series","schemaVersion":1,"columns":[{"path":"/x","keys":[1]}]}\n',
    'a later version': '{"kind":"series","schemaVersion":2,"columns":[]}\n',
  };
  for (const [name, text] of Object.entries(wrong)) {
    const path = join(directory, name);
    writeFileSync(path, text);
    await assert.rejects(SeriesReader.open(path), (error) => {
      assert.ok(error instanceof RecordError, name);
      assert.ok(error.message.includes(path));
      return true;
    });
  }
  const folder = join(directory, 'folder');
  mkdirSync(folder);
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  for (const path of [folder, fifo, join(directory, 'none')]) {
    await assert.rejects(SeriesReader.open(path), RecordError, path);
  }
});

test('a file that takes no more ends the series, not the sampling', (t) => {
  const path = join(tempDirectory(t), 'series');
  const code = `
    import { SeriesRecorder } from ${JSON.stringify(new URL('../../../src/collect/series.js', import.meta.url))};
    const sampling = {
      columns: [], leftOut: [], intervalNs: 1e6, startNs: 0n,
      take: () => new Uint8Array(3000), statistics: () => ({ rows: 7 }), stop: () => console.log('stopped'),
    };
    const recorder = await SeriesRecorder.start({ sample: async () => sampling }, [], process.argv[1], {});
    console.log(JSON.stringify(await recorder.end()));`;
  // bash counts in KiB: the file may have 1,024 bytes.
  const { stdout } = spawnSync(
    'bash',
    ['-c', 'ulimit -f 1; exec "$@"', 'bash', process.execPath, '--input-type=module', '-e', code, path],
    { encoding: 'utf8' },
  );
  assert.equal(stdout, 'stopped\n{"rows":7,"failure":"EFBIG"}\n');
});

test('a sampling that cannot be started leaves nothing open and throws', async (t) => {
  const path = join(tempDirectory(t), 'series');
  await assert.rejects(
    SeriesRecorder.start(new MemoryHost(), [], path, { intervalNs: 1e6 }),
    RequirementError,
  );
  assert.ok(!existsSync(path));
  writeFileSync(path, 'of somebody else');
  await assert.rejects(SeriesRecorder.start(new SampledHost(), [], path, { intervalNs: 1e6 }), {
    code: 'EEXIST',
  });
  assert.equal(readFileSync(path, 'utf8'), 'of somebody else');
});

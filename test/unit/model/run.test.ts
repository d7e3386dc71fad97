/** Experiments on modelled machines: the same stages, files and reports as on any. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { Journal } from '../../../src/apply/journal.js';
import { listRecords } from '../../../src/collect/record.js';
import { SeriesReader } from '../../../src/collect/series.js';
import { discover } from '../../../src/discover/discover.js';
import { FailedRestoredError, PlanError, RequirementError } from '../../../src/errors.js';
import { applyPlan } from '../../../src/experiment/apply-plan.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { experimentOn } from '../../../src/experiment/modelled.js';
import { restoreHost } from '../../../src/experiment/restore-host.js';
import type { RunEvent } from '../../../src/experiment/run.js';
import { openHost } from '../../../src/host/open.js';
import { plan } from '../../../src/plan/plan.js';
import { tablesOf } from '../../../src/report/tables-of.js';
import { measuredSet } from '../../../src/study/cells.js';
import { buildMachine, mockHost } from '../../../src/testing/index.js';
import { runModelled, shipped } from '../../support/modelled.js';
import { tempDirectory } from '../../support/temp-directory.js';

const text = `name: small
matrix: { compressor: [deflate-iaa, zstd], folio: [64kB] }
iaa: { wqs: [{ size: 128 }], driver: { verify_compress: false, sync_mode: async } }
cgroup: { memory.high: 64M }
workload: { usemem: { processes: 4, size: 32M, bind: 1, sleep_s: 1 } }
collect: { interval_s: 0.01 }
model: { kernels: [mm-unstable-4-21-2025, v9] }
`;
const small = parseExperiment(text, 'small.yaml');

/** Every file below a folder, by its path from there. */
function filesIn(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((file) => [relative(directory, file), readFileSync(file, 'latin1')]),
  );
}

describe('a run on a modelled machine', () => {
  test('boots the kernels of the file one after the other, and nothing waits', async (t) => {
    const events: RunEvent[] = [];
    const state = tempDirectory(t);
    const { outcome, record, result } = await runModelled('spr-2s', small, state, {
      onEvent: (event) => events.push(event),
    });
    assert.deepEqual(outcome.waiting, []);
    assert.equal(outcome.cellsFailed, 0);
    assert.equal(existsSync(Journal.pathIn(state)), false);
    assert.deepEqual(
      events.flatMap((event) => (event.type === 'booted' ? [event.kernel] : [])),
      ['v9'],
    );
    assert.equal(record.manifest.state, 'complete');
    assert.equal(record.manifest.source, 'model');
    assert.deepEqual(
      record.manifest.sessions.map(({ startedAt, inventory }) => [
        startedAt.slice(0, 10),
        inventory.kernel.release,
        inventory.kernel.bootId,
      ]),
      [
        ['2025-05-08', '6.15.0-rc3-mm', undefined],
        ['2025-05-08', '6.15.0-rc3-v9', undefined],
      ],
    );
    const { cells } = measuredSet([result]);
    assert.deepEqual(
      cells.map(({ workload, folio, compressor, kernel, store }) => [
        ...[workload, folio, compressor, kernel, store],
      ]),
      [
        ['usemem4', '64k', 'deflate-iaa', 'mm-unstable-4-21-2025', 'sequential'],
        ['usemem4', '64k', 'zstd', 'mm-unstable-4-21-2025', 'sequential'],
        ['usemem4', '64k', 'deflate-iaa', 'v9', 'batch'],
        ['usemem4', '64k', 'zstd', 'v9', 'sequential'],
      ],
    );
    for (const { values, invalid } of result.cells) {
      assert.deepEqual(invalid, []);
      assert.ok((values['zswpout'] ?? 0) > 0 && (values['total_throughput_kb_s'] ?? 0) > 0);
      assert.equal(values['foreign_zswpout'], 0);
      assert.ok((values['compressed_bytes_per_page'] ?? 0) > 500);
    }
    for (const line of tablesOf([result])
      .split('\n')
      .filter((each) => each.startsWith(' source:')))
      assert.match(line, /^ source: model \(Linux 6\.15\.0-rc3-mm and 6\.15\.0-rc3-v9/);
  });

  test('keeps series of its counters as of any machine', async (t) => {
    const { outcome, record } = await runModelled('spr-2s', small, tempDirectory(t));
    for (const [index, folder] of ['001-deflate-iaa-64kB', '004-zstd-64kB'].entries()) {
      const reader = await SeriesReader.open(join(outcome.directory, folder, 'series'));
      const column = reader.columns.findIndex(({ key }) => key === 'zswpout');
      let last = 0n;
      let rows = 0;
      for await (const row of reader.rows()) {
        last = row.value(column) ?? 0n;
        rows += 1;
      }
      const cell = record.cells[index * 3];
      assert.ok(rows >= 100, 'of more than a second');
      assert.equal(reader.end?.rows, rows);
      const vmstat = cell?.after?.files['/proc/vmstat'] ?? '';
      assert.equal(String(last), /^zswpout (\d+)$/m.exec(vmstat)?.[1]);
    }
  });

  test('gives the same record, byte for byte; another seed gives another', async (t) => {
    const runs = async (seed: number): Promise<Record<string, string>> => {
      const state = tempDirectory(t);
      await runModelled('spr-2s', { ...small, seed }, state);
      return filesIn(join(state, 'runs'));
    };
    const [first, second, other] = [await runs(1), await runs(1), await runs(2)];
    assert.deepEqual(second, first);
    const stdout = (files: Record<string, string>) =>
      Object.entries(files).flatMap(([path, content]) => (path.endsWith('stdout.txt') ? [content] : []));
    assert.notDeepEqual(stdout(other), stdout(first));
    assert.notDeepEqual(Object.keys(other), Object.keys(first), 'the folder names the seed');
  });

  test('takes the place of the same one before, and no other', async (t) => {
    const state = tempDirectory(t);
    const fewer = parseExperiment(text.replace('[deflate-iaa, zstd]', '[zstd]'), 'small.yaml');
    await runModelled('spr-2s', small, state);
    const before = filesIn(join(state, 'runs'));
    await runModelled('spr-2s', fewer, state);
    await runModelled('spr-2s', small, state);
    assert.equal((await listRecords(join(state, 'runs'))).length, 2);
    const after = filesIn(join(state, 'runs'));
    for (const [path, content] of Object.entries(before)) assert.equal(after[path], content, path);
  });

  test('repetitions and twins differ, so that there is a spread', async (t) => {
    const repeated = { ...small, repetitions: 3, warm_up: 1, model: { kernels: ['v9' as const] } };
    const { result } = await runModelled('spr-2s', repeated, tempDirectory(t), { aa: true });
    const of = result.cells.filter(({ cell }) => cell.compressor === 'zstd');
    const throughputs = of.map(({ values }) => values['total_throughput_kb_s']);
    assert.equal(throughputs.length, 8);
    assert.equal(new Set(throughputs).size, 8);
  });

  test('an interrupted one is gone on with where it was, to the same record', async (t) => {
    const abort = new AbortController();
    const state = tempDirectory(t);
    const interrupted = runModelled('spr-2s', small, state, {
      signal: abort.signal,
      onEvent: (event) => {
        if (event.type === 'cell' && event.cell.number === 2 && event.stage === 'run') abort.abort();
      },
    });
    await assert.rejects(interrupted, /interrupted/i);
    const { record, outcome } = await runModelled('spr-2s', small, state, { resume: true });
    assert.equal(record.cells.length, 4);
    assert.ok(record.cells.every(({ state: how }) => how === 'complete'));
    assert.equal(record.manifest.sessions.length, 3);
    const again = await runModelled('spr-2s', small, state, { resume: true });
    assert.equal(again.outcome.directory, outcome.directory);
    assert.equal(again.record.manifest.sessions.length, 3, 'nothing is left to run');
  });

  test('an abort while it cools down ends it before the next cell', async (t) => {
    const abort = new AbortController();
    const stages: string[] = [];
    const interrupted = runModelled('spr-2s', { ...small, cool_down_s: 60 }, tempDirectory(t), {
      signal: abort.signal,
      onEvent: (event) => {
        if (event.type !== 'cell') return;
        stages.push(`${event.cell.number} ${event.stage}`);
        if (event.stage === 'cool down') abort.abort();
      },
    });
    await assert.rejects(interrupted, /interrupted/i);
    assert.deepEqual(stages, ['1 apply', '1 run', '1 done', '2 cool down']);
  });

  test('what a process that died has left is gone with its machine', async (t) => {
    const state = tempDirectory(t);
    {
      await using host = await openHost('model:spr-2s', { writable: true });
      const [cell] = cellsOf(small);
      assert.ok(cell);
      const inventory = await discover(host);
      await applyPlan(host, plan(inventory, small, cell), { inventory, stateDirectory: state });
    }
    await using host = await openHost('model:spr-2s', { writable: true });
    assert.deepEqual(await restoreHost(host, state), { state: 'rebooted' });
    assert.deepEqual(await restoreHost(host, state), { state: 'nothing pending' });
  });

  test("the letter's build needs no tree here", async () => {
    await using host = await openHost('model:spr-2s', { writable: false });
    const experiment = experimentOn(host, shipped('kernel-build-64k.yaml'));
    const [cell] = cellsOf(experiment);
    assert.ok(cell);
    const { workload } = plan(await discover(host), experiment, cell);
    for (const argv of [...workload.setup, workload.argv, ...workload.cleanup]) host.model?.require(argv);
  });
});

describe('what is refused before anything is changed', () => {
  const without = (from: string, to: string) => parseExperiment(text.replace(from, to), 'small.yaml');

  test('a workload that the model has no mechanism for', async (t) => {
    const state = tempDirectory(t);
    const random = without('sleep_s: 1', 'random: true');
    await assert.rejects(runModelled('spr-2s', random, state), (error) => {
      assert.ok(error instanceof RequirementError);
      assert.match(error.message, /usemem with -R/);
      return true;
    });
    assert.equal(existsSync(join(state, 'runs')), false);
  });

  test('a constant that it does not have, and an event on what is not there', async (t) => {
    const constant = without('model: {', 'model: { constants: { speed: 1 },');
    await assert.rejects(runModelled('spr-2s', constant, tempDirectory(t)), /has no constant speed/);
    // What is bound shows only once the machine is configured.
    const event = without('model: {', 'model: { events: [{ at_s: 1, wq_unbind: wq1.7 }],');
    await assert.rejects(runModelled('spr-2s', event, tempDirectory(t)), (error) => {
      assert.ok(error instanceof FailedRestoredError);
      assert.match(error.message, /has no WQ wq1\.7/);
      return true;
    });
  });

  test('a compressor that it does not have', async (t) => {
    const lzo = without('[deflate-iaa, zstd]', '[lzo-rle]');
    await assert.rejects(runModelled('spr-2s', lzo, tempDirectory(t)), (error) => {
      assert.ok(error instanceof PlanError);
      assert.match(error.message, /the model has no lzo-rle/);
      return true;
    });
  });

  test('on other machines all of `model` but its kernels', async () => {
    const host = mockHost(buildMachine({ kernel: 'v9' }));
    const inventory = await discover(host);
    const [cell] = cellsOf(experimentOn(host, small));
    assert.ok(cell);
    assert.equal(cell.kernel, undefined, 'no axis');
    plan(inventory, small, cell);
    const switched = without('model: { kernels', 'model: { mapping: package, kernels');
    assert.throws(
      () => plan(inventory, switched, cell),
      (error) =>
        error instanceof PlanError &&
        error.issues.length === 1 &&
        error.issues[0]?.path === 'model.mapping' &&
        /--host model:spr-2s/.test(error.issues[0].mend),
    );
  });

  test('keys without effect are named in the plan', async () => {
    await using host = await openHost('model:spr-2s', { writable: false });
    const experiment = without('cgroup:', 'vm: { swappiness: 100, page-cluster: 0 }\ncgroup:');
    const [cell] = cellsOf(experiment);
    assert.ok(cell);
    const { warnings } = plan(await discover(host), experiment, cell);
    assert.ok(warnings.includes('on the model these change nothing: vm.swappiness'));
  });
});

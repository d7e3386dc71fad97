/** experiments/what-if, each with its outcome. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CellData } from '../../../src/collect/record.js';
import { parseFlatKeyed } from '../../../src/kernel/flat-keyed.js';
import { parseIaaStatistics } from '../../../src/kernel/iaa-crypto.js';
import { mappingTableBytes } from '../../../src/kernel/iaa-mapping-memory.js';
import { mappedMachine, shippedMachine } from '../../../src/model/machine.js';
import { nativeConfig } from '../../../src/model/native-config.js';
import { runModel } from '../../../src/model/run.js';
import { letterTables } from '../../../src/report/tables.js';
import type { CellResult } from '../../../src/study/cell.js';
import { measuredSet } from '../../../src/study/cells.js';
import { compare } from '../../../src/study/compare.js';
import { sampledSet } from '../../../src/study/sampled.js';
import { runModelled, shipped } from '../../support/modelled.js';
import { tempDirectory } from '../../support/temp-directory.js';

async function whatIf(t: TestContext, name: string, machine = 'spr-2s') {
  const { record, result, outcome } = await runModelled(
    machine,
    shipped(`what-if/${name}.yaml`),
    tempDirectory(t),
  );
  assert.equal(outcome.cellsFailed, 0, 'nothing hangs, nothing dies');
  return { record, result, cells: result.cells };
}

/** The cell with these values of its axes, or on this kernel. */
function cellWith(cells: readonly CellResult[], wanted: Readonly<Record<string, string>>): CellResult {
  const found = cells.filter(({ cell, kernel }) => {
    const all: Record<string, string> = {
      ...cell.settings,
      kernel,
      compressor: cell.compressor,
      folio: cell.folio,
    };
    return Object.entries(wanted).every(([key, value]) => all[key] === value);
  });
  assert.equal(found.length, 1, JSON.stringify(wanted));
  return found[0] as CellResult;
}

const value = (cell: CellResult, name: string): number => {
  const found = cell.values[name];
  assert.ok(found !== undefined, name);
  return found;
};
const throughput = (cell: CellResult): number => value(cell, 'total_throughput_kb_s');

test('batching: mapping brings most, batches more, distribution nothing without the mapping by packages', async (t) => {
  const { cells } = await whatIf(t, 'batching');
  const at = (mapping: string, distribute: boolean, batched: boolean): CellResult =>
    cellWith(cells, {
      'model.mapping': mapping,
      'iaa.driver.distribute_comps': String(distribute),
      'model.switches.batched_store': String(batched),
    });
  for (const { invalid } of cells) assert.deepEqual(invalid, []);
  const [nodes, packages] = [at('node-restarting', false, false), at('package', false, false)];
  // CPUs 0 to 27 share one device of eight: it is saturated, and stays so with batches.
  assert.ok(throughput(packages) > 1.4 * throughput(nodes));
  assert.ok(throughput(at('node-restarting', false, true)) < 1.1 * throughput(nodes));
  for (const batched of [false, true]) {
    assert.deepEqual(
      at('node-restarting', true, batched).values,
      at('node-restarting', false, batched).values,
    );
    assert.ok(throughput(at('package', true, batched)) > 0.98 * throughput(at('package', false, batched)));
  }
  for (const distribute of [false, true]) {
    const [single, batch] = [at('package', distribute, false), at('package', distribute, true)];
    assert.ok(throughput(batch) > throughput(single));
    assert.ok(value(batch, 'sys_s') < value(single, 'sys_s'));
  }
  // The two tasks with a device for themselves end early and give their memory back: fewer pages go out.
  assert.ok(value(nodes, 'zswpout') < 0.95 * value(packages, 'zswpout'));
});

/** How many pages each device has compressed in a cell. */
function callsByDevice({ before, after }: CellData): number[] {
  const path = '/sys/kernel/debug/iaa_crypto/wq_stats';
  const [from, to] = [before, after].map((snapshot) =>
    parseIaaStatistics(snapshot?.files[path] ?? '', path).devices.map(({ counters }) =>
      Number(counters.get('comp_calls')),
    ),
  );
  return (to ?? []).map((calls, device) => calls - (from?.[device] ?? 0));
}

test('nodes: three nodes a package overuse one device and idle the others, packages use them evenly', async (t) => {
  const { record } = await whatIf(t, 'nodes', 'gnr-2s-6n');
  const [byNodes = [], byPackages = []] = record.cells.map(callsByDevice);
  assert.equal(byNodes.length, 8);
  assert.ok(Math.max(...byNodes) > 8 * Math.min(...byNodes), byNodes.join(' '));
  assert.equal(byNodes.indexOf(Math.max(...byNodes)), 0, 'what is left over goes to the first');
  assert.ok(Math.max(...byPackages) < 1.1 * Math.min(...byPackages), byPackages.join(' '));
});

test('nodes: v9 keeps no tables of each CPU, 11.5 KiB less for 384; a context of zswap is 64.85 or 8.2 KiB', async () => {
  const machine = shippedMachine('gnr-2s-6n');
  const cpus = mappedMachine(machine);
  assert.equal(cpus.possibleCpus, 384);
  const [byNodes, byPackages] = (['node-restarting', 'package'] as const).map((variant) =>
    mappingTableBytes(variant, cpus, 8, 8),
  );
  // The letter says 140 MiB less: 373 KiB a CPU, where a CPU's table has 24 bytes and 8 pointers.
  assert.deepEqual([byNodes, byPackages], [384 * 88, 2 * (384 * 24 + 2 * 544 + 8 * 88)]);
  for (const [compressor, kilobytes] of [
    ['deflate-iaa', 64.8],
    ['zstd', 8.2],
  ] as const) {
    const { counters } = await runModel(
      nativeConfig({
        machine,
        kernel: 'v9',
        compressor,
        folioOrder: 4,
        wqs: [{ size: 128 }],
        content: 'counter',
        workload: {
          kind: 'usemem',
          tasks: 1,
          bindInterval: 1,
          taskPages: 16,
          unitPages: 16,
          stepBytes: 8,
          sleepNs: 0,
        },
      }),
    );
    const context = (counters['model.context_bytes'] ?? 0) / 384 / 1024;
    assert.ok(Math.abs(context - kilobytes) < 0.06, `${compressor}: ${context}`);
  }
});

test('one IAA for 48 cores: v9 gives pages up that get no descriptor, others wait; neither hangs', async (t) => {
  const { cells } = await whatIf(t, 'one-iaa');
  const bounded = cellWith(cells, { 'model.switches.bounded_descriptors': 'true' });
  assert.match(bounded.invalid.join(), /^reject_compress_fail rose by \d+$/);
  const waiting = cellWith(cells, { 'model.switches.bounded_descriptors': 'false' });
  assert.deepEqual(waiting.invalid, []);
  assert.ok(value(waiting, 'zswpout') > value(bounded, 'zswpout'));
});

test('hotplug during stores: nothing is lost, whether contexts go with the CPU or not', async (t) => {
  const { record, cells } = await whatIf(t, 'hotplug');
  assert.equal(cells.length, 4);
  for (const { invalid, values } of cells) {
    assert.deepEqual(invalid, []);
    assert.ok((values['ZSWPOUT-64kB'] ?? 0) * 16 <= (values['zswpout'] ?? 0));
  }
  for (const { after, plan, stdout } of record.cells) {
    assert.equal(after?.files['/sys/kernel/debug/zswap/stored_pages'], '0\n');
    const stat = parseFlatKeyed(after?.files[`${plan.cgroup}/memory.stat`] ?? '', 'memory.stat');
    assert.deepEqual([stat.get('anon'), stat.get('zswapped')], [0n, 0n]);
    assert.equal(stdout.match(/KB\/s/g)?.length, 16);
  }
});

test('5% incompressible: their folios go to the swap device before 6.18, and are kept as they are since', async (t) => {
  const { cells } = await whatIf(t, 'incompressible');
  const at = (percent: string, kernel: string) =>
    cellWith(cells, { 'model.incompressible_percent': percent, kernel });
  for (const kernel of ['mm-unstable-4-21-2025', 'mainline 6.18']) {
    assert.deepEqual(at('0', kernel).invalid, []);
    assert.equal(value(at('0', kernel), 'pswpout'), 0);
  }
  const refused = at('5', 'mm-unstable-4-21-2025');
  assert.match(refused.invalid.join(), /reject_compress_poor rose by/);
  // A folio of 16 pages is spared with a chance of 0.95^16 = 44%.
  const swapped = value(refused, 'pswpout');
  assert.ok(swapped > value(refused, 'zswpout') && swapped < 1.5 * value(refused, 'zswpout'));
  const kept = at('5', 'mainline 6.18');
  assert.match(kept.invalid.join(), /pages were stored uncompressed/);
  assert.equal(value(kept, 'pswpout'), 0);
});

test('zstd does not lose with batches of 8, whatever the folio size', async (t) => {
  const { cells } = await whatIf(t, 'zstd-batches');
  for (const folio of ['64kB', '2048kB']) {
    const [single, batched] = ['false', 'true'].map((on) =>
      cellWith(cells, { folio, 'model.switches.batched_store': on }),
    ) as [CellResult, CellResult];
    assert.deepEqual([...single.invalid, ...batched.invalid], []);
    assert.ok(throughput(batched) >= 0.995 * throughput(single));
    assert.ok(value(batched, 'sys_s') <= value(single, 'sys_s'));
  }
});

test('reclaim batching, a projection: the smaller the folios the more it brings, and 64K folios nothing', async (t) => {
  const { cells, result } = await whatIf(t, 'reclaim-batching');
  const gains = ['4kB', '16kB', '64kB'].map((folio) => {
    const [off, on] = ['false', 'true'].map((switched) =>
      cellWith(cells, { folio, 'model.switches.reclaim_batching': switched }),
    ) as [CellResult, CellResult];
    assert.deepEqual([...off.invalid, ...on.invalid], []);
    assert.deepEqual([off.projections, on.projections], [undefined, ['reclaim batching']]);
    if (folio === '64kB') assert.deepEqual(on.values, off.values);
    return throughput(on) / throughput(off);
  }) as [number, number, number];
  assert.ok(gains[0] > gains[1] && gains[1] > 1 && gains[2] === 1, gains.join(' '));

  // Wherever its numbers are printed, and nowhere else.
  const tables = letterTables(measuredSet([result])).split(/(?=^ \S.*reclaim_batching)/m);
  const sourceOf = (switched: boolean): string[] =>
    tables
      .filter((table) => table.includes(`reclaim_batching ${switched}:`))
      .flatMap((table) => table.match(/source: \S+ \([a-z ]+: [a-z ]+\)|source: \S+/g) ?? []);
  assert.deepEqual(new Set(sourceOf(false)), new Set(['source: model']));
  assert.deepEqual(new Set(sourceOf(true)), new Set(['source: model (projection: reclaim batching)']));
  const half = (switched: string) => ({
    ...result,
    cells: cells.filter(({ cell }) => cell.settings['model.switches.reclaim_batching'] === switched),
  });
  const comparison = compare(sampledSet('off', [half('false')]), sampledSet('on', [half('true')]));
  assert.equal(comparison.source, 'model (projection: reclaim batching)');
});

test('zram, a projection: batches help deflate-iaa there too, and zstd not at all', async (t) => {
  const { cells } = await whatIf(t, 'zram');
  const at = (compressor: string, zram: boolean, batched: boolean): CellResult =>
    cellWith(cells, {
      compressor,
      'model.switches.zram': String(zram),
      'model.switches.batched_store': String(batched),
    });
  for (const each of cells) {
    assert.deepEqual(each.invalid, []);
    const zram = each.cell.settings['model.switches.zram'] === 'true';
    assert.deepEqual(each.projections, zram ? ['zram'] : undefined);
    // It is the only way out, and every page that went is one of a whole folio.
    assert.equal(value(each, zram ? 'zswpout' : 'pswpout'), 0);
    assert.equal(
      value(each, zram ? 'pswpout' : 'zswpout'),
      16 * value(each, zram ? 'SWPOUT-64kB' : 'ZSWPOUT-64kB'),
    );
  }
  const gain = (compressor: string, zram: boolean): number =>
    throughput(at(compressor, zram, true)) / throughput(at(compressor, zram, false));
  assert.ok(gain('deflate-iaa', true) > 1.15 && gain('deflate-iaa', false) > 1.15);
  assert.equal(gain('zstd', true), 1);
  // Nobody is charged for what zram holds.
  assert.ok(
    value(at('deflate-iaa', true, true), 'pswpout') < value(at('deflate-iaa', false, true), 'zswpout'),
  );
});

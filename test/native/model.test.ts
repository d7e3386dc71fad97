/** NativeModel, and what openModel refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { letterSettings } from '../../src/model/letter.js';
import { nativeConfig } from '../../src/model/native-config.js';
import { native } from '../../src/native/load.js';
import type { NativeModel, NativeModelConfig } from '../../src/native/surface.js';

const methods: Record<keyof NativeModel, true> = {
  advance: true,
  now: true,
  events: true,
  counters: true,
  wqCounters: true,
  takeSamples: true,
  results: true,
  trace: true,
};

const cell = {
  workload: 'usemem30',
  folio: '64k',
  compressor: 'deflate-iaa',
  kernel: 'v9',
} as const;

function small(changes: Partial<NativeModelConfig> = {}): NativeModelConfig {
  return { ...nativeConfig(letterSettings(cell, 1 / 512)), ...changes };
}

function opened(config: NativeModelConfig): NativeModel {
  const model = native().openModel(config);
  assert.ok(typeof model === 'object', String(model));
  return model;
}

/** All that a run says. */
async function everything(config: NativeModelConfig): Promise<string> {
  const model = opened(config);
  assert.equal(await model.advance(Number.POSITIVE_INFINITY), true);
  const { timesNs, values } = model.takeSamples();
  const own = [model.now(), model.events(), model.counters(), model.wqCounters(), model.results()];
  return JSON.stringify([own, [...timesNs], [...values], model.trace()]);
}

test('a model has the methods that surface.ts declares, and no others', () => {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(opened(small())));
  assert.deepEqual(names.filter((name) => name !== 'constructor').sort(), Object.keys(methods).sort());
});

test('the same seed gives the same run, another one another', async () => {
  const config = small({ sampleIntervalNs: 5e6, traceSpans: 500 });
  const first = await everything(config);
  assert.equal(await everything(config), first);
  assert.notEqual(await everything({ ...config, seed: 2 }), first);
});

test('time stands still between two calls', async () => {
  const model = opened(small());
  assert.equal(await model.advance(20e6), false);
  assert.equal(model.now(), 20e6);
  const before = model.counters();
  assert.deepEqual(model.counters(), before);
  assert.equal(await model.advance(40e6), false);
  const after = model.counters();
  assert.ok(Number(after['vmstat.pgfault']) > Number(before['vmstat.pgfault']));
  // Back in time there is nothing to do.
  assert.equal(await model.advance(0), false);
  assert.equal(model.now(), 40e6);
});

test('counters have the names of modelCounters, and samples their order', async () => {
  const model = opened(small({ sampleIntervalNs: 5e6 }));
  await model.advance(Number.POSITIVE_INFINITY);
  const names = native().modelCounters();
  assert.deepEqual(Object.keys(model.counters()).sort(), [...names].sort());
  const { timesNs, values } = model.takeSamples();
  assert.ok(timesNs.length > 5);
  assert.deepEqual([...timesNs.subarray(0, 3)], [5e6, 10e6, 15e6]);
  assert.equal(values.length, timesNs.length * names.length);
  assert.equal(model.takeSamples().timesNs.length, 0);
  const stored = [...timesNs.keys()].map(
    (row) => values[row * names.length + names.indexOf('vmstat.zswpout')],
  );
  assert.ok(Number(stored.at(-1)) > 0);
  assert.deepEqual(
    stored,
    stored.toSorted((a, b) => Number(a) - Number(b)),
  );
});

test('a trace is JSON with spans of tasks and devices', async () => {
  const model = opened(small({ traceSpans: 1000 }));
  await model.advance(Number.POSITIVE_INFINITY);
  const { traceEvents } = JSON.parse(model.trace()) as { traceEvents: Record<string, unknown>[] };
  const spans = traceEvents.filter(({ ph }) => ph === 'X');
  assert.equal(spans.length, 1000);
  assert.deepEqual([...new Set(spans.map(({ name }) => name))].sort(), ['compress', 'reclaim']);
  assert.ok(spans.every(({ ts, dur }) => Number(ts) >= 0 && Number(dur) >= 0));
});

test('while time passes nothing else can be done', async () => {
  const model = opened(small());
  assert.throws(() => model.counters(), { name: 'TypeError', message: /has not been advanced yet/ });
  const passing = model.advance(Number.POSITIVE_INFINITY);
  assert.throws(() => model.counters(), { name: 'TypeError', message: /under way/ });
  assert.throws(() => model.advance(0), { name: 'TypeError', message: /under way/ });
  assert.equal(await passing, true);
  assert.equal(await model.advance(0), true);
  for (const until of [-1, Number.NaN, '1', 1n, undefined, null, 2 ** 54]) {
    assert.throws(() => model.advance(until as number), { name: 'TypeError' }, String(until));
  }
});

test('switches, constants and events change what happens', async () => {
  const plain = await everything(small());
  const config = small();
  const other = async (changes: Partial<NativeModelConfig>) =>
    assert.notEqual(await everything({ ...config, ...changes }), plain);
  await other({ kernel: { name: 'v9', switches: { batchedStore: false } } });
  // Only a switch of the roadmap looks at it.
  const same = { ...config, machine: { ...config.machine, pageCluster: 0 } };
  assert.equal(await everything(same), plain);
  await other({ constants: { iaa_service: 2000 } });
  await other({ events: [{ kind: 'compressor', subject: 0, value: 'zstd', timeNs: 20e6 }] });
  await other({ events: [{ kind: 'memory-high', subject: 0, value: undefined, timeNs: 20e6 }] });
});

/** A configuration with one value, named by its path, replaced. */
function spoiled(path: string, value: unknown): NativeModelConfig {
  const config = structuredClone(small()) as unknown as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at = config;
  for (const name of names) at = at[name] as Record<string, unknown>;
  at[last] = value;
  return config as unknown as NativeModelConfig;
}

const garbage = [null, 'x', -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1n, {}, [], Symbol('x'), () => 0];
const numbers = [
  'seed',
  'machine.cpus',
  'machine.memoryPages',
  'machine.swapPages',
  'machine.pageCluster',
  'iaa.devices.0.groupEngines.0',
  'iaa.wqs.0.device',
  'iaa.wqs.0.size',
  'iaa.wqs.0.priority',
  'iaa.mappings.0.tables.0.0',
  'iaa.mappings.0.cpus.7.compressFirst',
  'zswap.maxPoolPercent',
  'zswap.classes.3.bytes',
  'memcg.highPages',
  'thp.order',
  'content.incompressiblePerMillion',
  'workload.tasks',
  'workload.taskPages',
  'workload.sleepNs',
  'failures.xarrayPerMillion',
  'sampleIntervalNs',
  'traceSpans',
];
for (const path of numbers) {
  test(`openModel refuses garbage as ${path}`, () => {
    for (const value of garbage) {
      assert.equal(typeof native().openModel(spoiled(path, value)), 'string', String(value));
    }
  });
}

const refused: [path: string, value: unknown, why: RegExp][] = [
  ['kernel.name', 'mainline 2.6', /kernel\.name is wrong/],
  ['kernel.switches.batchedstore', true, /kernel\.switches\.batchedstore is wrong/],
  ['constants.fualt', 1, /constants\.fualt is wrong/],
  ['constants.fault', -1, /fault/],
  ['iaa', undefined, /iaa/],
  ['iaa.wqs', 'none', /iaa\.wqs is wrong/],
  ['iaa.syncMode', 'fast', /iaa\.syncMode is wrong/],
  ['iaa.mappings', [], /there must be a mapping/],
  ['iaa.mappings.0.tables.0', [99], /a mapping names a WQ that is not there/],
  ['zswap.compressor', '842', /zswap\.compressor is wrong/],
  ['zswap.classes', [], /zsmalloc classes/],
  ['thp.order', 1, /order/],
  ['content.kind', 'prose', /content\.kind is wrong/],
  ['workload.kind', 'sort', /workload\.kind is wrong/],
  ['workload.taskPages', 2 ** 41, /pages/],
  ['events', [{ kind: 'cpu-offline', subject: 224, timeNs: 0 }], /event 0 speaks of what is not there/],
  ['events', [{ kind: 'earthquake', subject: 0, timeNs: 0 }], /events\[0\]\.kind is wrong/],
];
for (const [path, value, why] of refused) {
  test(`openModel says what is wrong with ${path} ${JSON.stringify(value)}`, () => {
    assert.match(String(native().openModel(spoiled(path, value))), why);
  });
}

test('openModel takes nothing but an object', () => {
  for (const value of [undefined, null, 1, 'x']) {
    let answer: unknown;
    try {
      answer = native().openModel(value as unknown as NativeModelConfig);
    } catch (error) {
      assert.ok(error instanceof TypeError);
      continue;
    }
    assert.equal(typeof answer, 'string');
  }
});

test('every constant has a name of its own, a unit or none, a source and a meaning', () => {
  const constants = native().modelConstants();
  assert.equal(new Set(constants.map(({ name }) => name)).size, constants.length);
  for (const { name, source, meaning, value } of constants) {
    assert.match(name, /^[a-z0-9_]+$/);
    assert.ok(['published', 'measured', 'fitted', 'assumed'].includes(source), name);
    assert.ok(meaning.length > 0 && Number.isSafeInteger(value), name);
  }
});

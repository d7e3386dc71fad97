/** Binding by libaccel-config: the same journal, the same look for users before, the same way back. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { apply } from '../../../src/apply/apply.js';
import { Journal } from '../../../src/apply/journal.js';
import { restore } from '../../../src/apply/restore.js';
import { discover } from '../../../src/discover/discover.js';
import { AccelConfigError, ApplyError, PlanError, RequirementError } from '../../../src/errors.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import type { AccelConfig } from '../../../src/host/accel-config.js';
import { MockHost } from '../../../src/host/mock.js';
import { hostPath } from '../../../src/host/path.js';
import { plan } from '../../../src/plan/plan.js';
import { renderPlan } from '../../../src/plan/render.js';
import type { Plan } from '../../../src/plan/steps.js';
import { buildMachine } from '../../../src/testing/index.js';
import { treeOf } from '../../../src/testing/machine.js';
import { settingsOf, setUpZswap } from '../../support/fault-points.js';
import { tempDirectory } from '../../support/temp-directory.js';

const drivers = '/sys/bus/dsa/drivers';

/** A library that does on a mock what the real one does below /sys. */
class FakeAccelConfig implements AccelConfig {
  readonly calls: string[] = [];
  readonly #host: MockHost;
  refuse: string | undefined;

  constructor(host: MockHost) {
    this.#host = host;
  }

  async devices(): Promise<[]> {
    return [];
  }

  enable(name: string): Promise<void> {
    return this.#change('enable', 'bind', name);
  }

  disable(name: string): Promise<void> {
    return this.#change('disable', 'unbind', name);
  }

  async #change(call: string, file: string, name: string): Promise<void> {
    this.calls.push(`${call} ${name}`);
    if (`${call} ${name}` === this.refuse)
      throw new AccelConfigError(`libaccel-config: ${name}: as the test says`);
    await this.#host.write(hostPath(drivers, name.startsWith('wq') ? 'crypto' : 'idxd', file), `${name}\n`);
  }
}

async function machine(t: TestContext) {
  const tree = treeOf(
    buildMachine({ kernel: 'mainline 6.18', packages: 1, coresPerPackage: 4, iaaPerPackage: 2 }),
  );
  const host = new MockHost('mock:memory', '/memory', tree);
  await setUpZswap(host);
  const state = tempDirectory(t);
  const header = {
    schemaVersion: 1,
    host: host.name,
    machineId: '',
    bootId: '',
    startedAt: '',
    tool: '',
  } as const;
  return { tree, host, library: new FakeAccelConfig(host), journal: Journal.create(state, header), state };
}

/** As if the host were the running machine: that is what a plan by libaccel-config needs. */
async function planOf(host: MockHost, backend: string, as = 'live'): Promise<Plan> {
  const experiment = parseExperiment(
    `name: x
matrix: { compressor: [deflate-iaa], folio: [64kB] }
iaa: { backend: ${backend}, wqs: [{ size: 64 }, { size: 64 }] }
workload: { usemem: { processes: 1, size: 64M } }
`,
    'x.yaml',
  );
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  return plan({ ...(await discover(host)), host: as }, experiment, cell);
}

test('devices and WQs are disabled and enabled by the library, and go back by sysfs', async (t) => {
  const { tree, host, library, journal } = await machine(t);
  const before = settingsOf(tree);
  await apply(host, await planOf(host, 'libaccel-config'), journal, { accelConfig: library });
  const binds = [
    'enable iax1',
    'enable iax3',
    'enable wq1.0',
    'enable wq1.1',
    'enable wq3.0',
    'enable wq3.1',
  ];
  assert.deepEqual(
    library.calls.filter((call) => call.startsWith('enable')),
    binds,
  );
  const kinds = journal.entries.map(({ change, done }) => `${change.kind} ${done}`);
  assert.equal(kinds.filter((kind) => kind === 'bind true').length, binds.length);

  const restored = await restore(host, journal);
  assert.deepEqual(restored.problems, []);
  assert.deepEqual(settingsOf(tree), before);
});

test('bound devices are taken down by the library, in the order of the plan', async (t) => {
  const { host, library, journal } = await machine(t);
  await apply(host, await planOf(host, 'sysfs'), journal);
  assert.deepEqual(library.calls, []);
  await host.write(hostPath('/sys/module/zswap/parameters/compressor'), 'lzo\n');
  const experiment = await planOf(host, 'libaccel-config');
  const down: Plan = {
    ...experiment,
    steps: [
      {
        kind: 'device',
        id: 'iax3.down',
        device: 'iax3',
        path: hostPath('/sys/bus/dsa/devices/iax3'),
        wqs: ['wq3.1', 'wq3.0'].map((name) => ({ name, driver: 'crypto' })),
        unbindDevice: true,
        attributes: [],
        by: 'libaccel-config',
        affects: 'machine',
        why: 'a test',
      },
    ],
  };
  await apply(host, down, journal, { accelConfig: library });
  assert.deepEqual(library.calls, ['disable wq3.1', 'disable wq3.0', 'disable iax3']);
});

test('nothing is disabled while pages live in zswap', async (t) => {
  const { tree, host, library, journal } = await machine(t);
  await apply(host, await planOf(host, 'sysfs'), journal);
  for (const name of ['stored_pages', 'pool_total_size']) {
    tree.apply({ kind: 'file', path: `/sys/kernel/debug/zswap/${name}`, text: '2048\n', mode: 0o444 });
  }
  const { steps, ...rest } = await planOf(host, 'libaccel-config');
  const device = {
    kind: 'device',
    id: 'iax1.down',
    device: 'iax1',
    path: hostPath('/sys/bus/dsa/devices/iax1'),
    wqs: [{ name: 'wq1.0', driver: 'crypto' }],
    unbindDevice: false,
    attributes: [],
    by: 'libaccel-config',
    affects: 'machine',
    why: 'a test',
  } as const;
  await assert.rejects(
    apply(host, { ...rest, steps: [device, ...steps] }, journal, { accelConfig: library }),
    /deflate-iaa \(refcnt \d+\) is still in use/,
  );
  assert.deepEqual(library.calls, []);
});

test('what the library refuses is the reason of the failed step', async (t) => {
  const { tree, host, library, journal } = await machine(t);
  const before = settingsOf(tree);
  library.refuse = 'enable wq3.0';
  await assert.rejects(
    apply(host, await planOf(host, 'libaccel-config'), journal, { accelConfig: library }),
    (error) => {
      assert.ok(error instanceof ApplyError);
      assert.match(error.message, /wq3\.0\.bind: libaccel-config: wq3\.0: as the test says/);
      return true;
    },
  );
  assert.deepEqual((await restore(host, journal)).problems, []);
  assert.deepEqual(settingsOf(tree), before);
});

test('a plan by libaccel-config is not begun where there is none', async (t) => {
  const { host, journal, state } = await machine(t);
  const wanted = await planOf(host, 'libaccel-config');
  await assert.rejects(apply(host, wanted, journal), RequirementError);
  assert.deepEqual(journal.entries, []);
  assert.ok(existsSync(Journal.pathIn(state)));
});

test('a plan says by what it binds, and is made for the running machine alone', async (t) => {
  const { host } = await machine(t);
  const text = renderPlan(await planOf(host, 'libaccel-config'));
  assert.match(text, /iax1\.bind +bind to idxd by libaccel-config/);
  assert.doesNotMatch(renderPlan(await planOf(host, 'sysfs')), / by /);
  await assert.rejects(planOf(host, 'libaccel-config', 'mock:x'), (error) => {
    assert.ok(error instanceof PlanError);
    assert.deepEqual(
      error.issues.map(({ path }) => path),
      ['iaa.backend'],
    );
    return true;
  });
});

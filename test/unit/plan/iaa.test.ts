import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { PlanError, type PlanIssue } from '../../../src/errors.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import type { Host } from '../../../src/host/host.js';
import { hostPath } from '../../../src/host/path.js';
import { type PlanOptions, plan } from '../../../src/plan/plan.js';
import type { AttributeStep, Plan, Step } from '../../../src/plan/steps.js';
import { buildMachine, type MachineOptions, mockHost } from '../../../src/testing/index.js';

/** Two packages with two devices each, and nothing of zswap in use. */
function machine(change: MachineOptions = {}): Host {
  return mockHost(buildMachine({ iaaPerPackage: 2, ...change }));
}

async function planOf(
  host: Host,
  iaa: string,
  options: PlanOptions & { compressor?: string; more?: string } = {},
): Promise<Plan> {
  const experiment = parseExperiment(
    `name: x
matrix: { compressor: [${options.compressor ?? 'deflate-iaa'}], folio: [64kB] }
iaa: ${iaa}
${options.more ?? ''}
workload: { usemem: { processes: 1, size: 64M } }
`,
    'x.yaml',
  );
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  return plan(await discover(host), experiment, cell, options);
}

async function issuesOf(host: Host, iaa: string, options: PlanOptions = {}): Promise<readonly PlanIssue[]> {
  try {
    await planOf(host, iaa, options);
  } catch (error) {
    assert.ok(error instanceof PlanError);
    return error.issues;
  }
  return assert.fail('the plan was made');
}

const idsOf = (steps: readonly Step[]): string[] => steps.map(({ id }) => id);

function attribute(steps: readonly Step[], id: string): AttributeStep {
  const step = steps.find((each) => each.id === id);
  assert.ok(step?.kind === 'attribute', id);
  return step;
}

/** Without those of zswap, THP, cgroup. */
function iaaSteps({ steps }: Plan): Step[] {
  return steps.filter(
    ({ id }) => !/^(zswap|thp|vm|cgroup)\b/.test(id) || id === 'zswap.compressor:meanwhile',
  );
}

describe('the plan for IAA', () => {
  it('does nothing for a cell with another compressor', async () => {
    const { steps, already } = await planOf(machine(), '{ wqs: [{ size: 128 }] }', { compressor: 'zstd' });
    assert.deepEqual(
      idsOf([...steps, ...already]).filter((id) => /iaa|iax|wq|engine/.test(id)),
      [],
    );
  });

  it('takes devices down from the highest, loads the module anew, brings them up from the lowest', async () => {
    const steps = iaaSteps(await planOf(machine(), '{ wqs: [{ size: 64 }, { size: 64 }] }'));
    const order = steps.flatMap(({ id, kind }) => (kind === 'attribute' ? [] : [id]));
    assert.deepEqual(order, [
      'iax7.down',
      'iax5.down',
      'iax3.down',
      'iax1.down',
      'iaa_crypto.reload',
      'iax1.bind',
      'iax3.bind',
      'iax5.bind',
      'iax7.bind',
      ...[1, 3, 5, 7].flatMap((number) => [`wq${number}.0.bind`, `wq${number}.1.bind`]),
    ]);
  });

  it('writes the type before the name, and gives entries back before others take them', async () => {
    const ids = idsOf(
      iaaSteps(await planOf(machine(), '{ wqs: [{ size: 128 }], driver: { sync_mode: async_irq } }')),
    );
    assert.ok(ids.indexOf('wq1.0.type') < ids.indexOf('wq1.0.name'));
    assert.ok(ids.indexOf('wq1.1.size') < ids.indexOf('wq1.0.size'));
    assert.ok(ids.indexOf('iaa_crypto.reload') < ids.indexOf('iaa.driver.sync_mode'));
    assert.ok(ids.indexOf('iaa.driver.sync_mode') < ids.indexOf('iax1.bind'));
  });

  it('leaves a device alone that is as wanted: the default configuration of new kernels', async () => {
    const host = machine({ kernel: 'mainline 7.3' });
    const made = await planOf(host, '{ wqs: [{ size: 128 }] }');
    assert.deepEqual(iaaSteps(made), []);
    assert.ok(made.already.some(({ id }) => id === 'wq7.0.bind'));
  });

  it('adopts what is there, and builds it again only when the driver must change', async () => {
    const host = machine();
    assert.deepEqual(iaaSteps(await planOf(host, '{}')), []);
    const steps = iaaSteps(await planOf(host, '{ driver: { verify_compress: false } }'));
    assert.equal(attribute(steps, 'wq1.0.size').value, '128');
    assert.equal(attribute(steps, 'iaa.driver.verify_compress').value, '0');
    // Loading anew would reset it.
    assert.equal(attribute(steps, 'iaa.driver.sync_mode').value, 'sync');
  });

  it('unbinds the WQs of devices that it leaves out, but not the devices', async () => {
    const steps = iaaSteps(await planOf(machine(), '{ devices_per_package: 1, wqs: [{ size: 128 }] }'));
    const down = steps.flatMap((step) => (step.kind === 'device' ? [[step.device, step.unbindDevice]] : []));
    const binds = steps.flatMap((step) => (step.kind === 'bind' ? [step.name] : []));
    assert.ok(down.some(([device, whole]) => device === 'iax3' && whole === false));
    assert.ok(!binds.includes('iax3') && !binds.includes('wq3.0'));
  });

  it('moves zswap off IAA first and waits', async () => {
    const host = machine();
    await host.write(hostPath('/sys/module/zswap/parameters/enabled'), 'Y\n');
    await host.write(hostPath('/sys/module/zswap/parameters/compressor'), 'deflate-iaa\n');
    const made = await planOf(host, '{ wqs: [{ size: 64 }] }');
    assert.deepEqual(idsOf(made.steps).slice(0, 2), ['zswap.compressor:meanwhile', 'iaa.drain']);
    assert.equal(attribute(made.steps, 'zswap.compressor').value, 'deflate-iaa');
    assert.ok(idsOf(made.steps).indexOf('wq7.0.bind') < idsOf(made.steps).indexOf('zswap.compressor'));
  });

  it('says what this kernel keeps instead, and is content with it', async () => {
    const host = machine({ kernel: 'mainline 7.3' });
    const made = await planOf(host, '{ wqs: [{ size: 128 }], driver: { sync_mode: async } }');
    assert.deepEqual(iaaSteps(made), []);
    assert.match(made.warnings.join('\n'), /'async' will read back 'sync'/);
    const letter = await planOf(
      machine({ kernel: 'v9' }),
      '{ wqs: [{ size: 128 }], driver: { sync_mode: async } }',
    );
    assert.deepEqual(letter.warnings, []);
  });

  it('leaves optional keys out, and refuses others that are missing', async () => {
    const iaa = '{ wqs: [{ size: 128 }], driver: { distribute_comps: true } }';
    const made = await planOf(machine(), iaa, { more: 'optional: [iaa.driver.distribute_comps]' });
    assert.match(made.warnings.join('\n'), /distribute_comps is left out/);
    assert.deepEqual(
      (await issuesOf(machine(), iaa)).map(({ path }) => path),
      ['/sys/bus/dsa/drivers/crypto/distribute_comps'],
    );
  });

  it('names all that is wrong at once', async () => {
    const issues = await issuesOf(
      machine(),
      '{ devices: [iax1, iax2], wqs: [{ size: 100 }, { size: 100 }], groups: [{ engines: 0-9 }] }',
    );
    const text = issues.map(({ path, message }) => `${path}: ${message}`).join('\n');
    assert.match(text, /there is no iax2 here/);
    assert.match(text, /want 200 entries, iax1 has 128/);
    assert.match(text, /iax1 has no engine 8/);
  });

  it('warns when the order of binds is not that of the numbers', async () => {
    const host = machine({ kernel: 'mainline 7.3' });
    await host.write(hostPath('/sys/bus/dsa/drivers/crypto/unbind'), 'wq1.0\n');
    const made = await planOf(host, '{ wqs: [{ size: 128 }] }');
    assert.deepEqual(
      made.steps.flatMap((step) => (step.kind === 'device' ? [step.device] : [])),
      ['iax1'],
    );
    assert.match(made.warnings.join('\n'), /iax1 is bound after devices with higher numbers/);
  });

  it('does not take what somebody else uses, unless it is named and --take is given', async () => {
    const host = machine();
    for (const [file, text] of [
      ['/sys/bus/dsa/drivers/crypto/unbind', 'wq3.0'],
      ['/sys/bus/dsa/devices/iax3/wq3.0/type', 'user'],
      ['/sys/bus/dsa/devices/iax3/wq3.0/name', 'mine'],
      ['/sys/bus/dsa/devices/iax3/wq3.0/driver_name', 'user'],
      ['/sys/bus/dsa/devices/iax3/wq3.0/mode', 'dedicated'],
      ['/sys/bus/dsa/devices/iax3/wq3.0/priority', '10'],
      ['/sys/bus/dsa/drivers/user/bind', 'wq3.0'],
    ] as const) {
      await host.write(hostPath(file), `${text}\n`);
    }
    const all = '{ wqs: [{ size: 64 }] }';
    const named = '{ devices: [iax1, iax3], wqs: [{ size: 64 }] }';
    assert.match((await issuesOf(host, all, { take: true }))[0]?.mend ?? '', /name the devices/);
    assert.match((await issuesOf(host, named))[0]?.mend ?? '', /--take/);
    const steps = iaaSteps(await planOf(host, named, { take: true }));
    const down = steps.find((step) => step.id === 'iax3.down');
    assert.deepEqual(down?.kind === 'device' && down.wqs, [{ name: 'wq3.0', driver: 'user' }]);
    // A device that is left out loses only its WQs of iaa_crypto.
    const other = iaaSteps(await planOf(host, '{ devices: [iax1], wqs: [{ size: 64 }] }'));
    assert.ok(!idsOf(other).includes('iax3.down'));
  });
});

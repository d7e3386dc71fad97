import assert from 'node:assert/strict';
import { test } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { checkAccelConfig } from '../../../src/doctor/accel-config.js';
import { type AccelDevice, readFacts } from '../../../src/doctor/facts.js';
import { iaaMachine } from '../../support/iaa-machine.js';

async function diagnosesOf(
  given: string | undefined | ((ours: readonly AccelDevice[]) => readonly AccelDevice[]),
) {
  const host = iaaMachine();
  const inventory = await discover(host);
  const { iaa } = inventory;
  const facts = await readFacts(host, inventory, []);
  assert.equal(facts.accelConfig, undefined, 'a host in memory is not asked about');
  assert.ok(iaa !== undefined);
  const ours = iaa.devices.map(({ name, state = '' }) => ({
    name,
    state,
    wqs: iaa.wqs
      .filter(({ device }) => device === name)
      .map((wq) => ({ name: wq.name, state: wq.state ?? '' })),
    engines: [],
  }));
  const accelConfig =
    given === undefined
      ? undefined
      : typeof given === 'string'
        ? { absent: given }
        : { devices: given(ours) };
  return checkAccelConfig(inventory, { ...facts, accelConfig }).map(
    ({ severity, message }) => `${severity}: ${message}`,
  );
}

const dsa = { name: 'dsa0', state: 'disabled', wqs: [], engines: [] };

test('where the library is no matter, nothing is said', async () => {
  assert.deepEqual(await diagnosesOf(undefined), []);
});

test('a library that is not there is no fault', async () => {
  assert.deepEqual(await diagnosesOf('no such file'), ['ok: libaccel-config is not here (no such file)']);
});

test('two looks that agree', async () => {
  assert.deepEqual(await diagnosesOf((ours) => [dsa, ...ours]), [
    'ok: libaccel-config sees the same 2 IAA devices and WQs in the same states',
  ]);
});

test('two looks that differ are told, each thing by its name, and not without end', async () => {
  const changed = await diagnosesOf((ours) =>
    ours.map((device) => ({
      ...device,
      wqs: device.wqs.map((wq) => (wq.name === 'wq1.0' ? { ...wq, state: 'locked' } : wq)),
    })),
  );
  assert.deepEqual(changed, [
    'warning: libaccel-config sees something else: wq1.0 is unknown to it and enabled to us',
  ]);
  assert.match(
    (await diagnosesOf((ours) => ours.slice(0, 1))).join(),
    /^warning: libaccel-config sees something else: iax3 is not there to it and enabled to us, .* and 1 more$/,
  );
  assert.match(
    (await diagnosesOf((ours) => [...ours, { ...dsa, name: 'iax5' }])).join(),
    /iax5 is disabled to it/,
  );
});

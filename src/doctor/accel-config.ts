/** What libaccel-config sees, beside our own look at the dsa bus. */
import type { Inventory } from '../discover/inventory.js';
import { dsaDevices } from '../kernel/idxd-device.js';
import { type Diagnosis, enumerate, inOrder } from './diagnosis.js';
import type { Facts } from './facts.js';

const check = 'accel-config';

/** Differences that are told one by one. */
const mostNamed = 8;

export function checkAccelConfig({ iaa }: Inventory, { accelConfig }: Facts): Diagnosis[] {
  if (accelConfig === undefined) return [];
  if ('absent' in accelConfig) {
    return [
      inOrder(
        check,
        dsaDevices,
        `libaccel-config is not here (${accelConfig.absent})`,
        "nothing here needs it; only an experiment with iaa.backend 'libaccel-config' does",
      ),
    ];
  }
  // The library lists DSA devices too.
  const theirs = accelConfig.devices.filter(({ name }) => name.startsWith('iax'));
  const seen = statesOf(theirs.flatMap(({ name, state, wqs }) => [{ name, state }, ...wqs]));
  const ours = statesOf([...(iaa?.devices ?? []), ...(iaa?.wqs ?? [])]);
  const different = [...new Set([...ours.keys(), ...seen.keys()])]
    .filter((name) => ours.get(name) !== seen.get(name))
    .map(
      (name) =>
        `${name} is ${seen.get(name) ?? 'not there'} to it and ${ours.get(name) ?? 'not there'} to us`,
    );
  if (different.length === 0) {
    const count = theirs.length;
    const message = `libaccel-config sees the same ${count} IAA ${count === 1 ? 'device' : 'devices'} and WQs in the same states`;
    return [inOrder(check, dsaDevices, message, 'two ways to look at them agree')];
  }
  const [first, rest] = [different.slice(0, mostNamed), different.length - mostNamed];
  const all = rest > 0 ? [...first, `${rest} more`] : first;
  return [
    {
      check,
      severity: 'warning',
      path: dsaDevices,
      message: `libaccel-config sees something else: ${enumerate(all)}`,
      meaning: 'one of the two is wrong, or somebody changed a device between the two looks',
      mend: "run 'iaa-zswap doctor' again; if it stays, 'accel-config list -i' and a report of this help",
    },
  ];
}

/** States by name, in words that both have: the library knows nothing of a halted device. */
function statesOf(
  things: readonly { readonly name: string; readonly state: string | undefined }[],
): Map<string, string> {
  return new Map(
    things.map(({ name, state }) => [name, state === 'enabled' || state === 'disabled' ? state : 'unknown']),
  );
}

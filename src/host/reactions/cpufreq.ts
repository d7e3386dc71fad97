/**
 * CPU frequency under intel_pstate in active mode (drivers/cpufreq/cpufreq.c, intel_pstate.c). What it forgets no
 * file shows: leaving the governor performance gives the default preference back, not the one before, and a limit
 * that had to give way does not come back with the room for it.
 */
import { kstrto, sysfsStreq } from './parsing.js';
import { type Draft, type Errno, parentOf } from './tree.js';

const policyFile = /^\/sys\/devices\/system\/cpu\/cpufreq\/policy\d+\/(\w+)$/;
const noTurbo = '/sys/devices/system/cpu/intel_pstate/no_turbo';
const defaultPreference = 'balance_performance';

type Store = (draft: Draft, policy: string, path: string, text: string) => Errno | undefined;

/** A word of those that a file of the policy lists. */
function wordOf(draft: Draft, list: string, text: string): string | undefined {
  return draft
    .value(list)
    .split(' ')
    .find((word) => word !== '' && sysfsStreq(text, word));
}

/** A frequency in kHz, brought into the processor's range; the lower limit gives way to the upper one. */
const storeFrequency: Store = (draft, policy, path, text) => {
  const value = /^\s*(\d{1,10})/.exec(text)?.[1];
  if (value === undefined) return 'EINVAL';
  const kHz = (name: string): number => Number(draft.value(`${policy}/${name}`));
  const inRange = Math.min(Math.max(Number(value), kHz('cpuinfo_min_freq')), kHz('cpuinfo_max_freq'));
  draft.write(path, `${inRange}\n`);
  const [lower, upper] = [kHz('scaling_min_freq'), kHz('scaling_max_freq')];
  draft.write(`${policy}/scaling_min_freq`, `${Math.min(lower, upper)}\n`);
  return undefined;
};

const stores: Readonly<Record<string, Store>> = {
  scaling_governor(draft, policy, path, text) {
    const governor = wordOf(draft, `${policy}/scaling_available_governors`, text);
    if (governor === undefined) return 'EINVAL';
    const before = draft.value(path);
    draft.write(path, `${governor}\n`);
    const preference = `${policy}/energy_performance_preference`;
    if (governor === 'performance') draft.writeIfThere(preference, 'performance\n');
    else if (before === 'performance') draft.writeIfThere(preference, `${defaultPreference}\n`);
    return undefined;
  },
  energy_performance_preference(draft, policy, path, text) {
    const list = `${policy}/energy_performance_available_preferences`;
    const word = wordOf(draft, list, text);
    if (word === undefined) return 'EINVAL';
    const atMost = draft.value(`${policy}/scaling_governor`) === 'performance';
    if (atMost && word !== 'performance') return 'EBUSY';
    draft.write(path, `${word === 'default' ? defaultPreference : word}\n`);
    return undefined;
  },
  scaling_max_freq: storeFrequency,
  scaling_min_freq: storeFrequency,
};

/** The store behind a file of a policy or intel_pstate; `undefined` when the path is none. */
export function cpufreqStore(draft: Draft, path: string): ((text: string) => Errno | undefined) | undefined {
  if (path === noTurbo) {
    return (text) => {
      const value = kstrto('uint', 10, text);
      if (typeof value === 'string') return 'EINVAL';
      draft.write(path, value === 0n ? '0\n' : '1\n');
      return undefined;
    };
  }
  const name = policyFile.exec(path)?.[1] ?? '';
  const store = Object.hasOwn(stores, name) ? stores[name] : undefined;
  return store && ((text) => store(draft, parentOf(path), path, text));
}

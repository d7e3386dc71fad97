import { chomp, codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { dsaDevices } from '../kernel/idxd-device.js';
import { type Plan, textAfter } from '../plan/steps.js';
import { driverOf } from './dsa-bus.js';

/** One attribute that is not as a plan says. */
export interface Mismatch {
  readonly path: string;
  readonly expected: string;
  /** undefined when the attribute is not there. */
  readonly actual: string | undefined;
}

/**
 * Which of a plan's machine-wide attributes do not hold their values now, and what is not bound as it says; changes
 * nothing.
 */
export async function verify(host: Host, plan: Plan): Promise<Mismatch[]> {
  const steps = [...plan.already, ...plan.steps];
  const attributes = new Map(
    steps.flatMap((step) =>
      step.kind === 'attribute' && step.affects === 'machine' ? [[step.path, step] as const] : [],
    ),
  );
  const texts = await host.tryRead([...attributes.keys()]);
  const mismatches = [...attributes.values()].flatMap((step, index): Mismatch[] => {
    const text = texts[index];
    const { parse } = codecs[step.codec];
    if (text !== undefined && parse(text) === parse(textAfter(step))) return [];
    return [{ path: step.path, expected: step.value, actual: text === undefined ? undefined : chomp(text) }];
  });
  for (const step of steps) {
    if (step.kind !== 'bind') continue;
    const actual = await driverOf(host, step.name);
    if (actual === step.driver) continue;
    mismatches.push({
      path: hostPath(dsaDevices, step.name, 'driver'),
      expected: step.driver,
      actual,
    });
  }
  return mismatches;
}

import { chomp, codecs, shownAfter } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import type { Plan } from '../plan/steps.js';

/** One attribute that is not as a plan says. */
export interface Mismatch {
  readonly path: string;
  readonly expected: string;
  /** undefined when the attribute is not there. */
  readonly actual: string | undefined;
}

/** Which of a plan's machine-wide attributes do not hold their values now; changes nothing. */
export async function verify(host: Host, plan: Plan): Promise<Mismatch[]> {
  const steps = [...plan.steps, ...plan.already].filter(
    (step) => step.kind === 'attribute' && step.affects === 'machine',
  );
  const attributes = steps.flatMap((step) => (step.kind === 'attribute' ? [step] : []));
  const texts = await host.tryRead(attributes.map((step) => step.path));
  return attributes.flatMap((step, index) => {
    const text = texts[index];
    const mismatch = {
      path: step.path,
      expected: step.value,
      actual: text === undefined ? undefined : chomp(text),
    };
    if (text === undefined) return [mismatch];
    const { parse } = codecs[step.codec];
    return parse(text) === parse(shownAfter(step.codec, step.value)) ? [] : [mismatch];
  });
}

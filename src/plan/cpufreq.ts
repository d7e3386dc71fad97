import type { CpufreqPolicy, Inventory } from '../discover/inventory.js';
import type { Experiment } from '../experiment/schema.js';
import { chomp, codecs } from '../host/codecs.js';
import type { HostPath } from '../host/path.js';
import {
  cpufreqDirectory,
  intelPstateAttribute,
  intelPstateSettings,
  policyAttribute,
  policySettings,
} from '../kernel/cpufreq.js';
import { asSaid, type Planner } from './planner.js';

/**
 * Governor, preference, turbo and frequencies of every CPU that is online, in the order that the drivers demand: the
 * governor says which preferences may be set, turbo how far frequencies reach, and a lower limit never passes the
 * upper one (the kernel would keep another value without an error; drivers/cpufreq/freq_table.c, intel_pstate.c).
 */
export function planCpufreq(planner: Planner, inventory: Inventory, experiment: Experiment): void {
  const settings = experiment.cpu;
  if (Object.keys(settings).length === 0) return;
  const { no_turbo: noTurbo, ...ofPolicies } = settings;
  const policies = inventory.cpufreq?.policies ?? [];
  if (policies.length === 0) {
    for (const key of Object.keys(ofPolicies))
      planner.set(`cpu.${key}`, cpufreqDirectory, 'text', '', asSaid);
  }
  const plan = new PolicyPlanner(planner, policies);
  const { scaling_governor: governor, energy_performance_preference: preference } = ofPolicies;
  if (governor !== undefined) plan.governor(governor);
  if (preference !== undefined) plan.preference(preference);
  if (noTurbo !== undefined) setTurbo(planner, policies, noTurbo);
  plan.frequencies(ofPolicies.scaling_min_freq_khz, ofPolicies.scaling_max_freq_khz);
}

/** Without turbo the kernel takes back what reaches into it: min_perf_pct for good, the upper limits until it is on again. */
function setTurbo(planner: Planner, policies: readonly CpufreqPolicy[], noTurbo: boolean): void {
  const first = planner.steps.length;
  const text = codecs.oneZero.format(noTurbo);
  planner.set('cpu.no_turbo', intelPstateAttribute('no_turbo'), 'oneZero', text, asSaid);
  const why = 'the kernel changes it with turbo';
  for (const { name } of policies.toReversed()) {
    const path = policyAttribute(name, 'scaling_max_freq');
    planner.keep(first, `cpu.scaling_max_freq_khz:${name}`, path, 'decimal', why);
  }
  const minPerfPct = intelPstateAttribute('min_perf_pct');
  planner.keep(first, 'cpu.min_perf_pct', minPerfPct, intelPstateSettings['min_perf_pct'] ?? 'decimal', why);
}

class PolicyPlanner {
  readonly #planner: Planner;
  readonly #policies: readonly CpufreqPolicy[];

  constructor(planner: Planner, policies: readonly CpufreqPolicy[]) {
    this.#planner = planner;
    this.#policies = policies;
  }

  governor(governor: string): void {
    this.#refuse(
      'scaling_governor',
      ({ governors }) => governors?.includes(governor) === false,
      ({ governors }) => `there is no governor ${governor} here; there are ${governors?.join(', ')}`,
      'name one of these',
    );
    const first = this.#planner.steps.length;
    this.#setAll('scaling_governor', governor);
    // performance takes the preference with it, and leaving performance brings another one.
    const attribute = 'energy_performance_preference';
    for (const { name } of this.#policies.toReversed()) {
      const why = 'the kernel changes it with the governor';
      this.#planner.keep(first, `cpu.${attribute}:${name}`, policyAttribute(name, attribute), 'text', why);
    }
  }

  preference(preference: string): void {
    const attribute = 'energy_performance_preference';
    this.#refuse(
      attribute,
      ({ preferences }) => preferences?.includes(preference) === false,
      ({ preferences }) => `there is no preference ${preference} here; there are ${preferences?.join(', ')}`,
      'name one of these',
    );
    this.#refuse(
      attribute,
      ({ name }) => preference !== 'performance' && this.#text(name, 'scaling_governor') === 'performance',
      () => `under the governor performance the kernel takes no preference but performance`,
      'give another cpu.scaling_governor, or leave the preference out',
    );
    this.#setAll(attribute, preference);
  }

  /** In kHz; what is undefined stays. */
  frequencies(least: number | undefined, most: number | undefined): void {
    if (least === undefined && most === undefined) return;
    for (const [key, value] of Object.entries({ scaling_min_freq: least, scaling_max_freq: most })) {
      if (value === undefined) continue;
      this.#refuse(
        key,
        (policy) => value < (policy.leastKHz ?? 0) || value > this.#reach(policy),
        (policy) => `is ${policy.leastKHz} to ${this.#reach(policy)} kHz here, not ${value}`,
        'a frequency in this range',
      );
    }
    const lower = ({ name }: CpufreqPolicy): number => least ?? this.#kHz(name, 'scaling_min_freq');
    const upper = ({ name }: CpufreqPolicy): number => most ?? this.#kHz(name, 'scaling_max_freq');
    this.#refuse(
      'scaling_min_freq',
      (policy) => lower(policy) > upper(policy),
      (policy) => `the lower limit would be ${lower(policy)} kHz and the upper one ${upper(policy)}`,
      'give both cpu.scaling_min_freq_khz and cpu.scaling_max_freq_khz',
    );
    const raised = this.#policies.filter(
      (policy) => lower(policy) > this.#kHz(policy.name, 'scaling_max_freq'),
    );
    const others = this.#policies.filter((policy) => !raised.includes(policy));
    if (most !== undefined) this.#setAll('scaling_max_freq', String(most), raised);
    if (least !== undefined) this.#setAll('scaling_min_freq', String(least));
    if (most !== undefined) this.#setAll('scaling_max_freq', String(most), others);
  }

  /** How far a frequency may reach: to the base frequency without turbo. */
  #reach({ mostKHz, baseKHz }: CpufreqPolicy): number {
    const noTurbo = this.#planner.textOf(intelPstateAttribute('no_turbo')) ?? '0';
    return (chomp(noTurbo) === '1' ? baseKHz : undefined) ?? mostKHz ?? Number.POSITIVE_INFINITY;
  }

  #text(policy: string, attribute: string): string | undefined {
    const text = this.#planner.textOf(policyAttribute(policy, attribute));
    return text === undefined ? undefined : chomp(text);
  }

  #kHz(policy: string, attribute: string): number {
    return Number(this.#text(policy, attribute));
  }

  #setAll(attribute: string, value: string, policies = this.#policies): void {
    const path = ({ name }: CpufreqPolicy): HostPath => policyAttribute(name, attribute);
    const offering = policies.filter((policy) => this.#planner.offers(path(policy)));
    // Where none has it, once is enough to say so.
    for (const policy of offering.length === 0 ? policies.slice(0, 1) : policies) {
      const codec = policySettings[attribute] ?? 'text';
      this.#planner.set(`${keyOf(attribute)}:${policy.name}`, path(policy), codec, value, asSaid);
    }
  }

  /** One issue for all policies that are alike wrong. */
  #refuse(
    attribute: string,
    isWrong: (policy: CpufreqPolicy) => boolean,
    message: (policy: CpufreqPolicy) => string,
    mend: string,
  ): void {
    const wrong = this.#policies.filter(
      (policy) => this.#planner.offers(policyAttribute(policy.name, attribute)) && isWrong(policy),
    );
    const [first, ...more] = wrong;
    if (first === undefined) return;
    const others = more.length === 0 ? '' : ` (and so for ${more.length} more policies)`;
    this.#planner.issue(policyAttribute(first.name, attribute), `${message(first)}${others}`, mend);
  }
}

/** The experiment's key for an attribute: frequencies tell their unit. */
function keyOf(attribute: string): string {
  return `cpu.${attribute}${attribute.endsWith('_freq') ? '_khz' : ''}`;
}

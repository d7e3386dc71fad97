import { cellName } from '../experiment/cells.js';
import { formatCpuList } from '../kernel/topology.js';
import { describeForecast } from './pool.js';
import type { Plan, Step } from './steps.js';

/** A plan as a person reads it: what is written where, whom it affects, and what cannot be undone. */
export function renderPlan(plan: Plan): string {
  const machine = plan.steps.filter((step) => step.affects === 'machine');
  const run = plan.steps.filter((step) => step.affects === 'run');
  return [
    `cell ${plan.cell.number}: ${cellName(plan.cell)}`,
    ...section('machine-wide (every process on this machine feels it):', machine),
    ...section("for this run's own cgroup:", run),
    ...(plan.already.length === 0 ? [] : [`  already so: ${alreadyNames(plan).join(', ')}`]),
    ...workloadLines(plan),
    ...(plan.forecast === undefined ? [] : [`  ${describeForecast(plan.forecast)}`]),
    ...plan.warnings.map((warning) => `  warning: ${warning}`),
    ...oneWayLines(plan),
  ].join('\n');
}

/** What runs in the cgroup, and as whom where the experiment says so. */
function workloadLines({ cgroup, workload }: Plan): string[] {
  const { setup, argv, cleanup, directory, user } = workload;
  const where = [
    `workload in ${cgroup}`,
    ...(user === undefined ? [] : [`as ${user}`]),
    ...(directory === undefined ? [] : [`from ${shellWord(directory)}`]),
  ];
  const line = (name: string, words: readonly string[]): string =>
    `    ${[...(name === '' ? [] : [name.padEnd(8)]), ...words.map(shellWord)].join(' ')}`;
  const alone = setup.length === 0 && cleanup.length === 0;
  return [
    `  ${where.join(' ')}:`,
    ...setup.map((words) => line('set-up', words)),
    line(alone ? '' : 'measured', argv),
    ...cleanup.map((words) => line('clean-up', words)),
  ];
}

/** A word as a shell would have to be given it. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The ids of what is so already; of an IAA device only its name, of CPUs only the key. */
function alreadyNames(plan: Plan): string[] {
  const device = /^\/sys\/bus\/dsa\/devices\/(iax\d+)\//;
  const names = plan.already.map((step) =>
    step.kind === 'bind' ? step.device : (device.exec(step.path)?.[1] ?? keyOf(step)),
  );
  return [...new Set(names)];
}

/** What the plan does that no restore can take back before the next boot, one line each. */
export function oneWayLines(plan: Plan): string[] {
  return plan.steps.flatMap((step) =>
    step.kind === 'attribute' && step.oneWay !== undefined
      ? [`  cannot be undone before the next boot: ${step.id}: ${step.oneWay}`]
      : [],
  );
}

function section(title: string, steps: readonly Step[]): string[] {
  if (steps.length === 0) return [];
  const lines = linesOf(steps);
  const width = Math.max(...lines.map(({ name }) => name.length));
  return [`  ${title}`, ...lines.map(({ name, text }) => `    ${name.padEnd(width)}  ${text}`)];
}

interface Line {
  readonly name: string;
  readonly text: string;
}

/**
 * One line for each step, but one for each part of an IAA device (its path says enough), and one for neighbours that
 * are set alike: a machine has hundreds of these attributes.
 */
function linesOf(steps: readonly Step[]): Line[] {
  const lines: (Line & { last?: string; policies?: number[] })[] = [];
  let part: { folder: string; words: string[] } | undefined;
  const endPart = (): void => {
    if (part === undefined) return;
    const { folder, words } = part;
    part = undefined;
    const name = folder.slice(folder.lastIndexOf('/') + 1);
    const text = words.join(' ');
    const before = lines.at(-1);
    const isAlike =
      before?.last !== undefined && before.text === text && kindOf(before.last) === kindOf(name);
    if (before === undefined || !isAlike) lines.push({ name, text, last: name });
    else
      lines.splice(-1, 1, { ...before, name: `${before.name.replace(/ to .*/, '')} to ${name}`, last: name });
  };
  for (const step of steps) {
    const policy = policyOf(step);
    if (policy !== undefined) {
      endPart();
      const [name, text, before] = [keyOf(step), describeStep(step), lines.at(-1)];
      if (before?.policies !== undefined && before.name === name && before.text === text) {
        before.policies.push(policy);
      } else lines.push({ name, text, policies: [policy] });
      continue;
    }
    if (step.kind === 'attribute' && step.of !== undefined && kindOf(step.id) !== undefined) {
      const at = step.path.lastIndexOf('/');
      const folder = step.path.slice(0, at);
      if (part?.folder !== folder) endPart();
      part ??= { folder, words: [] };
      part.words.push(`${step.path.slice(at + 1)}=${step.value}`);
      continue;
    }
    endPart();
    lines.push({
      name: step.id,
      text: 'path' in step ? `${describeStep(step)}  (${step.path})` : describeStep(step),
    });
  }
  endPart();
  return lines.map(({ name, text, policies }) => ({
    name,
    text: policies === undefined ? text : `${text}  (cpufreq policies ${formatCpuList(policies)})`,
  }));
}

/** The number of the cpufreq policy that a step is for. */
function policyOf(step: Step): number | undefined {
  const number = /:policy(\d+)$/.exec(step.id)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** A step's id without the policy: there is one for each CPU. */
function keyOf(step: Step): string {
  return step.id.replace(/:policy\d+$/, '');
}

/** As `wq1` of wq1.0: neighbours of one kind in one device. */
function kindOf(name: string): string | undefined {
  return /^(?:wq|engine|group)\d+(?=\.)/.exec(name)?.[0];
}

/** What a step does, without the path that it does it to. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'attribute':
      return `${step.was === undefined ? '' : `${shown(step.was)} -> `}${step.value}`;
    case 'keep':
      return 'put back at the end';
    case 'controller':
      return `+${step.controller}`;
    case 'cgroup':
      return 'create';
    case 'scope':
      return `systemd scope ${step.unit}, Delegate=yes`;
    case 'device': {
      const down = [...step.wqs.map(({ name }) => name), ...(step.unbindDevice ? [step.device] : [])];
      return down.length === 0 ? 'remember' : `unbind ${down.join(', ')}${byWhat(step)}`;
    }
    case 'module':
      return `rmmod ${step.module}, modprobe ${step.module}`;
    case 'bind':
      return `bind to ${step.driver}${byWhat(step)}`;
    case 'drain':
      return "wait until nothing uses iaa_crypto's algorithms";
    case 'swap':
      return `swapon with priority ${step.priority}`;
    case 'check':
      return `check that zswap has a pool of ${step.compressor}`;
  }
}

function byWhat({ by }: { readonly by?: string }): string {
  return by === undefined ? '' : ` by ${by}`;
}

/** The selected word of a choice, else the line itself. */
function shown(text: string): string {
  return /\[([^\]]+)\]/.exec(text)?.[1] ?? text.trimEnd();
}

import type { Plan, Step } from './steps.js';

/** A plan as a person reads it: what is written where, whom it affects, and what cannot be undone. */
export function renderPlan(plan: Plan): string {
  const machine = plan.steps.filter((step) => step.affects === 'machine');
  const run = plan.steps.filter((step) => step.affects === 'run');
  return [
    `cell ${plan.cell.number}: ${plan.cell.compressor}, ${plan.cell.folio}`,
    ...section('machine-wide (every process on this machine feels it):', machine),
    ...section("for this run's own cgroup:", run),
    ...(plan.already.length === 0 ? [] : [`  already so: ${plan.already.map((step) => step.id).join(', ')}`]),
    `  workload in ${plan.cgroup}:`,
    `    usemem ${plan.workload.arguments.join(' ')}`,
    ...plan.warnings.map((warning) => `  warning: ${warning}`),
    ...oneWayLines(plan),
  ].join('\n');
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
  const width = Math.max(...steps.map((step) => step.id.length));
  return [`  ${title}`, ...steps.map((step) => `    ${step.id.padEnd(width)}  ${describe(step)}`)];
}

function describe(step: Step): string {
  switch (step.kind) {
    case 'attribute':
      return `${step.was === undefined ? '' : `${shown(step.was)} -> `}${step.value}  (${step.path})`;
    case 'keep':
      return `put back at the end  (${step.path})`;
    case 'controller':
      return `+${step.controller}  (${step.path})`;
    case 'cgroup':
      return `create ${step.path}`;
    case 'scope':
      return `systemd scope ${step.unit}, Delegate=yes  (${step.path})`;
    case 'check':
      return `check that zswap has a pool of ${step.compressor}`;
  }
}

/** The selected word of a choice, else the line itself. */
function shown(text: string): string {
  return /\[([^\]]+)\]/.exec(text)?.[1] ?? text.trimEnd();
}

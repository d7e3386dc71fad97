/** The tables of docs/statistics.md: each of their cells is a simulation with a seed of its own. */
import { UsageError } from '../../src/errors.js';
import { coverage, type Distribution, firing, type Simulation } from './simulated-runs.js';

const sizes = [5, 6, 8, 10, 15, 20];
const effects = [0.5, 1, 1.5, 2, 2.5, 3, 4];
const drawn: readonly Distribution[] = ['normal', 'skewed'];
/** One standard deviation is 2%, and any rise is beyond the threshold: the other two rules decide. */
const condition = 'elapsed > 0%';
const checks = 2000;
const pairs = 5000;

const percent = (part: number, digits: number): string => `${(part * 100).toFixed(digits)}%`;

function orRefused(simulate: () => string): string {
  try {
    return simulate();
  } catch (error) {
    if (error instanceof UsageError) return 'refused';
    throw error;
  }
}

/** How often a check fires where the changed side is slower by the effect; one of so many checks. */
export function power(distribution: Distribution, cells: number, effect: number, n: number): string {
  const simulation: Simulation = { distribution, n, cells, effect, percent: 2 };
  return orRefused(() =>
    percent(firing(simulation, condition, checks / cells, 100 * n + 10 * effect).checks, 0),
  );
}

/** How often a gate of so many checks fires where nothing has changed. */
export function falseAlarms(distribution: Distribution, cells: number, n: number): string {
  const simulation: Simulation = { distribution, n, cells, effect: 0, percent: 2 };
  return orRefused(() => percent(firing(simulation, condition, pairs, n).gates, 1));
}

/** How often the interval of a median holds it. */
export function held(distribution: Distribution, n: number): string {
  return n < 6 ? 'none' : percent(coverage(distribution, n, pairs, n), 1);
}

/** A row of a table: its label and, for each n, its text. */
export const tableRow = (label: string, text: (n: number) => string, columns = sizes): string =>
  `| ${[label, ...columns.map(text)].join(' | ')} |`;

const head = (label: string): string =>
  `${tableRow(label, (n) => `n = ${n}`)}\n${tableRow('---', () => '---:')}`;

/** All of them, in Markdown. */
export function powerTables(): string {
  const parts: string[] = [];
  for (const cells of [1, 16]) {
    for (const distribution of drawn) {
      parts.push(
        `**${cells === 1 ? 'One check' : `${cells} checks`}, ${distribution}:**\n`,
        head('slower by'),
        ...effects.map((effect) => tableRow(`${effect} sd`, (n) => power(distribution, cells, effect, n))),
        '',
      );
    }
  }
  parts.push(
    '**Nothing has changed, yet the gate fires:**\n',
    head('checks, distribution'),
    ...[1, 16].flatMap((cells) =>
      drawn.map((distribution) =>
        tableRow(`${cells}, ${distribution}`, (n) => falseAlarms(distribution, cells, n)),
      ),
    ),
    '',
    '**The interval holds the median:**\n',
    head('distribution'),
    ...drawn.map((distribution) => tableRow(distribution, (n) => held(distribution, n))),
  );
  return parts.join('\n');
}

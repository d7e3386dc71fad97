// What the benches share: contenders that take turns, their table, and the machine they ran on.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, loadavg, release } from 'node:os';

/** Something that a bench needs is not there; `hint` says how to get it. */
export class MissingError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** The path, which has to be there. */
export function existing(path, hint) {
  if (!existsSync(path)) throw new MissingError(`${path} is missing`, hint);
  return path;
}

/** Runs a program to its end and gives its stdout; throws when it fails. */
export function output(program, ...args) {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}

/**
 * Measures the contenders in turn, `rounds` times, and gives the values of each. The first round is for the
 * caches and is dropped; every round begins with another contender.
 */
export async function takeTurns(contenders, rounds) {
  const names = Object.keys(contenders);
  const values = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const index of names.keys()) {
      const name = names[(index + round) % names.length];
      const value = await contenders[name]();
      if (round > 0) values[name].push(value);
    }
  }
  return values;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * A table of the values of each contender: median, smallest, largest, and two ratios to the first contender: the
 * median of those within one round, and that of the smallest values, which what else the machine does disturbs least.
 */
export function table(values, unit) {
  const [yardstick] = Object.values(values);
  const rows = Object.entries(values).map(([name, own]) => [
    name,
    ...[median(own), Math.min(...own), Math.max(...own)].map((value) => value.toFixed(1)),
    median(own.map((value, round) => value / yardstick[round])).toFixed(2),
    (Math.min(...own) / Math.min(...yardstick)).toFixed(2),
  ]);
  const all = [[unit, 'median', 'min', 'max', 'ratio', 'min ratio'], ...rows];
  const width = Math.max(...all.map(([name]) => name.length));
  return all
    .map(([name, ...cells]) => name.padEnd(width) + cells.map((cell) => cell.padStart(10)).join(''))
    .join('\n');
}

/** The machine, the versions and the source of the numbers. */
export function describeMachine() {
  const cpuinfo = readFileSync('/proc/cpuinfo', 'utf8');
  const model = /^model name\s*:\s*(.*)$/m.exec(cpuinfo)?.[1] ?? 'unknown CPU';
  const emulated = /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo);
  const git = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], { encoding: 'utf8' });
  const load = loadavg()[0].toFixed(2);
  return [
    `machine  ${model}, ${availableParallelism()} CPUs, load ${load}, Linux ${release()}`,
    `versions Node ${process.versions.node}, iaa-zswap ${git.status === 0 ? git.stdout.trim() : 'without git'}`,
    `source   ${emulated ? 'emulated (a hypervisor is underneath)' : 'hardware'}`,
  ].join('\n');
}

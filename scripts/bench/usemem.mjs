// usemem beside a plain store loop (test/bench/store_loop.cc), and with USEMEM=path beside the original. On new
// memory the kernel's page faults take most of the time; on touched memory only the stores are left.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { existing, output, table, takeTurns } from '../measure.mjs';

const newMebibytes = 128;
const touchedMebibytes = 64;
const rounds = 15;

/**
 * Runs a contender: `work` is the milliseconds of its line `B bytes / U usecs = K KB/s`, `cpu` those of user and
 * system time of the program and its children, from bash: on a busy machine the better measure.
 */
function measured(...command) {
  const script = 'TIMEFORMAT="%U %S"; time "$@" 2>/dev/null';
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...command], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}`);
  const [user, system] = stderr.trim().split(' ').map(Number);
  return { work: Number(/ bytes \/ (\d+) usecs = /.exec(stdout)[1]) / 1000, cpu: (user + system) * 1000 };
}

/** One measure of each contender's rounds. */
function only(measure, values) {
  return Object.fromEntries(
    Object.entries(values).map(([name, own]) => [name, own.map((one) => one[measure])]),
  );
}

/** The loop with the contents that usemem writes, compiled as the package is built. */
function compileLoop(directory) {
  const compiler = process.env.CXX ?? 'g++';
  const program = join(directory, 'store_loop');
  const sources = ['test/bench/store_loop.cc', 'native/usemem/content.cc'];
  output(compiler, '-std=c++20', '-O3', '-Inative', ...sources, '-o', program);
  console.log(`compiler ${output(compiler, '--version').split('\n')[0]}`);
  return program;
}

export async function run() {
  const usemem = existing('build/Release/usemem', "build it: 'npm run build'");
  const original = process.env.USEMEM;
  if (original !== undefined) existing(original, 'USEMEM names the executable of vm-scalability');
  const directory = mkdtempSync(join(tmpdir(), 'iaa-zswap-bench-'));
  try {
    const loop = compileLoop(directory);
    const size = `${newMebibytes}m`;
    const contenders = {
      'plain store loop': () => measured(loop, 'new', String(newMebibytes)),
      usemem: () => measured(usemem, '-w', '-O', size),
    };
    if (original !== undefined) contenders['original usemem'] = () => measured(original, '-w', '-O', size);
    const onNew = await takeTurns(contenders, rounds);
    console.log(table(only('work', onNew), `ms for ${newMebibytes} MiB of new memory`));
    console.log(`\n${table(only('cpu', onNew), 'ms of CPU time, freeing included')}`);

    const lines = output(loop, 'touched', String(touchedMebibytes), String(rounds)).trim().split('\n');
    const touched = {};
    for (const [name, usecs] of lines.map((line) => line.split('\t'))) {
      touched[name] = [...(touched[name] ?? []), Number(usecs) / 1000];
    }
    console.log(`\n${table(touched, `ms for ${touchedMebibytes} MiB of touched memory`)}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

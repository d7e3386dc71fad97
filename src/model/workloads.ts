/** The command lines that the model has mechanisms for, and what they print and return. */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { RequirementError, UsageError } from '../errors.js';
import { parseSize } from '../experiment/size.js';
import type { NativeModelConfig, NativeModelResult } from '../native/surface.js';

const pageBytes = 4096;

/** A program as the model knows it. */
export type ModelledProgram =
  | {
      readonly kind: 'model';
      readonly workload: Extract<NativeModelConfig['workload'], { kind: 'usemem' | 'build' }>;
      readonly content: Pick<NativeModelConfig['content'], 'kind' | 'ratio' | 'seed'>;
      /** usemem tells how long it took to set up. */
      readonly tellsInit: boolean;
    }
  /** What a build does before and after, of which no memory is modelled: it takes no time. */
  | { readonly kind: 'nothing' };

function refusal(what: string): RequirementError {
  return new RequirementError(`the model cannot run ${what}`, {
    hint: "it runs this package's usemem with -n, -b, -u, -j, -s, -w, -O, --init-time, --seed and --content counter, random, zero or ratio:R, and make -jN of an allmodconfig kernel as workload.build starts it",
  });
}

/** Reads a command line; throws RequirementError for one that the model has no mechanism for. */
export function modelledProgram(argv: readonly string[]): ModelledProgram {
  const [program = '', ...words] = argv;
  switch (basename(program)) {
    case 'usemem':
      return usemem(words);
    case 'make':
      return make(argv, words);
    case 'mkdir':
    case 'rm':
      // The folder of a build, made and removed.
      if (words.at(-2) === '--') return { kind: 'nothing' };
  }
  throw refusal(argv.join(' '));
}

const usememOptions = {
  nproc: { type: 'string', short: 'n' },
  threads: { type: 'string', short: 't' },
  bind: { type: 'string', short: 'b' },
  anonymous: { type: 'boolean', short: 'O' },
  'open-rw': { type: 'boolean', short: 'w' },
  readonly: { type: 'boolean', short: 'o' },
  random: { type: 'boolean', short: 'R' },
  repeat: { type: 'string', short: 'r' },
  'read-again': { type: 'boolean', short: 'Z' },
  'sync-rw': { type: 'boolean', short: 'y' },
  'sync-free': { type: 'boolean', short: 'x' },
  delay: { type: 'string', short: 'e' },
  sleep: { type: 'string', short: 's' },
  unit: { type: 'string', short: 'u' },
  step: { type: 'string', short: 'j' },
  'init-time': { type: 'boolean' },
  content: { type: 'string' },
  seed: { type: 'string' },
  quiet: { type: 'boolean', short: 'q' },
} as const;

/** Options of usemem that change what the model does not know how to do otherwise. */
const notModelled = ['readonly', 'random', 'read-again', 'sync-rw', 'sync-free', 'delay'] as const;

function usemem(words: readonly string[]): ModelledProgram {
  const whole = ['usemem', ...words].join(' ');
  const { values, positionals } = parsed(words, whole);
  const refused = notModelled.filter((name) => values[name] !== undefined);
  for (const name of ['threads', 'repeat'] as const) {
    if (Number(values[name] ?? 1) !== 1) refused.push(name as never);
  }
  if (refused.length > 0) {
    const flags = refused.map((name) => `-${(usememOptions[name] as { short: string }).short}`);
    throw refusal(`usemem with ${flags.join(', ')}`);
  }
  if (values.anonymous !== true || positionals.length !== 1) throw refusal(whole);
  const size = bytesOf(positionals[0], whole);
  const unit = values.unit === undefined ? size : Math.min(bytesOf(values.unit, whole), size);
  if (size % pageBytes !== 0 || unit % pageBytes !== 0) throw refusal(`${whole}: its pages are whole ones`);
  const stepBytes = values.step === undefined ? 8 : bytesOf(values.step, whole);
  return {
    kind: 'model',
    workload: {
      kind: 'usemem',
      tasks: wholeNumber(values.nproc ?? '1', whole),
      bindInterval: wholeNumber(values.bind ?? '0', whole),
      taskPages: size / pageBytes,
      unitPages: unit / pageBytes,
      stepBytes,
      sleepNs: wholeNumber(values.sleep ?? '0', whole) * 1e9,
    },
    content: contentOf(values.content ?? 'counter', wholeNumber(values.seed ?? '0', whole), whole),
    tellsInit: values['init-time'] === true,
  };
}

function parsed(words: readonly string[], whole: string) {
  try {
    return parseArgs({ args: [...words], options: usememOptions, allowPositionals: true });
  } catch {
    throw refusal(whole);
  }
}

function wholeNumber(text: string, whole: string): number {
  if (!/^\d{1,10}$/.test(text)) throw refusal(whole);
  return Number(text);
}

/** As native/usemem reads sizes. */
function bytesOf(text: string | undefined, whole: string): number {
  const bytes = Number(parseSize(text ?? '') ?? 0n);
  if (!(bytes > 0 && bytes <= 2 ** 52)) throw refusal(whole);
  return bytes;
}

function contentOf(
  word: string,
  seed: number,
  whole: string,
): Extract<ModelledProgram, { kind: 'model' }>['content'] {
  const ratio = /^ratio:(\d{1,2}(?:\.\d+)?)$/.exec(word)?.[1];
  if (ratio !== undefined && Number(ratio) >= 1 && Number(ratio) <= 16) {
    return { kind: 'ratio', ratio: Number(ratio), seed };
  }
  if (word === 'counter' || word === 'random' || word === 'zero') return { kind: word, seed };
  throw refusal(`${whole}: there are no files on a modelled machine`);
}

/** As workload.build starts it: the configuration as set-up, then the build; a kernel beside its tree. */
function make(argv: readonly string[], words: readonly string[]): ModelledProgram {
  const jobs = words.flatMap((word) => /^-j(\d{1,5})$/.exec(word)?.[1] ?? []).map(Number)[0];
  const besideTree = words.some((word) => word.startsWith('O='));
  const targets = words.filter(
    (word, index) => !word.startsWith('-') && !word.includes('=') && words[index - 1] !== '-C',
  );
  if (jobs === undefined || !besideTree) throw refusal(argv.join(' '));
  if (targets.length === 1 && targets[0] === 'allmodconfig') return { kind: 'nothing' };
  if (targets.length > 0) throw refusal(`${argv.join(' ')}: only a whole allmodconfig build is known to it`);
  return {
    kind: 'model',
    workload: { kind: 'build', workers: jobs, partPerMillion: 1_000_000 },
    content: { kind: 'program' },
    tellsInit: false,
  };
}

/** What a workload has printed and how it ended. */
export interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** usemem's lines as docs/usemem.md has them, in the order of their times. */
export function saidBy(
  program: Extract<ModelledProgram, { kind: 'model' }>,
  results: readonly NativeModelResult[],
): Said {
  const { workload } = program;
  const deaths = results.flatMap(({ signal }, task) => (signal === undefined ? [] : [{ task, signal }]));
  if (workload.kind === 'build') {
    const stderr = deaths.map(({ signal }) => `make: *** [vmlinux] ${signal}\n`).join('');
    return { stdout: '', stderr, exitCode: deaths.length === 0 ? 0 : 2 };
  }
  const bytes = creditedBytes(workload);
  const lines: { readonly atNs: number; readonly line: string }[] = [];
  for (const { workedNs, freeingBeganNs, freedNs, signal } of results) {
    if (workedNs !== undefined) {
      const usecs = BigInt(Math.max(1, Math.floor(workedNs / 1000)));
      const rate = (bytes * 1_000_000n) / 1024n / usecs;
      lines.push({ atNs: workedNs, line: `${bytes} bytes / ${usecs} usecs = ${rate} KB/s\n` });
    }
    // The kernel frees the memory of one that was killed, and nobody is there to tell.
    if (signal === undefined && freeingBeganNs !== undefined && freedNs !== undefined) {
      const usecs = Math.floor((freedNs - freeingBeganNs) / 1000);
      lines.push({ atNs: freedNs, line: `${usecs} usecs to free memory\n` });
    }
  }
  lines.sort((one, other) => one.atNs - other.atNs);
  const init = program.tellsInit ? ['the initialization time is 0 secs 0 usecs\n'] : [];
  return {
    stdout: [...init, ...lines.map(({ line }) => line)].join(''),
    stderr: deaths
      .map(({ task, signal }) => `usemem: process ${task} (pid ${firstPid + 1 + task}) ended by ${signal}\n`)
      .join(''),
    exitCode: deaths.length === 0 ? 0 : 1,
  };
}

/** Of the workload's first process; those that it forks follow. */
export const firstPid = 1000;

/** An eighth of each mapping for its allocation, and 8 bytes for each word (docs/usemem.md). */
function creditedBytes({
  taskPages,
  unitPages,
  stepBytes,
}: Extract<NativeModelConfig['workload'], { kind: 'usemem' }>): bigint {
  const [size, unit, step] = [taskPages, unitPages]
    .map((pages) => BigInt(pages * pageBytes))
    .concat(BigInt(stepBytes)) as [bigint, bigint, bigint];
  const of = (mapping: bigint): bigint => mapping / 8n + ((mapping + step - 1n) / step) * 8n;
  const rest = size % unit;
  return (size / unit) * of(unit) + (rest === 0n ? 0n : of(rest));
}

/** Throws UsageError where the native model has refused a configuration. */
export function refusedByModel(why: string): UsageError {
  return new UsageError(`the model cannot run this: ${why}`);
}

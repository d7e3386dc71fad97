/** The `workload` part of an experiment file: one of several kinds, and who runs it. */
import * as z from 'zod';
import { count, sizeBytes } from './fields.js';
import { workloadKinds } from './workload.js';

const pageBytes = 4096n;

/** Most that native/usemem and native/madvise take: what a process can address. */
const largestSize = 2n ** 56n;

/** Bytes of whole 64-bit words. */
const words = sizeBytes.refine((bytes) => bytes % 8n === 0n && bytes <= largestSize, {
  message: 'expected a multiple of 8 bytes, at most 2^56',
});

const pages = sizeBytes.refine((bytes) => bytes % pageBytes === 0n && bytes <= largestSize, {
  message: 'expected a multiple of 4096 bytes, at most 2^56',
});

/** What --content of native/usemem and native/madvise takes. */
const content = z.string().refine(
  (given) => {
    const ratio = /^ratio:(\d{1,2}(?:\.\d{1,6})?)$/.exec(given)?.[1];
    if (ratio !== undefined) return Number(ratio) >= 1 && Number(ratio) <= 16;
    return /^(counter|random|zero|file:\/.+)$/.test(given);
  },
  { message: 'expected counter, random, zero, ratio:R (1 to 16) or file:/PATH' },
);

const hasSeed = (given: string | undefined): boolean =>
  given === 'random' || given?.startsWith('ratio:') === true;

/** A folder or file for command lines of make, which reads $, blanks and colons in its own way. */
const plainPath = z
  .string()
  .regex(/^\/[\w@%+=,./-]{0,1023}$/, 'expected an absolute path of letters, digits and @ % + = , . _ - /');

/** A word of a command line; no shell sees it. */
const word = z
  .string()
  .max(4096)
  .regex(/^[^\x00-\x1f\x7f]*$/, 'must not have control characters');

const absolutePath = word.regex(/^\//, 'expected an absolute path');

const commandLine = z
  .array(word)
  .min(1)
  .refine(([program]) => program === undefined || program.startsWith('/'), {
    message: 'expected a program by its absolute path, then its arguments',
  });

/** How many work, and where. */
const crew = {
  /** -n: processes. */
  processes: count(1, 4096).default(1),
  /** -t: threads in each process. */
  threads: count(1, 4096).optional(),
  /** -b: process i runs on CPU (i x bind) modulo the online CPUs. */
  bind: count(1, 8192).optional(),
  /** What is written: counter, random, zero, ratio:R, file:PATH. */
  content: content.optional(),
  /** Seed of random and ratio contents, and of usemem's random order. */
  seed: count(0, 2 ** 31 - 1).optional(),
};

const usemem = z
  .strictObject({
    ...crew,
    /** Bytes each process writes. */
    size: words,
    /** -u: bytes of one mapping. */
    unit: words.optional(),
    /** -j: bytes from one written word to the next. */
    step: words.optional(),
    /** -s: seconds between the work and the end. */
    sleep_s: count(0, 86_400).default(0),
    /** -r: passes over each mapping. */
    repeat: count(1, 2 ** 31 - 1).optional(),
    /** -R: words in random order. */
    random: z.boolean().default(false),
    /** -Z: read all of it once more. */
    read_again: z.boolean().default(false),
    /** -o: read, do not write. */
    readonly: z.boolean().default(false),
    /** -y: all start together after the mapping. */
    sync_rw: z.boolean().default(false),
    /** -x: nobody frees before all are through. */
    sync_free: z.boolean().default(false),
    /** -e: spent on each page. */
    delay_ns: count(0, 999_999_999).optional(),
  })
  .refine(({ seed, content: kind, random }) => seed === undefined || hasSeed(kind) || random, {
    path: ['seed'],
    message: 'only random and ratio contents and a random order have a seed',
  })
  .refine(({ readonly, content: kind }) => !readonly || kind === undefined, {
    path: ['content'],
    message: 'with readonly nothing is written',
  })
  .refine(({ sync_rw, unit, size }) => !sync_rw || unit === undefined || unit >= size, {
    path: ['unit'],
    message: 'with sync_rw there is one mapping of the whole size',
  });

const madvise = z
  .strictObject({
    ...crew,
    /** Bytes of each process. */
    size: pages,
    /** Bytes of one MADV_PAGEOUT; default: the folio size. */
    chunk: pages.optional(),
    /** How often all of it is filled, paged out and read back. */
    rounds: count(1, 1_000_000).default(1),
  })
  .refine(({ seed, content: kind }) => seed === undefined || hasSeed(kind), {
    path: ['seed'],
    message: 'only random and ratio contents have a seed',
  });

const build = z.strictObject({
  /** The tree; a file for others leaves it to --set. */
  source: plainPath.optional(),
  /** An existing folder on the file system to build on; likewise. */
  directory: plainPath.optional(),
  /** Target of Kbuild that makes the configuration; none: not a kernel, but a tree with a Makefile. */
  config: z
    .string()
    .regex(/^(none|[a-z0-9][a-z0-9_-]{0,63}config)$/, 'expected none, or a target as allmodconfig'),
  /** make -j. */
  threads: count(1, 8192).default(1),
  /** Further words for make: targets (those of the build), variables as LLVM=1 (those of the configuration, too). */
  make: z
    .array(z.string().regex(/^[\w./%+][\w=@%+:,./-]{0,1023}$/, 'expected a target or NAME=value'))
    .default([]),
});

/** Names that stand for the other kinds in tables. */
const takenName = /^(?:usemem|madvise)\d*$|^(?:kernel-)?build-/;

const command = z.strictObject({
  /** In tables; default: the program's name. */
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,31}$/, 'expected a short name of a-z, 0-9, . _ -')
    .refine((name) => !takenName.test(name), 'is the name of another kind of workload')
    .optional(),
  /** What is measured. */
  argv: commandLine,
  /** Where it and its hooks start; default: /. */
  directory: absolutePath.optional(),
  /** Run before it, outside of what is measured. */
  setup: z.array(commandLine).default([]),
  /** Run after it, however it ended. */
  cleanup: z.array(commandLine).default([]),
  /** A regular expression for lines of its output; the first group is a number. They are summed. */
  throughput: z
    .string()
    .max(200)
    .refine(hasGroup, 'expected a regular expression with a group for the number')
    .optional(),
});

function hasGroup(pattern: string): boolean {
  try {
    // An empty alternative matches anything, and so shows the groups there are.
    return (new RegExp(`${pattern}|`).exec('')?.length ?? 0) > 1;
  } catch {
    return false;
  }
}

export const workloadSchema = z
  .strictObject({
    /** Whose processes they are, a name or a number; default: who called sudo. */
    user: z
      .union(
        [
          z.string().regex(/^[A-Za-z_][\w.-]{0,31}\$?$/, 'expected the name or number of a user'),
          // -1 means nobody to the kernel.
          count(0, 2 ** 32 - 2),
        ],
        'expected the name or number of a user',
      )
      .optional(),
    usemem: usemem.optional(),
    madvise: madvise.optional(),
    build: build.optional(),
    command: command.optional(),
  })
  .superRefine((workload, context) => {
    const given = workloadKinds.filter((kind) => workload[kind] !== undefined);
    // A kind that is not known has been told.
    if (given.length === 1 || context.issues.length > 0) return;
    context.addIssue({
      code: 'custom',
      message: `expected one of ${workloadKinds.join(', ')}${given.length === 0 ? '' : `, not ${given.join(' and ')}`}`,
    });
  });

export type WorkloadPart = z.output<typeof workloadSchema>;
export type UsememParameters = z.output<typeof usemem>;
export type MadviseParameters = z.output<typeof madvise>;
export type BuildParameters = z.output<typeof build>;
export type CommandParameters = z.output<typeof command>;

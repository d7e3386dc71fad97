import { type Command, Option } from 'commander';
import type { Setting } from '../experiment/setting.js';
import type { Host } from '../host/host.js';

/** Options that every command takes (declared once, in main). */
export interface CommonOptions {
  /** `live`, `root:DIR`, `root:TRACE`, `mock:DIR`, `model:MACHINE`. */
  readonly host: string;
  readonly json?: boolean;
  /** File for the NDJSON of every operation on the host. */
  readonly trace?: string;
  /** The trace leaves out what tells the machine or a person. */
  readonly redact?: boolean;
  /** Directory for journal, lock and records. */
  readonly state?: string;
}

/** A command's own options together with the common ones. */
export function optionsOf<T>(command: Command): T & CommonOptions {
  return command.optsWithGlobals<T & CommonOptions>();
}

/** Opens the host a command was given, with its trace. */
export async function openCommandHost(options: CommonOptions, writable: boolean): Promise<Host> {
  const { openHost } = await import('../host/open.js');
  return openHost(options.host, {
    writable,
    ...(options.trace === undefined ? {} : { trace: options.trace, redact: options.redact ?? false }),
  });
}

/** Where a command keeps its state: --state, or the live machine's place, or the user's own. */
export async function stateDirectoryOf(options: CommonOptions): Promise<string> {
  if (options.state !== undefined) return options.state;
  if (options.host === 'live') return (await import('../apply/state.js')).liveStateDirectory;
  const home = process.env['XDG_STATE_HOME'] ?? `${process.env['HOME'] ?? ''}/.local/state`;
  return `${home}/iaa-zswap`;
}

/** --set of each command that takes an experiment file. */
export function settingOption(): Option {
  return new Option(
    '--set <key=value>',
    'set a key of the file, as workload.build.source=/usr/src/linux; can be repeated',
  )
    .argParser((word: string, words: readonly string[] | undefined) => [...(words ?? []), word])
    .default([], 'none');
}

/** What --set says. Throws UsageError. */
export async function settingsOf(words: readonly string[]): Promise<Setting[]> {
  if (words.length === 0) return [];
  const { parseSetting } = await import('../experiment/setting.js');
  return words.map(parseSetting);
}

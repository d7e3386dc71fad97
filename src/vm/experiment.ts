import { randomUUID } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { VmError } from '../errors.js';
import { type Guest, shareMount } from './guest.js';

/** A run of experiments inside the guest. */
export interface GuestRun {
  readonly argv: readonly string[];
  /** Where it keeps its records, as the guest sees it: in memory, as a journal needs real locks and renames. */
  readonly stateDirectory: string;
}

export interface GuestRunOptions {
  readonly json: boolean;
  readonly resume: boolean;
  readonly aa: boolean;
  /** KEY=VALUE words of --set. */
  readonly set: readonly string[];
}

/** The command line of `iaa-zswap run` in the guest: this program by the same Node and the same file. */
export function guestRunArguments(files: readonly string[], options: GuestRunOptions): GuestRun {
  const script = process.argv[1];
  if (script === undefined) throw new VmError('the file of this program is not known');
  const stateDirectory = `/run/iaa-zswap-vm/${randomUUID()}`;
  return {
    argv: [
      process.execPath,
      realpathSync(script),
      'run',
      ...['--yes', '--state', stateDirectory],
      ...(options.json ? ['--json'] : []),
      ...(options.resume ? ['--resume'] : []),
      ...(options.aa ? ['--aa'] : []),
      ...options.set.flatMap((setting) => ['--set', setting]),
      '--',
      ...files.map((file) => resolve(file)),
    ],
    stateDirectory,
  };
}

/** Copies the records of this machine's state directory `from` into the guest, so that a run there can go on with one. */
export async function bringRecords(guest: Guest, from: string, stateDirectory: string): Promise<void> {
  const runs = join(from, 'runs');
  if ((await readdir(runs).catch(() => [])).length === 0) return;
  const name = `records-${randomUUID()}`;
  const shared = join(guest.share, name);
  await cp(runs, shared, { recursive: true });
  const copy = 'umask 077; mkdir -p "$2" && cp -r -- "$1" "$2/runs"';
  const end = await guest.run(['sh', '-c', copy, 'sh', join(shareMount, name), stateDirectory]);
  await rm(shared, { recursive: true, force: true });
  if (end.exitCode !== 0)
    throw new VmError(`the records cannot be copied into the guest: ${end.stderr.toString()}`);
}

/**
 * Moves the records of a run in the guest into the state directory `target` of this machine; one that is there already,
 * because it was gone on with, is replaced. Gives the folders of those that are new or have changed.
 */
export async function collectRecords(
  guest: Guest,
  stateDirectory: string,
  target: string,
): Promise<string[]> {
  const name = `records-${randomUUID()}`;
  const shared = join(guest.share, name);
  await mkdir(shared, { mode: 0o700 });
  const copy = 'test ! -d "$1" || cp -r -- "$1/." "$2"';
  const argv = ['sh', '-c', copy, 'sh', join(stateDirectory, 'runs'), join(shareMount, name)];
  const end = await guest.run(argv);
  if (end.exitCode !== 0)
    throw new VmError(`the records cannot be copied out of the guest: ${end.stderr.toString()}`);
  const runs = join(target, 'runs');
  await mkdir(runs, { recursive: true, mode: 0o700 });
  const copied: string[] = [];
  for (const record of await readdir(shared)) {
    const to = join(runs, record);
    const manifest = (folder: string) => readFile(join(folder, 'manifest.json'), 'utf8').catch(() => '');
    if ((await manifest(to)) === (await manifest(join(shared, record)))) continue;
    // A record is never there in part: it is copied beside its place and moved there.
    const beside = join(runs, `.${record}.${randomUUID()}`);
    await cp(join(shared, record), beside, { recursive: true });
    await rm(to, { recursive: true, force: true });
    await rename(beside, to);
    copied.push(to);
  }
  await rm(shared, { recursive: true, force: true });
  return copied;
}

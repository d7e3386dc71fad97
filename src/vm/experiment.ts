import { randomUUID } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { VmError } from '../errors.js';
import { type Guest, shareMount } from './guest.js';

/** A run of experiments inside the guest. */
export interface GuestRun {
  readonly argv: readonly string[];
  /** Where it keeps its records, as the guest sees it: in memory, as a journal needs real locks and renames. */
  readonly stateDirectory: string;
}

/** The command line of `iaa-zswap run` in the guest: this program by the same Node and the same file. */
export function guestRunArguments(files: readonly string[], options: { readonly json: boolean }): GuestRun {
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
      '--',
      ...files.map((file) => resolve(file)),
    ],
    stateDirectory,
  };
}

/** Moves the records of a run in the guest into the state directory `target` of this machine; gives their folders. */
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
    await cp(join(shared, record), to, { recursive: true, errorOnExist: true, force: false });
    copied.push(to);
  }
  await rm(shared, { recursive: true, force: true });
  return copied;
}

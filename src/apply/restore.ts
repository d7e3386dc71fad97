import { isLabError, type RestoreProblem } from '../errors.js';
import { chomp, codecs, shownAfter } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { iaaDriver, iaaDriverDirectory, iaaModule } from '../kernel/iaa-crypto.js';
import { undoBatchTrace } from './batch-trace.js';
import {
  bindAsWas,
  configureAsWas,
  differences,
  driverOf,
  needsReload,
  readDriverState,
  readState,
  reloadModule,
  unbind,
} from './dsa-bus.js';
import { changedByOthers, ownerOf } from './foreign.js';
import type { Change, Entry, Journal } from './journal.js';
import { swapOff } from './swap.js';

/** What restore did. */
export interface Restored {
  /** Changes that were taken back, in the order it was done. */
  readonly undone: readonly { readonly path: string; readonly to: string | undefined }[];
  /** What could not be put back; the journal stays. */
  readonly problems: readonly RestoreProblem[];
  /** What no restore can take back before the next boot. */
  readonly oneWay: readonly { readonly path: string; readonly message: string }[];
}

export interface RestoreOptions {
  /** Only what affects the run alone (a cell's cgroup, between two cells). */
  readonly only?: Entry['affects'];
  /** Write the old values even where somebody else changed them since. */
  readonly overwrite?: boolean;
}

/** How long a killed cgroup may take to empty (ms): exit of a process with gigabytes in zswap frees every page. */
const emptyTimeLimitMs = 120_000;

/**
 * Takes the changes of a journal back, last first. A value that somebody else changed meanwhile is left alone and
 * reported. Never throws for a single change: what fails is a problem and the rest goes on.
 */
export async function restore(host: Host, journal: Journal, options: RestoreOptions = {}): Promise<Restored> {
  // A write that is still in the kernel could land after its own undo.
  await host.settled();
  const undone: { path: string; to: string | undefined }[] = [];
  const problems: RestoreProblem[] = [];
  const entries = journal.entries.filter(
    (entry) => !entry.undone && (options.only === undefined || entry.affects === options.only),
  );
  const overwrite = options.overwrite ?? false;
  const others = overwrite ? new Map<string, RestoreProblem>() : await changedByOthers(host, entries);
  problems.push(...others.values());
  const begin = (owner: string): void => {
    const remembered = journal.entries.find(
      ({ change }) => (change.kind === 'device' || change.kind === 'module') && ownerOf(change) === owner,
    );
    if (remembered !== undefined && remembered.undoing !== true) journal.undoing(remembered.sequence);
  };
  /**
   * A change of IAA that cannot be undone: each stands on the one before, down to the change of compressor that
   * let IAA be taken down, so all that were made before it stay, too, until it can.
   */
  let stuck = false;
  for (const entry of entries.reverse()) {
    const { path } = entry.change;
    // A value from before a change that stays would be taken for restored, or undo what is still needed.
    if (stuck || problems.some((problem) => problem.path === path)) continue;
    const owner = ownerOf(entry.change);
    if (owner !== undefined && others.has(owner)) continue;
    try {
      if (owner !== undefined) begin(owner);
      const outcome = await undo(host, journal, entry, overwrite);
      if (typeof outcome === 'object') {
        stuck ||= owner !== undefined;
        problems.push({ path, message: outcome.problem });
      } else {
        journal.undone(entry.sequence);
        if (outcome !== 'nothing to do') undone.push({ path, to: outcome });
      }
    } catch (error) {
      stuck ||= owner !== undefined;
      const hint = isLabError(error) && error.hint !== undefined ? ` (${error.hint})` : '';
      problems.push({ path, message: `${error instanceof Error ? error.message : String(error)}${hint}` });
    }
  }
  return { undone, problems, oneWay: oneWayOf(journal) };
}

/** What the journal's changes did that no restore can take back before the next boot. */
export function oneWayOf(journal: Journal): Restored['oneWay'] {
  return journal.entries.flatMap(({ change }) =>
    change.kind === 'attribute' && change.oneWay !== undefined
      ? [{ path: change.path, message: change.oneWay }]
      : [],
  );
}

type Undone = 'nothing to do' | string | undefined | { readonly problem: string };

function undo(host: Host, journal: Journal, entry: Entry, overwrite: boolean): Promise<Undone> {
  const { change } = entry;
  switch (change.kind) {
    case 'attribute':
      // Put back with its device or module.
      if (change.of !== undefined) return Promise.resolve('nothing to do');
      return undoAttribute(host, journal, change, entry, overwrite);
    case 'keep':
      return undoKeep(host, change);
    case 'controller':
      return undoController(host, change);
    case 'cgroup':
      return undoCgroup(host, change.path);
    case 'scope':
      return undoScope(host, change);
    case 'bind':
      return undoBind(host, change);
    case 'module':
      return undoModule(host, change);
    case 'device':
      return undoDevice(host, journal, change);
    case 'swap':
      return swapOff(host, change.path);
    case 'tracing':
      return undoBatchTrace(host, change.path, change.probes);
  }
}

async function undoAttribute(
  host: Host,
  journal: Journal,
  change: Change & { kind: 'attribute' },
  { sequence, readBack }: Entry,
  overwrite: boolean,
): Promise<Undone> {
  const { path, old, value } = change;
  const [now] = await host.tryRead([path]);
  // Inside a cgroup that is gone, or of a module that is: nothing is left to put back.
  if (now === undefined) return { problem: 'is not there any more' };
  if (now === old) return 'nothing to do';
  const { parse } = codecs[change.codec];
  const ours = [shownAfter(change.codec, value), ...(readBack === undefined ? [] : [readBack])];
  if (!overwrite && !ours.some((text) => parse(text) === parse(now))) {
    return {
      problem: `somebody else set it to '${chomp(now)}' since; left alone ('${chomp(old)}' before us; --overwrite puts that back)`,
    };
  }
  const outcome = await writeBack(host, change);
  // Ours is the old value from now on: whatever else is there later is somebody else's, even where it was what the first
  // write read back.
  if (typeof outcome === 'object') journal.done(sequence, { readBack: old });
  return outcome;
}

async function undoKeep(host: Host, change: Change & { kind: 'keep' }): Promise<Undone> {
  const [now] = await host.tryRead([change.path]);
  return now === change.old ? 'nothing to do' : writeBack(host, change);
}

/** Writes an attribute's old value, by its codec, and makes sure that it reads as before to the byte. */
async function writeBack(
  host: Host,
  { path, codec, old }: Change & { kind: 'attribute' | 'keep' },
): Promise<Undone> {
  const { parse, format } = codecs[codec] as (typeof codecs)['text'];
  await host.write(
    path,
    `${format(parse(old))}
`,
  );
  const [after = ''] = await host.read([path]);
  return after === old
    ? chomp(old)
    : { problem: `reads '${chomp(after)}' after '${chomp(old)}' was written back` };
}

async function undoController(
  host: Host,
  { path, controller }: Change & { kind: 'controller' },
): Promise<Undone> {
  const [now] = await host.tryRead([path]);
  if (now === undefined || !now.trim().split(/\s+/).includes(controller)) return 'nothing to do';
  await host.write(path, `-${controller}\n`);
  const [after = ''] = await host.read([path]);
  return after.trim().split(/\s+/).includes(controller)
    ? { problem: `still has '${controller}' after '-${controller}' was written` }
    : `-${controller}`;
}

/** Ends all that runs in the cgroup, waits until it is empty, removes it. */
async function undoCgroup(host: Host, path: HostPath): Promise<Undone> {
  if ((await host.list(path)) === undefined) return 'nothing to do';
  await emptyCgroup(host, path);
  await host.rmdir(path);
  return undefined;
}

/** Kills every process of a cgroup (cgroup.kill, kernel 5.14) and waits until they are gone. */
export async function emptyCgroup(host: Host, path: HostPath): Promise<void> {
  const populated = async () =>
    /^populated 1$/m.test((await host.read([hostPath(path, 'cgroup.events')]))[0] ?? '');
  const deadline = host.now() + BigInt(emptyTimeLimitMs) * 1_000_000n;
  while (await populated()) {
    if (host.now() > deadline)
      throw new Error(`${path} still has processes ${emptyTimeLimitMs / 1000} s after they were killed`);
    // Each time: one that was on its way into the group has not been killed before.
    await host.write(hostPath(path, 'cgroup.kill'), '1\n');
    await host.delay(20);
  }
}

async function undoScope(host: Host, { path, unit }: Change & { kind: 'scope' }): Promise<Undone> {
  if ((await host.list(path)) === undefined) return 'nothing to do';
  const { exitCode, stderr } = await host.exec(['systemctl', 'stop', unit]);
  if (exitCode !== 0) return { problem: `systemctl stop ${unit}: exit code ${exitCode}: ${stderr.trim()}` };
  return undefined;
}

async function undoBind(host: Host, { name, driver }: Change & { kind: 'bind' }): Promise<Undone> {
  if ((await driverOf(host, name)) !== driver) return 'nothing to do';
  await unbind(host, name, driver);
  return 'unbound';
}

async function undoModule(host: Host, { was }: Change & { kind: 'module' }): Promise<Undone> {
  const paths = was.attributes.map(({ path, codec }) => ({ path, codec }));
  const isAsWas = async () => differences(was, await readState(host, undefined, paths));
  if ((await isAsWas()).length === 0 && !(await needsReload(host))) return 'nothing to do';
  await reloadModule(host, was.attributes);
  const left = await isAsWas();
  return left.length === 0 ? 'loaded anew' : { problem: `${left.join(', ')} after it was loaded anew` };
}

async function undoDevice(
  host: Host,
  journal: Journal,
  { device, was }: Change & { kind: 'device' },
): Promise<Undone> {
  const paths = was.attributes.map(({ path, codec }) => ({ path, codec }));
  if (differences(was, await readState(host, device, paths)).length === 0) return 'nothing to do';
  await configureAsWas(host, device, was);
  if (Object.values(was.drivers).includes(iaaDriver) && (await needsReload(host))) {
    await reloadAsIs(host, journal);
  }
  await bindAsWas(host, device, was);
  const left = differences(was, await readState(host, device, paths));
  return left.length === 0
    ? 'configured as before'
    : { problem: `${left.join(', ')} after it was configured as before` };
}

/**
 * Loads iaa_crypto anew where what is undone had come no further than to unbind. Its attributes go into the journal
 * first: between the two commands they are nowhere else.
 */
async function reloadAsIs(host: Host, journal: Journal): Promise<void> {
  const was = await readDriverState(host);
  const step = { id: `${iaaModule}.reload`, affects: 'machine' } as const;
  const change = { kind: 'module', path: iaaDriverDirectory, module: iaaModule, was } as const;
  const sequence = journal.intend(step, change);
  await reloadModule(host, was.attributes);
  journal.undone(sequence);
}

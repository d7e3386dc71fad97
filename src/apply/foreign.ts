/** What somebody else did to a device or module since we left it: that is not ours to undo. */

import type { RestoreProblem } from '../errors.js';
import { chomp } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { differences, type RememberedState, readState } from './dsa-bus.js';
import type { Change, Entry } from './journal.js';

/** The device or module that a change belongs to and is put back with. */
export function ownerOf(change: Change): string | undefined {
  switch (change.kind) {
    case 'device':
    case 'bind':
      return change.device;
    case 'module':
      return change.module;
    case 'attribute':
      return change.of;
    default:
      return undefined;
  }
}

/** An unbound device differs in dozens of attributes: the first say what happened. */
const shownDifferences = 3;

/** Why a device or module is left alone, by name: those that are not as the journal's last word on them says. */
export async function changedByOthers(
  host: Host,
  entries: readonly Entry[],
): Promise<Map<string, RestoreProblem>> {
  const left = new Map<string, RestoreProblem>();
  for (const { change } of entries) {
    if (change.kind !== 'device' && change.kind !== 'module') continue;
    const owner = change.kind === 'device' ? change.device : change.module;
    const own = entries.filter((entry) => ownerOf(entry.change) === owner);
    // A change or an undoing that was cut short leaves any state: ours.
    if (own.some((entry) => !entry.done || entry.undoing === true)) continue;
    const expected = expectedOf(own);
    if (expected === undefined) continue;
    const now = await readState(
      host,
      change.kind === 'device' ? change.device : undefined,
      expected.attributes,
    );
    // A mode brings and takes attributes (enqcmds_retries): those that are gone say nothing.
    const there = new Set(now.attributes.map(({ path }) => path));
    const comparable = {
      ...expected,
      attributes: expected.attributes.filter(({ path }) => there.has(path)),
    };
    const found = differences(comparable, now);
    const isAsBefore = differences(change.was, now).length === 0;
    if (found.length > 0 && !isAsBefore) {
      const more = found.length > shownDifferences ? [`${found.length - shownDifferences} more`] : [];
      const changes = [...found.slice(0, shownDifferences).map(chomp), ...more].join(', ');
      const message = `somebody else changed it since: ${changes}; left alone (--overwrite puts it back as before us)`;
      left.set(owner, { path: change.path, message });
    }
  }
  return left;
}

/** The last whole state that was noted, with the attributes written since; what these changed beside them is left out. */
function expectedOf(own: readonly Entry[]): RememberedState | undefined {
  const last = own.findLast(({ state }) => state !== undefined);
  if (last?.state === undefined) return undefined;
  const since = own
    .filter(({ sequence }) => sequence > last.sequence)
    .flatMap(({ change, readBack }) =>
      change.kind === 'attribute' && readBack !== undefined
        ? [{ path: change.path, codec: change.codec, text: readBack }]
        : [],
    );
  const beside = new Set(since.map(({ path }) => folderOf(path)));
  return {
    drivers: last.state.drivers,
    attributes: [
      ...last.state.attributes.filter(({ path }) => !beside.has(folderOf(path))),
      ...lastOfEach(since),
    ],
  };
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function lastOfEach<T extends { readonly path: string }>(attributes: readonly T[]): T[] {
  return attributes.filter(
    ({ path }, index) => attributes.findLastIndex((each) => each.path === path) === index,
  );
}

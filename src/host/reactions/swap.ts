/** Swap areas (mm/swapfile.c), as swapon(8) and swapoff(8) change them. */
import { type Draft, type Errno, nameOf, realPath } from './tree.js';
import { drain } from './zswap.js';

const path = '/proc/swaps';
const heading = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';

interface Area {
  readonly name: string;
  readonly line: string;
  readonly usedKiB: number;
  readonly priority: number;
}

function areasOf(draft: Draft): Area[] {
  return (draft.text(path) ?? '')
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [name, , , used, priority] = line.split(/\s+/);
      return name === undefined || priority === undefined
        ? []
        : [{ name, line, usedKiB: Number(used), priority: Number(priority) }];
    });
}

function write(draft: Draft, areas: readonly Area[]): void {
  draft.write(path, `${heading}${areas.map((area) => `${area.line}\n`).join('')}`, 0o444);
}

/** Size of what could be an area, in KiB: a block device by sysfs, in sectors; else the file's own. */
function sizeKiB(draft: Draft, name: string): number | undefined {
  const sectors = draft.text(`/sys/class/block/${nameOf(name)}/size`);
  if (name.startsWith('/dev/') && sectors !== undefined) return Number(sectors) / 2;
  const text = draft.text(name);
  return text === undefined ? undefined : Math.floor(Buffer.byteLength(text) / 1024);
}

/** Turns an area on, with a priority of its own below all others unless one is given. */
export function swapOn(draft: Draft, name: string, priority?: number): Errno | undefined {
  const areas = areasOf(draft);
  if (areas.some((area) => area.name === name)) return 'EBUSY';
  const size = sizeKiB(draft, name);
  if (size === undefined) return 'ENOENT';
  // The first page is the header.
  if (size <= 4) return 'EINVAL';
  const own = Math.min(-1, ...areas.map((area) => area.priority)) - 1;
  const shown = priority ?? own;
  const type = name.startsWith('/dev/') ? 'partition' : 'file\t';
  const line = `${name.padEnd(40)}${type}\t${size - 4}\t\t0\t\t${shown}`;
  const at = areas.findIndex((area) => area.priority < shown);
  write(
    draft,
    areas.toSpliced(at === -1 ? areas.length : at, 0, { name, line, usedKiB: 0, priority: shown }),
  );
  return undefined;
}

/**
 * Turns an area off. Its pages must fit into memory; what zswap has of them comes out of it, which empties zswap
 * when no other area holds anything.
 */
export function swapOff(draft: Draft, name: string): Errno | undefined {
  const areas = areasOf(draft);
  const area = areas.find((each) => each.name === name);
  if (area === undefined) return typeof realPath(draft, name) === 'string' ? 'ENOENT' : 'EINVAL';
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(draft.text('/proc/meminfo') ?? '');
  if (available !== null && area.usedKiB > Number(available[1])) return 'ENOMEM';
  const left = areas.filter((each) => each !== area);
  write(draft, left);
  if (left.every((each) => each.usedKiB === 0)) drain(draft);
  return undefined;
}

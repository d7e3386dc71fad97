/**
 * cgroup v2 (kernel/cgroup/cgroup.c, kernel/cgroup/cpuset.c, mm/memcontrol.c). A directory with cgroup.controllers
 * is a group; one whose parent is none is the root.
 */
import { kstrto, memparse } from './parsing.js';
import { type Draft, type Errno, nameOf, parentOf } from './tree.js';

/** In the kernel's order (include/linux/cgroup_subsys.h), as the files list them. */
const controllers = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma', 'misc'];

const noStall = 'avg10=0.00 avg60=0.00 avg300=0.00 total=0';
const pressure = `some ${noStall}\nfull ${noStall}\n`;

const memoryStat = [
  'anon',
  'file',
  'pagetables',
  'zswap',
  'zswapped',
  'pgfault',
  'pgmajfault',
  'zswpin',
  'zswpout',
  'zswpwb',
]
  .map((name) => `${name} 0\n`)
  .join('');

/** The files of a new group but the root, and their modes. */
const coreFiles: Readonly<Record<string, readonly [text: string, mode: number]>> = {
  'cgroup.events': ['populated 0\nfrozen 0\n', 0o444],
  'cgroup.freeze': ['0\n', 0o644],
  'cgroup.kill': ['', 0o200],
  'cgroup.max.depth': ['max\n', 0o644],
  'cgroup.max.descendants': ['max\n', 0o644],
  'cgroup.procs': ['', 0o644],
  'cgroup.stat': ['nr_descendants 0\nnr_dying_descendants 0\n', 0o444],
  'cgroup.subtree_control': ['', 0o644],
  'cgroup.threads': ['', 0o644],
  'cgroup.type': ['domain\n', 0o644],
  'cpu.stat': ['usage_usec 0\nuser_usec 0\nsystem_usec 0\n', 0o444],
};

/** What a controller adds to a group but the root. */
const controllerFiles: Readonly<Record<string, Readonly<Record<string, readonly [string, number]>>>> = {
  cpuset: {
    'cpuset.cpus': ['\n', 0o644],
    'cpuset.mems': ['\n', 0o644],
  },
  memory: {
    'memory.current': ['0\n', 0o444],
    'memory.events': ['low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n', 0o444],
    'memory.high': ['max\n', 0o644],
    'memory.low': ['0\n', 0o644],
    'memory.max': ['max\n', 0o644],
    'memory.min': ['0\n', 0o644],
    'memory.oom.group': ['0\n', 0o644],
    'memory.peak': ['0\n', 0o644],
    'memory.pressure': [pressure, 0o644],
    'memory.stat': [memoryStat, 0o444],
    'memory.swap.current': ['0\n', 0o444],
    'memory.swap.events': ['high 0\nmax 0\nfail 0\n', 0o444],
    'memory.swap.high': ['max\n', 0o644],
    'memory.swap.max': ['max\n', 0o644],
    'memory.swap.peak': ['0\n', 0o644],
    'memory.zswap.current': ['0\n', 0o444],
    'memory.zswap.max': ['max\n', 0o644],
    'memory.zswap.writeback': ['1\n', 0o644],
  },
};

// x86; PAGE_COUNTER_MAX of include/linux/page_counter.h on 64 bit
const pageBytes = 4096n;
const mostPages = (2n ** 63n - 1n) / pageBytes;

export function isCgroup(draft: Draft, directory: string): boolean {
  return draft.node(`${directory}/cgroup.controllers`)?.kind === 'file';
}

function isRoot(draft: Draft, group: string): boolean {
  return !isCgroup(draft, parentOf(group));
}

function childrenOf(draft: Draft, group: string): string[] {
  return (draft.names(group) ?? [])
    .map((name) => `${group}/${name}`)
    .filter((path) => draft.node(path)?.kind === 'directory');
}

function listIn(draft: Draft, group: string, file: string): string[] {
  return draft
    .value(`${group}/${file}`)
    .split(' ')
    .filter((name) => name !== '');
}

function lineOf(names: ReadonlySet<string>): string {
  const known = controllers.filter((name) => names.has(name));
  const line = [...known, ...[...names].filter((name) => !known.includes(name))].join(' ');
  return line === '' ? '' : `${line}\n`;
}

/** Gives a group the files of these controllers and takes those of others; on is what its parent has turned on. */
function setControllers(draft: Draft, group: string, on: ReadonlySet<string>): void {
  draft.write(`${group}/cgroup.controllers`, lineOf(on), 0o444);
  for (const [controller, files] of Object.entries(controllerFiles)) {
    for (const [name, [text, mode]] of Object.entries(files)) {
      const path = `${group}/${name}`;
      if (!on.has(controller)) draft.remove(path);
      else if (draft.node(path) === undefined) draft.write(path, text, mode);
    }
  }
}

/** Makes a group; the caller has seen that the name is free and the parent is a group. */
export function makeCgroup(draft: Draft, group: string): void {
  draft.makeDirectory(group);
  for (const [name, [text, mode]] of Object.entries(coreFiles)) draft.write(`${group}/${name}`, text, mode);
  setControllers(draft, group, new Set(listIn(draft, parentOf(group), 'cgroup.subtree_control')));
}

/** Removes a group; EBUSY while something is in it, or for the root. */
export function removeCgroup(draft: Draft, group: string): Errno | undefined {
  const used = draft.value(`${group}/cgroup.procs`) !== '' || childrenOf(draft, group).length > 0;
  if (used || isRoot(draft, group)) return 'EBUSY';
  draft.remove(group);
  return undefined;
}

function storeSubtreeControl(draft: Draft, group: string, text: string): Errno | undefined {
  const before = new Set(listIn(draft, group, 'cgroup.subtree_control'));
  const after = new Set(before);
  const offered = listIn(draft, group, 'cgroup.controllers');
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (!words.every((word) => /^[+-]/.test(word) && controllers.includes(word.slice(1)))) return 'EINVAL';
  for (const word of words) {
    const name = word.slice(1);
    if (word.startsWith('-')) after.delete(name);
    else if (!offered.includes(name)) return 'ENOENT';
    else after.add(name);
  }
  const children = childrenOf(draft, group);
  const lost = [...before].filter((name) => !after.has(name));
  const inUse = children.some((child) =>
    listIn(draft, child, 'cgroup.subtree_control').some((name) => lost.includes(name)),
  );
  if (inUse) return 'EBUSY';
  // No internal processes: a group with processes gives its controllers to no children.
  const gains = [...after].some((name) => !before.has(name));
  if (gains && !isRoot(draft, group) && draft.value(`${group}/cgroup.procs`) !== '') return 'EBUSY';
  draft.write(`${group}/cgroup.subtree_control`, lineOf(after));
  for (const child of children) setControllers(draft, child, after);
  return undefined;
}

function storeLimit(draft: Draft, path: string, text: string): Errno | undefined {
  const word = text.trim();
  const bytes = word === 'max' ? mostPages * pageBytes : memparse(word);
  if (bytes === undefined) return 'EINVAL';
  const pages = bytes / pageBytes;
  draft.write(path, pages >= mostPages ? 'max\n' : `${pages * pageBytes}\n`);
  return undefined;
}

function storeFlag(draft: Draft, path: string, text: string): Errno | undefined {
  const value = kstrto('int', 0, text.trim());
  if (typeof value === 'string') return value;
  if (value !== 0n && value !== 1n) return 'EINVAL';
  draft.write(path, `${value}\n`);
  return undefined;
}

/** Ends everything in a group and below it. */
function storeKill(draft: Draft, group: string, text: string): Errno | undefined {
  const value = kstrto('int', 0, text.trim());
  if (typeof value === 'string') return value;
  if (value !== 1n) return 'ERANGE';
  const empty = (each: string): void => {
    for (const child of childrenOf(draft, each)) empty(child);
    for (const file of ['cgroup.procs', 'cgroup.threads']) draft.writeIfThere(`${each}/${file}`, '');
    setPopulated(draft, each, false);
  };
  empty(group);
  populateAbove(draft, group);
  return undefined;
}

/** Puts a process into an empty group, or takes all out of it. */
export function setProcess(draft: Draft, group: string, pid: number | undefined): void {
  const text = pid === undefined ? '' : `${pid}\n`;
  for (const file of ['cgroup.procs', 'cgroup.threads']) draft.writeIfThere(`${group}/${file}`, text);
  setPopulated(draft, group, pid !== undefined);
  populateAbove(draft, group);
}

/** Tells the groups above one whether anything is in them still. */
function populateAbove(draft: Draft, group: string): void {
  for (
    let above = parentOf(group);
    isCgroup(draft, above) && !isRoot(draft, above);
    above = parentOf(above)
  ) {
    const populated =
      draft.value(`${above}/cgroup.procs`) !== '' ||
      childrenOf(draft, above).some((child) => /^populated 1$/m.test(draft.value(`${child}/cgroup.events`)));
    setPopulated(draft, above, populated);
  }
}

function setPopulated(draft: Draft, group: string, populated: boolean): void {
  const events = draft.text(`${group}/cgroup.events`) ?? '';
  draft.writeIfThere(
    `${group}/cgroup.events`,
    events.replace(/^populated \d$/m, `populated ${populated ? 1 : 0}`),
  );
}

/** A list of CPUs or nodes as it reads back; EINVAL for one that is none or has others than there are. */
function storeSet(draft: Draft, path: string, text: string, there: string): Errno | undefined {
  const all = membersOf(draft.value(there));
  const wanted = membersOf(text.trim());
  if (wanted === undefined || all === undefined) return 'EINVAL';
  const known = new Set(all);
  if (wanted.some((each) => !known.has(each))) return 'EINVAL';
  const numbers = [...new Set(wanted)].sort((a, b) => a - b);
  const ranges: string[] = [];
  for (let from = 0; from < numbers.length; ) {
    let to = from;
    while (to + 1 < numbers.length && numbers[to + 1] === (numbers[to] ?? 0) + 1) to += 1;
    ranges.push(to === from ? `${numbers[from]}` : `${numbers[from]}-${numbers[to]}`);
    from = to + 1;
  }
  draft.write(path, `${ranges.join(',')}\n`);
  return undefined;
}

function membersOf(list: string): number[] | undefined {
  const members: number[] = [];
  for (const range of list === '' ? [] : list.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
    if (match === null) return undefined;
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first) return undefined;
    for (let each = first; each <= last; each++) members.push(each);
  }
  return members;
}

type Store = (draft: Draft, group: string, path: string, text: string) => Errno | undefined;

const storeLimitAt: Store = (draft, _group, path, text) => storeLimit(draft, path, text);
const storeFlagAt: Store = (draft, _group, path, text) => storeFlag(draft, path, text);

const stores: Readonly<Record<string, Store>> = {
  'cgroup.kill': (draft, group, _path, text) => storeKill(draft, group, text),
  'cgroup.subtree_control': (draft, group, _path, text) => storeSubtreeControl(draft, group, text),
  'cpuset.cpus': (draft, _group, path, text) =>
    storeSet(draft, path, text, '/sys/devices/system/cpu/possible'),
  'cpuset.mems': (draft, _group, path, text) =>
    storeSet(draft, path, text, '/sys/devices/system/node/online'),
  'memory.high': storeLimitAt,
  'memory.low': storeLimitAt,
  'memory.max': storeLimitAt,
  'memory.min': storeLimitAt,
  'memory.oom.group': storeFlagAt,
  'memory.swap.high': storeLimitAt,
  'memory.swap.max': storeLimitAt,
  'memory.zswap.max': storeLimitAt,
  'memory.zswap.writeback': storeFlagAt,
};

/** The store behind a file of a group; `undefined` when the path is none. */
export function cgroupStore(draft: Draft, path: string): ((text: string) => Errno | undefined) | undefined {
  const group = parentOf(path);
  const name = nameOf(path);
  const store = Object.hasOwn(stores, name) ? stores[name] : undefined;
  if (store === undefined || !isCgroup(draft, group)) return undefined;
  return (text) => store(draft, group, path, text);
}

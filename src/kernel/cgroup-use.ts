/** What each group of a cgroup v2 hierarchy has in swap, in zswap and in huge pages (mm/memcontrol.c). */
import { ParseError } from '../errors.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { parseCount } from './attribute.js';
import { parseFlatKeyed } from './flat-keyed.js';
import { cgroupFile } from './memcg.js';

/** Bytes of one group itself, those of its child groups not counted. */
export interface CgroupUse {
  /** Below the mount point, as `/system.slice`. */
  readonly group: string;
  /** memory.swap.current. */
  readonly swapBytes: number;
  /** memory.zswap.current: compressed. */
  readonly zswapBytes: number;
  /** anon_thp of memory.stat. */
  readonly hugeBytes: number;
}

const files = ['memory.swap.current', 'memory.zswap.current', 'memory.stat'] as const;

/** More groups than a busy server has; those beyond are left out. */
const groupLimit = 20_000;

/** The groups that use any of it, by path. Groups come and go meanwhile; what cannot be read counts as 0. */
export async function readCgroupUse(host: Host, mount: HostPath): Promise<CgroupUse[]> {
  const totals = new Map<HostPath, [number, number, number]>();
  const children = new Map<HostPath, HostPath[]>();
  let level: HostPath[] = [mount];
  while (level.length > 0 && totals.size < groupLimit) {
    const outcomes = await host.probe(level.flatMap((group) => files.map((file) => cgroupFile(group, file))));
    const next: HostPath[] = [];
    for (const [index, group] of level.entries()) {
      const [swap, zswap, stat] = files.map((_, file) => {
        const outcome = outcomes[index * files.length + file];
        return outcome?.ok === true ? outcome.text : undefined;
      });
      totals.set(group, [bytesOf(swap), bytesOf(zswap), hugeBytesOf(stat)]);
      const names = (await host.list(group)) ?? [];
      const below = names
        .filter((name) => !fileName.test(name) || unitName.test(name))
        .map((name) => hostPath(group, name));
      children.set(group, below);
      next.push(...below);
    }
    level = next;
  }
  const uses: CgroupUse[] = [];
  for (const [group, own] of totals) {
    const inside = (children.get(group) ?? []).map((child) => totals.get(child) ?? [0, 0, 0]);
    const rest = own.map((bytes, index) =>
      Math.max(0, bytes - inside.reduce((sum, child) => sum + (child[index] ?? 0), 0)),
    );
    const [swapBytes = 0, zswapBytes = 0, hugeBytes = 0] = rest;
    if (swapBytes + zswapBytes + hugeBytes === 0) continue;
    uses.push({ group: group.slice(mount.length) || '/', swapBytes, zswapBytes, hugeBytes });
  }
  return uses.sort((a, b) => (a.group < b.group ? -1 : 1));
}

/**
 * The core's and the controllers' files (Documentation/admin-guide/cgroup-v2.rst), told from child groups by their
 * names: a listing for each of some sixty files in every group would take long.
 */
const fileName = /^(?:cgroup|cpu|cpuset|memory|io|pids|hugetlb|rdma|misc|irq|dmem)\.[a-z]/;

/** Groups that systemd makes for its units; a slice may be called as a controller. */
const unitName = /\.(?:slice|scope|service|mount|socket|swap)$/;

function bytesOf(text: string | undefined): number {
  return orZero(text, (given) => parseCount(given, ''));
}

function hugeBytesOf(text: string | undefined): number {
  return orZero(text, (given) => Number(parseFlatKeyed(given, '').get('anon_thp') ?? 0n));
}

function orZero(text: string | undefined, parse: (text: string) => number): number {
  if (text === undefined) return 0;
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return 0;
  }
}

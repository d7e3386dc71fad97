/** What `status` shows. */

import { logSince } from '../collect/kernel-log.js';
import {
  type CgroupReport,
  type MachineCounters,
  readCgroupReport,
  readCounters,
} from '../discover/counters.js';
import { discover } from '../discover/discover.js';
import type { Inventory, SwapArea, ThpState, ZswapState } from '../discover/inventory.js';
import { UsageError } from '../errors.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import type { Counters } from '../kernel/flat-keyed.js';
import { iaaLog } from '../kernel/iaa-crypto.js';
import { readCgroup } from '../kernel/memcg.js';
import { iaaItems } from './iaa-items.js';
import { printableLine } from './terminal.js';

/** The inventory, what the machine has done since boot, and a cgroup when asked for one. */
export interface Status extends Inventory {
  readonly counters: MachineCounters;
  readonly group: CgroupReport | undefined;
  /** What iaa_crypto said last of itself in the kernel log; undefined where that cannot be read. */
  readonly iaaCrypto: 'enabled' | 'disabled' | undefined;
}

/** Reads all that `status` shows; `cgroup` is a directory of cgroup v2. Throws UsageError when there is no such one. */
export async function readStatus(host: Host, cgroup: string | undefined): Promise<Status> {
  const directory = await cgroupDirectory(host, cgroup);
  const inventory = await discover(host);
  const findings = [...inventory.findings];
  const counters = await readCounters(host, inventory, findings);
  let group: CgroupReport | undefined;
  if (directory !== undefined) {
    group = await readCgroupReport(host, directory, findings);
  }
  const driver = inventory.iaa?.driverAttributes;
  const log = driver === undefined ? undefined : await logSince(host, 0);
  return { ...inventory, findings, counters, group, iaaCrypto: iaaLog(log ?? '').last };
}

/** The path of a cgroup that a user names; throws UsageError when there is no such one. */
export async function cgroupDirectory(host: Host, cgroup: string | undefined): Promise<HostPath | undefined> {
  if (cgroup === undefined) return undefined;
  const directory = hostPath(cgroup.replace(/\/+$/, ''));
  if ((await host.list(directory)) !== undefined) return directory;
  const { mount } = await readCgroup(host, []);
  throw new UsageError(`${directory}: no such cgroup`, {
    hint: mount === undefined ? 'this machine has no cgroup v2' : `give a directory below ${mount}`,
  });
}

const labelWidth = 10;
const screenWidth = 80;
const unknown = 'unknown';

/** The status for people: one screen of plain text, without the newline at its end. */
export function renderStatus(status: Status): string {
  const { kernel, cpu, memory, swap, zswap, thp, cgroup, counters, findings } = status;
  const microcode = kernel.microcode === undefined ? [] : [`microcode ${kernel.microcode}`];
  const lines = [
    ...row('source', [status.source, status.host]),
    ...row('kernel', [
      `Linux ${kernel.release ?? unknown}`,
      ...(kernel.clocksource === undefined ? [] : [`clock source ${kernel.clocksource}`]),
      ...(kernel.lruGen === undefined ? [] : [`lru_gen ${kernel.lruGen}`]),
    ]),
    ...row('cpu', [kernel.cpuModel ?? unknown, ...microcode]),
    ...row('', [
      ...(cpu.possible.length === 0 ? [] : [count(cpu.possible.length, 'possible CPU')]),
      ...(cpu.online.length === 0 ? [] : [`${cpu.online.length} online`]),
      ...counted(cpu.packageOf, 'package'),
      ...counted(cpu.nodeOf, 'node'),
    ]),
    ...row(
      'memory',
      memory === undefined
        ? [unknown]
        : [`${bytes(memory.totalBytes)} total`, `${bytes(memory.availableBytes)} available`],
    ),
    ...swapRows(swap),
    ...zswapRows(zswap),
    ...thpRows(thp),
    ...iaaItems(status, status.iaaCrypto).flatMap(([label, items]) => row(label, items)),
    ...counterRows(counters),
  ];
  if (cgroup.mount === undefined) {
    lines.push(...row('cgroup', ['no cgroup v2 found']));
  } else {
    lines.push(
      ...row('cgroup', [`v2 on ${cgroup.mount}`, cgroup.systemd ? 'managed by systemd' : 'without systemd']),
    );
    lines.push(...row('', [`controllers ${list(cgroup.controllers)}`]));
    lines.push(...row('', [`passed on to children ${list(cgroup.subtreeControl)}`]));
  }
  if (status.group !== undefined) lines.push(...groupRows(status.group));
  if (findings.length > 0) {
    lines.push('', count(findings.length, 'finding'));
    for (const [index, { path, message, mend }] of findings.entries()) {
      lines.push(`  ${printableLine(path)}: ${printableLine(message)}`);
      // Findings in a row that have one mend share its line.
      if (mend !== findings[index + 1]?.mend) lines.push(`    mend: ${printableLine(mend)}`);
    }
  }
  return lines.join('\n');
}

/** Of /proc/vmstat, what tells how swap and zswap did since boot: pages, folios (thp_*), faults. */
export const eventNames = [
  'zswpout',
  'zswpin',
  'zswpwb',
  'swpout_zero',
  'swpin_zero',
  'pswpout',
  'pswpin',
  'thp_swpout',
  'thp_swpout_fallback',
  'pgmajfault',
];

/** Of a folio size's counters, what tells whether folios of this size went out whole. */
const folioNames = ['anon_fault_alloc', 'anon_fault_fallback', 'zswpout', 'swpout', 'swpout_fallback'];

/** `name value` of the counters that are not zero; of those named, in this order, or of all. */
function nonZero(counters: Counters | undefined, names: Iterable<string> = counters?.keys() ?? []): string[] {
  return [...names].flatMap((name) => {
    const value = counters?.get(name);
    return value === undefined || value <= 0n ? [] : [`${name} ${grouped(value)}`];
  });
}

function counterRows({ vmstat, folios, khugepaged }: MachineCounters): string[] {
  const machine = nonZero(vmstat, eventNames);
  if (khugepaged.pagesCollapsed) {
    machine.push(`khugepaged pages_collapsed ${grouped(khugepaged.pagesCollapsed)}`);
  }
  return [
    ...row('counters', vmstat === undefined ? [unknown] : machine.length === 0 ? ['all zero'] : machine),
    ...[...folios].flatMap(([size, stats]) => {
      const [first, ...rest] = nonZero(stats, folioNames);
      return first === undefined ? [] : row('', [`${size} ${first}`, ...rest]);
    }),
  ];
}

/** Of memory.stat, what belongs to swap and zswap. */
const groupStatNames = ['zswpout', 'zswpin', 'zswpwb', 'zswap_incomp', 'pswpout', 'pswpin'];

function groupRows({ path, limits, counters, processes }: CgroupReport): string[] {
  const limit = (name: string, value: bigint | 'max' | undefined): string[] =>
    value === undefined ? [] : [`${name} ${value === 'max' ? value : bytes(Number(value))}`];
  const { events, swapEvents, stat, pressure, cpu } = counters;
  const zswap = stat?.get('zswap');
  const zswapped = stat?.get('zswapped');
  return [
    ...row('group', [path, ...(processes === undefined ? [] : [count(processes.length, 'process', 'es')])]),
    ...row('', [
      ...limit('high', limits.high),
      ...limit('max', limits.max),
      ...limit('swap.max', limits.swapMax),
      ...limit('zswap.max', limits.zswapMax),
      ...(limits.zswapWriteback === false ? ['no zswap writeback'] : []),
    ]),
    ...row('', [
      ...(counters.currentBytes === undefined ? [] : [`${bytes(counters.currentBytes)} used`]),
      ...(counters.zswapCurrentBytes === undefined
        ? []
        : [`${bytes(counters.zswapCurrentBytes)} of it compressed`]),
      ...(zswap !== undefined && zswap > 0n && zswapped !== undefined
        ? [`ratio ${(Number(zswapped) / Number(zswap)).toFixed(2)}`]
        : []),
    ]),
    ...row('', [
      ...nonZero(events).map((event) => `events ${event}`),
      ...nonZero(swapEvents).map((event) => `swap.events ${event}`),
      ...nonZero(stat, groupStatNames),
    ]),
    ...row('', [
      ...(cpu === undefined
        ? []
        : ['user', 'system'].map((mode) => `${mode} ${seconds(cpu.get(`${mode}_usec`))}`)),
      ...(pressure === undefined ? [] : [`stalled for memory ${seconds(pressure.some.totalUs)}`]),
    ]),
  ];
}

function seconds(microseconds: bigint | undefined): string {
  return microseconds === undefined ? unknown : `${(Number(microseconds) / 1e6).toFixed(1)} s`;
}

function swapRows(areas: readonly SwapArea[]): string[] {
  if (areas.length === 0) return row('swap', ['none found']);
  return areas.flatMap((area, index) =>
    row(index === 0 ? 'swap' : '', [
      `${area.path} (${area.type})`,
      `${bytes(area.usedKiB * 1024)} of ${bytes(area.sizeKiB * 1024)} used`,
      `priority ${area.priority}`,
    ]),
  );
}

/** zswap counts base pages; IAA machines are x86-64, where those are always 4 KiB. */
const pageBytes = 4096;

function zswapRows(zswap: ZswapState | undefined): string[] {
  if (zswap === undefined) return row('zswap', ['not in this kernel']);
  const { enabled, compressor, initialised, parameters, debugfs } = zswap;
  const others = Object.entries(parameters)
    .filter(([name]) => name !== 'enabled' && name !== 'compressor')
    .map(([name, value]) => `${name} ${value}`);
  const lines = row('zswap', [
    enabled === undefined ? unknown : enabled ? 'enabled' : 'disabled',
    `compressor ${compressor ?? unknown}`,
    ...(initialised === false ? ['not set up since boot'] : []),
  ]);
  lines.push(...row('', others));
  const stored = debugfs?.['stored_pages'];
  const pool = debugfs?.['pool_total_size'];
  if (stored !== undefined && pool !== undefined) {
    lines.push(
      ...row('', [
        `${grouped(stored)} pages (${bytes(stored * pageBytes)}) stored in ${bytes(pool)}`,
        ...(pool > 0 ? [`ratio ${((stored * pageBytes) / pool).toFixed(2)}`] : []),
      ]),
    );
    const events = new Map(Object.entries(debugfs ?? {}).map(([name, value]) => [name, BigInt(value)]));
    events.delete('stored_pages');
    events.delete('pool_total_size');
    lines.push(...row('', nonZero(events)));
  }
  return lines;
}

function thpRows(thp: ThpState | undefined): string[] {
  if (thp === undefined) return row('thp', ['not in this kernel']);
  const lines = row('thp', [
    `enabled ${thp.enabled ?? unknown}`,
    `defrag ${thp.defrag ?? unknown}`,
    `PMD size ${thp.pmdSizeBytes === undefined ? unknown : bytes(thp.pmdSizeBytes)}`,
  ]);
  const byChoice = new Map<string, string[]>();
  for (const { name, enabled } of thp.sizes) {
    // Without `enabled` a size is for shmem only (8kB), or its finding says why it is unknown.
    if (enabled !== undefined) byChoice.set(enabled, [...(byChoice.get(enabled) ?? []), name]);
  }
  for (const choice of [...byChoice.keys()].sort()) {
    lines.push(...row('', [`${choice} ${list(byChoice.get(choice) ?? [])}`]));
  }
  return lines;
}

/** The items with commas between them beside a label, wrapped between items; no items are no lines. */
function row(label: string, items: readonly string[]): string[] {
  const lines: string[] = [];
  let line = '';
  for (const item of items.map(printableLine)) {
    if (line !== '' && labelWidth + line.length + 2 + item.length > screenWidth) {
      lines.push(`${line},`);
      line = item;
    } else {
      line = line === '' ? item : `${line}, ${item}`;
    }
  }
  if (line !== '') lines.push(line);
  return lines.map((text, index) => `${(index === 0 ? label : '').padEnd(labelWidth)}${text}`);
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(' ');
}

function counted(of: Readonly<Record<number, number>>, noun: string): string[] {
  const different = new Set(Object.values(of)).size;
  return different === 0 ? [] : [count(different, noun)];
}

function count(number: number, noun: string, plural = 's'): string {
  return `${number} ${noun}${number === 1 ? '' : plural}`;
}

/** A number with commas between its thousands. */
export function grouped(number: number | bigint): string {
  return number.toLocaleString('en-US');
}

/** In the largest binary unit that leaves at least one whole. */
export function bytes(number: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = number;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

import { Command } from 'commander';
import type { Inventory, SwapArea, ThpState, ZswapState } from '../../discover/inventory.js';
import { type CommonOptions, openCommandHost, optionsOf } from '../options.js';
import { print, printableLine, toJson } from '../terminal.js';

/** `status`: what is here and how it does; reads only and needs no root. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show the kernel, swap, zswap, huge pages and cgroups of this machine')
    .action(async (_options: object, command: Command) => {
      const options = optionsOf<CommonOptions>(command);
      const { discover } = await import('../../discover/discover.js');
      const host = await openCommandHost(options, false);
      try {
        const inventory = await discover(host);
        print(options.json === true ? toJson(inventory) : renderStatus(inventory));
      } finally {
        await host.close();
      }
    });
}

const labelWidth = 10;
const screenWidth = 80;
const unknown = 'unknown';

/** The inventory for people: one screen of plain text, without the newline at its end. */
export function renderStatus(inventory: Inventory): string {
  const { kernel, cpu, memory, swap, zswap, thp, cgroup, findings } = inventory;
  const microcode = kernel.microcode === undefined ? [] : [`microcode ${kernel.microcode}`];
  const lines = [
    ...row('source', [inventory.source, inventory.host]),
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
    const events = Object.entries(debugfs ?? {})
      .filter(([name, value]) => name !== 'stored_pages' && name !== 'pool_total_size' && value > 0)
      .map(([name, value]) => `${name} ${grouped(value)}`);
    lines.push(...row('', events));
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

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function grouped(number: number): string {
  return number.toLocaleString('en-US');
}

/** In the largest binary unit that leaves at least one whole. */
function bytes(number: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = number;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

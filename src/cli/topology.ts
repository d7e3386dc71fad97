/** What `topology` shows. */
import { type Mapping, mappingOf } from '../discover/iaa-mapping.js';
import type { IaaState, IdxdDevice, IdxdWq, Inventory } from '../discover/inventory.js';
import { groupCpus } from '../kernel/iaa-mapping.js';
import { formatCpuList } from '../kernel/topology.js';
import { printableLine } from './terminal.js';

/** The CPUs of one node in one package. */
interface Place {
  /** physical_package_id; undefined when the kernel does not say. */
  readonly package: number | undefined;
  readonly node: number | undefined;
  /** Online, ascending. */
  readonly cpus: readonly number[];
}

/** What --json prints; bitmaps and statistics are in `status --json`. */
export interface Topology {
  readonly schemaVersion: 1;
  readonly host: string;
  readonly source: Inventory['source'];
  readonly release: string | undefined;
  readonly possibleCpus: readonly number[];
  readonly onlineCpus: readonly number[];
  readonly places: readonly Place[];
  readonly iaa: Pick<IaaState, 'devices' | 'dsaDevices' | 'wqs' | 'engines' | 'groups'> | undefined;
  readonly mapping: Mapping | undefined;
}

/** The topology for --json. */
export function topologyOf(inventory: Inventory): Topology {
  const { host, source, kernel, cpu, iaa } = inventory;
  return {
    schemaVersion: 1,
    host,
    source,
    release: kernel.release,
    possibleCpus: cpu.possible,
    onlineCpus: cpu.online,
    places: placesOf(inventory),
    iaa: iaa && {
      devices: iaa.devices,
      dsaDevices: iaa.dsaDevices,
      wqs: iaa.wqs,
      engines: iaa.engines,
      groups: iaa.groups,
    },
    mapping: mappingOf(inventory),
  };
}

function placesOf({ cpu }: Inventory): Place[] {
  const places = new Map<string, { package: number | undefined; node: number | undefined; cpus: number[] }>();
  for (const number of cpu.online) {
    const place = { package: cpu.packageOf[number], node: cpu.nodeOf[number] };
    const key = `${place.package} ${place.node}`;
    const known = places.get(key) ?? { ...place, cpus: [] };
    known.cpus.push(number);
    places.set(key, known);
  }
  return [...places.values()];
}

/** The topology for people: plain text, without the newline at its end. */
export function renderTopology(inventory: Inventory): string {
  const { cpu, iaa } = inventory;
  const offline = cpu.possible.filter((number) => !cpu.online.includes(number));
  const lines = placesOf(inventory).map(
    (place) => `package ${place.package ?? '?'}  node ${place.node ?? '?'}  cpu ${formatCpuList(place.cpus)}`,
  );
  if (lines.length === 0) lines.push('CPUs unknown');
  if (offline.length > 0) lines.push(`possible but not online  cpu ${formatCpuList(offline)}`);
  lines.push('');
  if (iaa === undefined || iaa.devices.length === 0) {
    lines.push(iaa === undefined ? 'no IAA device: the idxd driver is not loaded' : 'no IAA device');
    return lines.join('\n');
  }
  for (const device of iaa.devices) lines.push(...deviceLines(device, iaa));
  lines.push('', ...mappingLines(mappingOf(inventory)));
  return lines.map(printableLine).join('\n');
}

function deviceLines(device: IdxdDevice, iaa: IaaState): string[] {
  const wqs = iaa.wqs.filter((wq) => wq.device === device.name);
  const engines = iaa.engines.filter((engine) => engine.device === device.name);
  const set = wqs.filter((wq) => wq.driver !== undefined || (wq.size ?? 0) > 0);
  const unused = wqs.length - set.length;
  const grouped = engines.filter(({ groupId }) => groupId !== undefined && groupId >= 0).length;
  return [
    [
      device.name,
      device.pciAddress ?? 'PCI address unknown',
      `package ${device.packageId ?? '?'}`,
      `node ${device.numaNode ?? '?'}`,
      device.state ?? 'state unknown',
      `${grouped} of ${engines.length} engines in groups`,
      ...(unused > 0 ? [`${unused} of ${wqs.length} WQs not configured`] : []),
    ].join('  '),
    ...set.map(wqLine),
  ];
}

function wqLine(wq: IdxdWq): string {
  return [
    `  ${wq.name}`,
    wq.state ?? 'state unknown',
    wq.mode ?? 'mode unknown',
    `size ${wq.size ?? '?'}`,
    `group ${wq.groupId ?? '?'}`,
    `priority ${wq.priority ?? '?'}`,
    `type ${wq.type ?? '?'}`,
    `driver ${wq.driver ?? 'none'}`,
    ...(wq.label === undefined || wq.label === '' ? [] : [`name ${wq.label}`]),
  ].join('  ');
}

function mappingLines(mapping: Mapping | undefined): string[] {
  if (mapping === undefined) return [];
  if (mapping.devices.length === 0) return ['mapping: no WQ is bound to iaa_crypto'];
  if (mapping.variant === undefined) return [`mapping: not known: ${mapping.source}`];
  const lines = [
    `mapping ${mapping.variant} (${mapping.source})`,
    `  devices in the order ${mapping.devices.map(({ name }) => name).join(' ')} (${
      mapping.orderKnown
        ? "the driver's own"
        : 'of their numbers; the driver counts in the order of binding, which only its statistics show'
    })`,
    ...(mapping.tableBytes === undefined
      ? []
      : [`  the driver's tables take ${(mapping.tableBytes / 1024).toFixed(1)} KiB`]),
  ];
  const compress = useLines(mapping, 'compress');
  const decompress = useLines(mapping, 'decompress');
  if (compress.join() === decompress.join()) return [...lines, ...compress];
  return [...lines, '  compression', ...compress, '  decompression', ...decompress];
}

function useLines(mapping: Mapping, use: 'compress' | 'decompress'): string[] {
  return groupCpus(mapping.cpus, use).map(
    ({ cpus, wqs }) => `  cpu ${formatCpuList(cpus)} -> ${wqs.length === 0 ? 'none' : wqs.join(' ')}`,
  );
}

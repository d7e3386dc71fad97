/** Work queues, engines and groups of idxd devices: directories in the device's own (drivers/dma/idxd/sysfs.c). */
import type { Finding, IdxdEngine, IdxdGroup, IdxdWq } from '../discover/inventory.js';
import { ParseError } from '../errors.js';
import { type CodecName, chomp, codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { kernelFile, type Parse, parseCount, parseWith, readFiles } from './attribute.js';
import { dsaDevices, linkName, parseInteger } from './idxd-device.js';

/** Path of an attribute of a WQ, engine or group, as `iax1`, `wq1.0`, `size`. */
export function idxdChildAttribute(device: string, child: string, name: string): HostPath {
  return hostPath(dsaDevices, device, child, name);
}

/** The attributes of a WQ that can be set, with their codecs. Those a kernel or device lacks are not there. */
export const idxdWqSettings: Readonly<Record<string, CodecName>> = {
  mode: 'text',
  size: 'decimal',
  group_id: 'decimal',
  priority: 'decimal',
  type: 'text',
  name: 'text',
  driver_name: 'text',
  threshold: 'decimal',
  block_on_fault: 'oneZero',
  max_transfer_size: 'decimal',
  max_batch_size: 'decimal',
  ats_disable: 'oneZero',
  prs_disable: 'oneZero',
  op_config: 'text',
  enqcmds_retries: 'decimal',
};

/** The attributes of an engine that can be set, with their codecs. */
export const idxdEngineSettings: Readonly<Record<string, CodecName>> = { group_id: 'decimal' };

/** The attributes of a group that can be set, with their codecs; buffer attributes do not exist on IAA devices. */
export const idxdGroupSettings: Readonly<Record<string, CodecName>> = {
  traffic_class_a: 'decimal',
  traffic_class_b: 'decimal',
  desc_progress_limit: 'decimal',
  batch_progress_limit: 'decimal',
};

/**
 * The order in which a WQ's attributes are written: the type before the name, which it clears; mode and size before
 * the threshold, which they limit; prs_disable before block_on_fault, which it clears (drivers/dma/idxd/sysfs.c).
 */
const wqOrder = [
  'mode',
  'size',
  'group_id',
  'priority',
  'type',
  'name',
  'driver_name',
  'threshold',
  'max_transfer_size',
  'max_batch_size',
  'prs_disable',
  'block_on_fault',
  'ats_disable',
  'op_config',
  'enqcmds_retries',
];

/** Sorts paths of one device's settable attributes into an order that the kernel takes them in. */
export function configurationOrder<T extends { readonly path: HostPath }>(attributes: readonly T[]): T[] {
  const rank = ({ path }: T): [number, number, number] => {
    const [, kind, number = '0', name = ''] = /\/(wq|engine|group)\d+\.(\d+)\/(\w+)$/.exec(path) ?? [];
    return [
      ['engine', 'group', undefined, 'wq'].indexOf(kind),
      Number(number),
      kind === 'wq' ? wqOrder.indexOf(name) : 0,
    ];
  };
  return attributes
    .map((attribute) => ({ attribute, rank: rank(attribute) }))
    .sort((a, b) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2])
    .map(({ attribute }) => attribute);
}

/** Those of a device's names that are of one kind, as `wq`, by the number after the dot. */
export function childrenOf(kind: 'wq' | 'engine' | 'group', names: readonly string[]): string[] {
  const pattern = new RegExp(`^${kind}\\d{1,5}\\.(\\d{1,5})$`);
  return names
    .flatMap((name) => {
      const number = pattern.exec(name)?.[1];
      return number === undefined ? [] : [{ name, number: Number(number) }];
    })
    .sort((a, b) => a.number - b.number)
    .map(({ name }) => name);
}

/** Parses the members of a group: names with blanks between them; throws ParseError. */
export const parseMembers: Parse<string[]> = (text, path) => {
  const line = chomp(text).trim();
  if (line === '') return [];
  const names = line.split(' ');
  if (!names.every((name) => /^(?:wq|engine)\d{1,5}\.\d{1,5}$/.test(name))) {
    throw new ParseError({ path, found: text, expected: 'names of WQs or engines with blanks between them' });
  }
  return names;
};

/** Reads one WQ; what it does not offer is `undefined`. */
export async function readWq(host: Host, findings: Finding[], device: string, wq: string): Promise<IdxdWq> {
  const at = (attribute: string): HostPath => idxdChildAttribute(device, wq, attribute);
  const text = parseWith(codecs.text);
  const attributes = await readFiles(host, findings, {
    state: kernelFile(at('state'), text),
    mode: kernelFile(at('mode'), text),
    size: kernelFile(at('size'), parseCount),
    groupId: kernelFile(at('group_id'), parseInteger),
    priority: kernelFile(at('priority'), parseCount),
    type: kernelFile(at('type'), text),
    label: kernelFile(at('name'), text),
    driverName: kernelFile(at('driver_name'), text),
    threshold: kernelFile(at('threshold'), parseCount),
    clients: kernelFile(at('clients'), parseInteger),
  });
  return { name: wq, device, driver: await linkName(host, findings, at('driver')), ...attributes };
}

/** Reads one engine. */
export async function readEngine(
  host: Host,
  findings: Finding[],
  device: string,
  engine: string,
): Promise<IdxdEngine> {
  const { groupId } = await readFiles(host, findings, {
    groupId: kernelFile(idxdChildAttribute(device, engine, 'group_id'), parseInteger),
  });
  return { name: engine, device, groupId };
}

/** Reads one group. */
export async function readGroup(
  host: Host,
  findings: Finding[],
  device: string,
  group: string,
): Promise<IdxdGroup> {
  const at = (attribute: string): HostPath => idxdChildAttribute(device, group, attribute);
  const attributes = await readFiles(host, findings, {
    wqs: kernelFile(at('work_queues'), parseMembers),
    engines: kernelFile(at('engines'), parseMembers),
    trafficClassA: kernelFile(at('traffic_class_a'), parseInteger),
    trafficClassB: kernelFile(at('traffic_class_b'), parseInteger),
  });
  return { name: group, device, ...attributes };
}

/** All IAA devices that the idxd driver has, with what is in them. */
import type { CpuTopology, Finding, IaaState } from '../discover/inventory.js';
import type { CodecName } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { listDirectory } from './attribute.js';
import { dsaDevices, idxdDeviceAttribute, idxdDeviceSettings, readIdxdDevice } from './idxd-device.js';
import {
  childrenOf,
  configurationOrder,
  idxdChildAttribute,
  idxdEngineSettings,
  idxdGroupSettings,
  idxdWqSettings,
  readEngine,
  readGroup,
  readWq,
} from './idxd-wq.js';

/** Directory of perf's event sources (kernel/events/core.c); idxd adds one for each device with counters. */
export const eventSources = hostPath('/sys/bus/event_source/devices');

/** Names that begin with `prefix` and a number, by the number: iax3 before iax11. */
function numbered(prefix: string, names: readonly string[]): string[] {
  const pattern = new RegExp(`^${prefix}\\d{1,5}$`);
  const number = (name: string): number => Number(name.slice(prefix.length));
  return names.filter((name) => pattern.test(name)).sort((a, b) => number(a) - number(b));
}

export type IdxdState = Pick<
  IaaState,
  'devices' | 'dsaDevices' | 'wqs' | 'engines' | 'groups' | 'perfEventSources'
>;

/** Reads the dsa bus; `undefined` when there is none, as without the idxd driver. */
export async function readIdxd(
  host: Host,
  findings: Finding[],
  cpu: CpuTopology,
): Promise<IdxdState | undefined> {
  const names = await listDirectory(host, findings, dsaDevices);
  if (names === undefined) return undefined;
  const state: { [Name in keyof IdxdState]: IdxdState[Name][number][] } = {
    devices: [],
    dsaDevices: numbered('dsa', names),
    wqs: [],
    engines: [],
    groups: [],
    perfEventSources: [],
  };
  for (const device of numbered('iax', names)) {
    state.devices.push(await readIdxdDevice(host, findings, device, cpu));
    const inside = (await listDirectory(host, findings, deviceDirectory(device))) ?? [];
    for (const wq of childrenOf('wq', inside)) state.wqs.push(await readWq(host, findings, device, wq));
    for (const engine of childrenOf('engine', inside)) {
      state.engines.push(await readEngine(host, findings, device, engine));
    }
    for (const group of childrenOf('group', inside)) {
      state.groups.push(await readGroup(host, findings, device, group));
    }
  }
  const sources = (await listDirectory(host, findings, eventSources)) ?? [];
  state.perfEventSources.push(...numbered('dsa', sources), ...numbered('iax', sources));
  return state;
}

function deviceDirectory(device: string): HostPath {
  return hostPath(dsaDevices, device);
}

/** All that may be set of one device, whether this kernel offers it or not, in an order that the kernel takes it in. */
export function deviceSettings(
  { wqs, engines, groups }: Pick<IdxdState, 'wqs' | 'engines' | 'groups'>,
  device: string,
): { readonly path: HostPath; readonly codec: CodecName }[] {
  const children = [
    ...wqs.map((wq) => ({ ...wq, settings: idxdWqSettings })),
    ...engines.map((engine) => ({ ...engine, settings: idxdEngineSettings })),
    ...groups.map((group) => ({ ...group, settings: idxdGroupSettings })),
  ].filter((child) => child.device === device);
  return configurationOrder([
    ...Object.entries(idxdDeviceSettings).map(([name, codec]) => ({
      path: idxdDeviceAttribute(device, name),
      codec,
    })),
    ...children.flatMap((child) =>
      Object.entries(child.settings).map(([name, codec]) => ({
        path: idxdChildAttribute(device, child.name, name),
        codec,
      })),
    ),
  ]);
}

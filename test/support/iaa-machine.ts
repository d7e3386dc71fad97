import { MemoryHost } from './memory-host.js';

export interface IaaMachineOptions {
  readonly release?: string;
  readonly packages?: number;
  readonly coresPerPackage?: number;
  /** Names of the IAA devices; device i is on node (i x packages / devices). */
  readonly devices?: readonly string[];
  readonly dsaDevices?: readonly string[];
  /** WQs of each device that are bound to the crypto driver. */
  readonly wqs?: number;
  /** Beside bind, unbind and the like; undefined: iaa_crypto is not loaded. */
  readonly driverAttributes?: Readonly<Record<string, string>> | undefined;
}

export const devicesDirectory = '/sys/bus/dsa/devices';

/** PCI buses of IAA on a Sapphire Rapids server, in the order of the probe. */
const buses = ['6a', '6f', '74', '79', 'e7', 'ec', 'f1', 'f6'];

export const deflateIaa = `name         : deflate
driver       : deflate-iaa
module       : iaa_crypto
priority     : 300
refcnt       : 1
selftest     : passed
internal     : no
type         : acomp

`;

/**
 * A machine with IAA in memory: the CPUs with two threads each, nodes, the dsa bus and the iaa_crypto driver, in the
 * forms of a mainline kernel on Sapphire Rapids. A directory behind a link is there under the link's path.
 */
export function iaaMachine(options: IaaMachineOptions = {}): MemoryHost {
  const {
    release = '7.3.4-test',
    packages = 2,
    coresPerPackage = 4,
    devices = ['iax1', 'iax3'],
    dsaDevices = ['dsa0', 'dsa2'],
    wqs = 1,
  } = options;
  const driverAttributes =
    'driverAttributes' in options ? options.driverAttributes : { sync_mode: 'sync', verify_compress: '1' };
  const host = new MemoryHost();
  const set = (path: string, text: string): void => {
    host.files.set(path, `${text}\n`);
  };
  set('/proc/sys/kernel/osrelease', release);
  host.files.set(
    '/proc/cpuinfo',
    'processor\t: 0\nmodel name\t: Test CPU\nmicrocode\t: 0x1\nflags\t\t: fpu enqcmd movdir64b\n',
  );
  const cores = packages * coresPerPackage;
  set('/sys/devices/system/cpu/possible', `0-${2 * cores - 1}`);
  set('/sys/devices/system/cpu/online', `0-${2 * cores - 1}`);
  for (let cpu = 0; cpu < 2 * cores; cpu++) {
    const topology = `/sys/devices/system/cpu/cpu${cpu}/topology`;
    set(`${topology}/physical_package_id`, `${Math.floor((cpu % cores) / coresPerPackage)}`);
    set(`${topology}/core_id`, `${cpu % coresPerPackage}`);
  }
  for (let node = 0; node < packages; node++) {
    const first = node * coresPerPackage;
    const last = first + coresPerPackage - 1;
    set(`/sys/devices/system/node/node${node}/cpulist`, `${first}-${last},${first + cores}-${last + cores}`);
  }
  host.files.set(
    '/proc/self/mountinfo',
    `23 27 0:7 / /sys/kernel/debug rw,nosuid - debugfs debugfs rw
24 27 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw
`,
  );
  host.directories.add(devicesDirectory);
  for (const name of dsaDevices) set(`${devicesDirectory}/${name}/state`, 'disabled');
  for (const [index, name] of devices.entries()) {
    const node = Math.floor((index * packages) / devices.length);
    addDevice(host, name, buses[index] ?? '00', node, wqs);
  }
  if (driverAttributes !== undefined) {
    const directory = '/sys/bus/dsa/drivers/crypto';
    for (const name of ['bind', 'unbind', 'uevent']) host.files.set(`${directory}/${name}`, '');
    for (const [name, text] of Object.entries(driverAttributes)) set(`${directory}/${name}`, text);
    host.files.set('/proc/crypto', deflateIaa);
  }
  return host;
}

function addDevice(host: MemoryHost, name: string, bus: string, node: number, wqs: number): void {
  const number = name.slice('iax'.length);
  const parent = `/sys/devices/pci0000:${bus}/0000:${bus}:02.0`;
  const device = `${devicesDirectory}/${name}`;
  const set = (path: string, text: string): void => {
    host.files.set(path, `${text}\n`);
  };
  host.links.set(device, `../../../devices/pci0000:${bus}/0000:${bus}:02.0/${name}`);
  set(`${parent}/vendor`, '0x8086');
  set(`${parent}/device`, '0x0cfe');
  host.links.set(`${device}/driver`, '../../../../bus/dsa/drivers/idxd');
  for (const [attribute, text] of Object.entries({
    state: wqs === 0 ? 'disabled' : 'enabled',
    numa_node: `${node}`,
    version: '0x100',
    gen_cap: '0x71f10901f0105',
    op_cap: '00000000,00000000,00000000,00000000,00000000,007f331c,00000000,0000000d',
    errors: '00000000,00000000,00000000,00000000,00000000,00000000,00000000,00000000',
    max_groups: '4',
    max_work_queues: '8',
    max_work_queues_size: '128',
    max_engines: '8',
    max_transfer_size: '2147483648',
    configurable: '1',
    pasid_enabled: '0',
    clients: '0',
    cmd_status: '0x0',
  })) {
    set(`${device}/${attribute}`, text);
  }
  for (let index = 0; index < 8; index++) {
    const bound = index < wqs;
    const wq = `${device}/wq${number}.${index}`;
    if (bound) host.links.set(`${wq}/driver`, '../../../../../bus/dsa/drivers/crypto');
    for (const [attribute, text] of Object.entries({
      state: bound ? 'enabled' : 'disabled',
      mode: bound ? 'dedicated' : 'shared',
      size: bound ? `${128 / wqs}` : '0',
      group_id: bound ? '0' : '-1',
      priority: bound ? '10' : '0',
      type: bound ? 'kernel' : 'none',
      name: bound ? 'iaa_crypto' : '',
      driver_name: bound ? 'crypto' : '',
      threshold: '0',
      block_on_fault: '0',
      max_transfer_size: '2097152',
      clients: '0',
    })) {
      set(`${wq}/${attribute}`, text);
    }
    set(`${device}/engine${number}.${index}/group_id`, wqs > 0 ? '0' : '-1');
  }
  for (let index = 0; index < 4; index++) {
    const group = `${device}/group${number}.${index}`;
    const used = index === 0 && wqs > 0;
    const members = (kind: string, count: number): string =>
      Array.from({ length: used ? count : 0 }, (_, member) => `${kind}${number}.${member}`).join(' ');
    set(`${group}/work_queues`, members('wq', wqs));
    set(`${group}/engines`, members('engine', 8));
    set(`${group}/traffic_class_a`, '1');
    set(`${group}/traffic_class_b`, '1');
  }
}

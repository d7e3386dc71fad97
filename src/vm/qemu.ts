/** How many requests a guest serves at a time; each channel is a virtio-serial port and a socket. */
export const channelCount = 8;

/** What the init of a guest is: only our agent, or the machine's systemd with our agent beside it. */
export type GuestInit = 'agent' | 'systemd';

/** Who executes the guest's instructions: QEMU's translator, or the machine's own CPU. */
export type Accelerator = 'tcg' | 'kvm';

/** The most software IAA devices that a guest can have: as many as a server with two Sapphire Rapids has. */
export const maxDevices = 8;

/** Numbers of the root buses that the IAA devices of such a server are on, four for each socket. */
const deviceBuses = [
  [0x6a, 0x6f, 0x74, 0x79],
  [0xe7, 0xec, 0xf1, 0xf6],
] as const;

/** Where each of some devices is: half of them at each socket, the first ones at socket 0. */
export function devicePlaces(devices: number): { readonly socket: 0 | 1; readonly bus: number }[] {
  const first = Math.ceil(devices / 2);
  return Array.from({ length: devices }, (_, index) => {
    const socket = index < first ? 0 : 1;
    return { socket, bus: deviceBuses[socket][index - socket * first] ?? 0 };
  });
}

/** All that QEMU is told. */
export interface QemuConfig {
  readonly vmlinuz: string;
  readonly initramfs: string;
  /** Folder that the guest mounts as its kernel's modules. */
  readonly modules: string;
  /** Folder that the guest mounts writable at /share. */
  readonly share: string;
  /** File that takes the guest's console. */
  readonly consoleLog: string;
  /** Number of the inherited descriptor of the swap disk. */
  readonly swapFd: number;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** One thread of the machine for each CPU, or one for all. */
  readonly threads: 'multi' | 'single';
  readonly accelerator: Accelerator;
  /** Software IAA devices, each behind `deviceSocket`. */
  readonly devices: number;
  readonly deviceSocket: (device: number) => string;
  readonly init: GuestInit;
  /** The guest powers itself off when the process that talks to it is gone. */
  readonly leased: boolean;
  /** Further words for the kernel's command line. */
  readonly append: readonly string[];
  /** Socket of channel n. */
  readonly socketPath: (channel: number) => string;
}

/** QEMU ends an option's value at a comma; a doubled one stands for itself. */
function value(path: string): string {
  return path.replaceAll(',', ',,');
}

/** Major and minor version from `qemu-system-x86_64 --version`; undefined for any other text. */
export function parseVersion(text: string): readonly [major: number, minor: number] | undefined {
  const found = /^QEMU emulator version (\d+)\.(\d+)/.exec(text);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

/**
 * Whether each guest CPU may have a thread of its own. Before 8.1 QEMU translates a page without holding off
 * another CPU that writes to it (mended by its commit deba78709ae8, "Always lock pages before translation"): the
 * Linux kernel, which patches its own code as it runs, then dies of a breakpoint that it has long removed.
 */
export function canThread([major, minor]: readonly [major: number, minor: number]): boolean {
  return major > 8 || (major === 8 && minor >= 1);
}

/** The arguments of qemu-system-x86_64 (7.2 and later). */
export function qemuArguments(config: QemuConfig): string[] {
  const cmdline = ['console=ttyS0', 'panic=-1', 'quiet'];
  // Words that the kernel does not know become the environment of init.
  if (config.leased) cmdline.push('IAA_ZSWAP_LEASE=connected');
  if (config.init === 'systemd') cmdline.push('IAA_ZSWAP_INIT=systemd');
  if (config.devices > 0) {
    // The guest's CPU has no MOVDIR64B; the shim does its work. Without an IOMMU there is no SVA.
    cmdline.push('IAA_ZSWAP_DEVICES=yes', 'setcpuid=movdir64b', 'idxd.sva=0');
  }
  cmdline.push(...config.append);

  const shared = (tag: string, path: string, mode: 'readonly' | 'writable'): string[] => [
    '-fsdev',
    // remap: one tree may hold several file systems, whose inode numbers must not meet.
    `local,id=${tag},path=${value(path)},security_model=none,multidevs=remap${mode === 'readonly' ? ',readonly=on' : ''}`,
    '-device',
    `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`,
  ];
  const channels = Array.from({ length: channelCount }, (_, n) => [
    '-chardev',
    `socket,id=channel${n},path=${value(config.socketPath(n))},server=on,wait=off`,
    '-device',
    `virtserialport,chardev=channel${n},name=iaa-zswap.${n}`,
  ]);
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-nic', 'none', '-no-reboot'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-machine', 'q35'],
    ...(config.accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host,-movdir64b']
      : ['-accel', `tcg,thread=${config.threads}`, '-cpu', 'max']),
    ...(config.devices > 0 ? nodes(config) : ['-smp', String(config.cpus), '-m', `${config.memoryMiB}M`]),
    ...['-kernel', config.vmlinuz, '-initrd', config.initramfs, '-append', cmdline.join(' ')],
    ...['-chardev', `file,id=console,path=${value(config.consoleLog)}`, '-serial', 'chardev:console'],
    ...shared('root', '/', 'readonly'),
    ...shared('modules', config.modules, 'readonly'),
    ...shared('share', config.share, 'writable'),
    // unsafe: what is swapped out need not survive the machine.
    ...['-drive', `file=/proc/self/fd/${config.swapFd},if=none,id=swap,format=raw,cache=unsafe`],
    ...['-device', 'virtio-blk-pci,drive=swap'],
    ...['-device', `virtio-serial-pci,max_ports=${channelCount + 1}`],
    ...channels.flat(),
    // After all others: a device without a bus of its own would be put on one of these.
    ...deviceArguments(config),
  ];
}

/**
 * CPUs and memory of a guest with devices: two sockets, each a node of its own (one socket when there is one CPU). Its
 * memory is shared with the process that serves the devices.
 */
function nodes({ cpus, memoryMiB }: QemuConfig): string[] {
  const sockets = cpus > 1 ? 2 : 1;
  const perSocket = cpus / sockets;
  const each = [Math.ceil(memoryMiB / 2), Math.floor(memoryMiB / 2)].map((sizeMiB, node) => {
    const own = node < sockets ? `,cpus=${node * perSocket}-${(node + 1) * perSocket - 1}` : '';
    return [
      ...['-object', `memory-backend-memfd,id=memory${node},size=${sizeMiB}M,share=on`],
      ...['-numa', `node,nodeid=${node},memdev=memory${node}${own}`],
    ];
  });
  return [
    ...['-smp', `${cpus},sockets=${sockets},cores=${perSocket},threads=1`, '-m', `${memoryMiB}M`],
    ...each.flat(),
  ];
}

/** The software IAA devices, each below a root bus of its socket's node. */
function deviceArguments({ devices, deviceSocket }: QemuConfig): string[] {
  const each = devicePlaces(devices).map(({ socket, bus }, device) => {
    const attached = {
      driver: 'vfio-user-pci',
      socket: { type: 'unix', path: deviceSocket(device) },
      bus: `port${device}`,
    };
    return [
      ...['-device', `pxb-pcie,id=root${device},bus=pcie.0,bus_nr=${bus},numa_node=${socket}`],
      // Only bridges go onto such a root bus.
      ...['-device', `pcie-root-port,id=port${device},bus=root${device},chassis=${device}`],
      ...['-device', JSON.stringify(attached)],
    ];
  });
  // QEMU tells the guest of its root buses from the last to the first, and so does the guest's kernel number them.
  return each.reverse().flat();
}

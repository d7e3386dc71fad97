/** How many requests a guest serves at a time; each channel is a virtio-serial port and a socket. */
export const channelCount = 8;

/** What the init of a guest is: only our agent, or the machine's systemd with our agent beside it. */
export type GuestInit = 'agent' | 'systemd';

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
    ...['-machine', 'q35', '-accel', `tcg,thread=${config.threads}`, '-cpu', 'max'],
    ...['-smp', String(config.cpus), '-m', `${config.memoryMiB}M`],
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
  ];
}

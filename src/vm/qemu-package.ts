import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './command.js';
import {
  Apt,
  backports,
  type DebianPackage,
  intoPlace,
  isThere,
  lockCache,
  type Manifest,
  readManifest,
  requireSpace,
  unpackDebs,
  writeManifest,
} from './debian.js';
import { cacheFolder, ownFolder, withFileErrors } from './folders.js';
import { parseVersion } from './qemu.js';

const program = 'qemu-system-x86_64';
/** What QEMU takes while it is fetched and unpacked (11.1: 38 MB of packages, 172 MB of files), bytes. */
const neededBytes = 400e6;

/** How QEMU is started: its program and the arguments that come before all others. */
export interface QemuProgram {
  readonly argv: readonly [string, ...string[]];
  readonly version: readonly [major: number, minor: number];
  /** Packages of the cache that it is from; none for the machine's own. */
  readonly packages: readonly DebianPackage[];
  /** How programs of the cache's Debian are started, when they are not the machine's own. */
  readonly runtime: Runtime | undefined;
}

/** Debian's loader and libraries in the cache, for programs that are newer than the machine. */
export interface Runtime {
  readonly loader: string;
  readonly libraries: string;
}

interface CachedQemu extends Manifest {
  readonly version: string;
  readonly packages: readonly DebianPackage[];
}

/** Whether a QEMU can attach a device that another process serves: vfio-user-pci came with 10.1. */
export function hasVfioUser([major, minor]: readonly [major: number, minor: number]): boolean {
  return major > 10 || (major === 10 && minor >= 1);
}

async function machineVersion(): Promise<readonly [number, number] | undefined> {
  return command([program, '--version'], '/').then(parseVersion, () => undefined);
}

/**
 * A QEMU that can attach software IAA devices: the machine's own when it is new enough, else Debian's newest from the
 * cache, fetched once.
 */
export async function ensureQemu(progress: (line: string) => void): Promise<QemuProgram> {
  const version = await machineVersion();
  if (version !== undefined && hasVfioUser(version)) {
    return { argv: [program], version, packages: [], runtime: undefined };
  }
  return withFileErrors(() => cachedQemu(progress));
}

const within = {
  program: `usr/bin/${program}`,
  loader: 'usr/lib64/ld-linux-x86-64.so.2',
  libraries: 'usr/lib/x86_64-linux-gnu',
  /** Folders that QEMU looks for its firmware in. */
  firmware: ['usr/share/qemu', 'usr/share/seabios', 'usr/lib/ipxe/qemu'],
};

async function cachedQemu(progress: (line: string) => void): Promise<QemuProgram> {
  const cache = await ownFolder(cacheFolder());
  const folder = join(cache, 'qemu');
  if (!(await isThere(join(folder, 'qemu.json')))) await install(cache, folder, progress);
  const { version, packages } = await readManifest<CachedQemu>(folder, 'qemu.json', 'QEMU');
  const at = (path: string): string => join(folder, path);
  const runtime = { loader: at(within.loader), libraries: at(within.libraries) };
  const found = parseVersion(`QEMU emulator version ${version.replace(/^\d+:/, '')}`);
  return {
    argv: [
      runtime.loader,
      ...['--library-path', runtime.libraries, at(within.program)],
      ...within.firmware.flatMap((path) => ['-L', at(path)]),
    ],
    version: found ?? [0, 0],
    packages,
    runtime,
  };
}

async function install(cache: string, folder: string, progress: (line: string) => void): Promise<void> {
  const lock = lockCache(cache);
  try {
    await requireSpace(cache, 'QEMU', neededBytes);
    const apt = await Apt.open(join(cache, 'apt-qemu'), ['trixie', 'trixie-updates', backports], progress);
    const packages = await apt.closure('qemu-system-x86', backports);
    const version = packages.find(({ name }) => name === 'qemu-system-x86')?.version ?? '';
    progress(`fetching QEMU ${version}: vfio-user-pci needs 10.1 or newer`);
    const debs = await apt.download(packages);
    await intoPlace(folder, async (partial) => {
      await unpackDebs(debs, partial);
      // Some libraries are still in /lib of their packages; an unpacked tree has no link from there to /usr/lib.
      for (const name of ['lib', 'lib64']) {
        if (!(await isThere(join(partial, name)))) await symlink(`usr/${name}`, join(partial, name));
      }
      await writeManifest<CachedQemu>(partial, 'qemu.json', { version, packages }, await usedFiles(partial));
    });
    await apt.clear();
  } finally {
    lock.release();
  }
}

/** What a start of QEMU maps or loads, below the folder. */
async function usedFiles(folder: string): Promise<string[]> {
  const libraries = join(folder, within.libraries);
  const listed = await command(
    [join(folder, within.loader), '--library-path', libraries, '--list', join(folder, within.program)],
    folder,
  );
  const names = [...listed.matchAll(/ => (\/\S+) \(/g)].map(([, path]) => path ?? '');
  const own = names
    .filter((path) => path.startsWith(`${folder}/`))
    .map((path) => path.slice(folder.length + 1));
  const firmware = ['usr/share/seabios/bios-256k.bin', 'usr/share/qemu/linuxboot_dma.bin'];
  return [within.program, within.loader, ...own, ...firmware].sort();
}

import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VmError } from '../errors.js';
import { command } from './command.js';
import {
  Apt,
  backports,
  type DebianPackage,
  intoPlace,
  isThere,
  lockCache,
  readManifest,
  requireSpace,
  sumOf,
  unpackDebs,
  writeManifest,
} from './debian.js';
import { cacheFolder, ownFolder, withFileErrors } from './folders.js';

/** The package that always depends on Debian's newest kernel of a suite. */
const newest = 'linux-image-amd64';
/** What one kernel takes while it is fetched and unpacked (7.3: 121 MB of packages, 130 MB of files), bytes. */
const neededBytes = 400e6;

/** guest.json of a kernel in the cache. */
export interface GuestKernel {
  readonly schemaVersion: 1;
  /** Debian's version, as `7.3.4-1~bpo13+1`. */
  readonly version: string;
  /** The kernel's own name, as `7.3.4+deb13-amd64` (uname -r). */
  readonly release: string;
  readonly packages: readonly DebianPackage[];
  /** SHA-256 of the files that booting reads, by path below the kernel's folder. */
  readonly files: Readonly<Record<string, string>>;
}

/** A kernel in the cache and where it is. */
export interface CachedKernel {
  readonly kernel: GuestKernel;
  /** Folder that the packages are unpacked in. */
  readonly folder: string;
  readonly vmlinuz: string;
  /** Its /usr/lib/modules/RELEASE. */
  readonly modules: string;
}

/** Modules that the guest needs before it sees the machine's root; the rest it loads from there. */
export const bootModules = ['virtio_blk', '9pnet_virtio', '9p', 'overlay'] as const;

/**
 * Paths of the modules and of what they depend on, in the order to load them; `modulesDep` is the text of
 * modules.dep (modprobe's list: `path: dependency ...`, the deepest last). Built-in modules are not in it.
 */
export function loadOrder(modulesDep: string, names: readonly string[]): string[] {
  const lines = modulesDep.split('\n').map((line) => line.split(/:? +|:$/).filter((word) => word !== ''));
  const order = new Set<string>();
  for (const name of names) {
    const line = lines.find(([path]) => path !== undefined && moduleName(path) === name);
    if (line === undefined) throw new VmError(`the guest's kernel has no module ${name}`);
    for (const path of line.toReversed()) order.add(path);
  }
  return [...order];
}

function moduleName(path: string): string {
  return path
    .replace(/^.*\//, '')
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

/** Names in a Depends field that are tied to exactly this version: the parts of one kernel. */
export function partsOf(depends: string, version: string): string[] {
  const parts: string[] = [];
  for (const clause of depends.split(/, */)) {
    const found = /^(\S+) \(= (\S+)\)$/.exec(clause);
    if (found?.[1] !== undefined && found[2] === version) parts.push(found[1]);
  }
  return parts;
}

/** All packages of the newest kernel. */
async function resolveKernel(apt: Apt): Promise<DebianPackage[]> {
  const packages = new Map<string, DebianPackage>();
  let version: string | undefined;
  const queue: string[] = [newest];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (packages.has(name)) continue;
    const wanted = version === undefined ? name : `${name}=${version}`;
    const control = await apt.show(wanted);
    version ??= control['Version'];
    if (version === undefined) throw new VmError(`apt knows no package ${wanted} in ${backports}`);
    packages.set(name, { name, version, sha256: sumOf(control, wanted) });
    queue.push(...partsOf(control['Depends'] ?? '', version));
  }
  return [...packages.values()];
}

/** Unpacks the packages into `folder` and gives the release of the kernel in them. */
async function unpack(debs: readonly string[], folder: string): Promise<string> {
  await unpackDebs(debs, folder);
  const image = debs
    .map((deb) => /linux-modules-(\d[^_]*)_/.exec(deb)?.[1])
    .find((name) => name !== undefined);
  if (image === undefined) throw new VmError(`no linux-modules-RELEASE among the packages of ${newest}`);
  // depmod and modprobe have /lib/modules compiled in.
  await symlink('usr/lib', join(folder, 'lib'));
  await command(['depmod', '-b', folder, image], folder);
  return image;
}

const modulesPath = (release: string): string => join('usr', 'lib', 'modules', release);

/** Fetches Debian's newest kernel into the cache, unless it is there already, and makes it the one to boot. */
export function fetchKernel(progress: (line: string) => void): Promise<CachedKernel> {
  return withFileErrors(() => fetchNewest(progress));
}

async function fetchNewest(progress: (line: string) => void): Promise<CachedKernel> {
  const cache = await ownFolder(cacheFolder());
  const lock = lockCache(cache);
  try {
    await requireSpace(cache, 'a guest kernel', neededBytes);
    const apt = await Apt.open(join(cache, 'apt'), [backports], progress);
    const packages = await resolveKernel(apt);
    const version = packages[0]?.version ?? '';
    const folder = join(cache, 'guest', version);
    if (!(await isThere(join(folder, 'guest.json')))) {
      progress(`fetching ${newest} ${version}`);
      await install(apt, packages, version, folder);
    }
    await writeFile(join(cache, 'guest', 'current'), `${version}\n`);
    return await readKernel(folder);
  } finally {
    lock.release();
  }
}

async function install(
  apt: Apt,
  packages: readonly DebianPackage[],
  version: string,
  folder: string,
): Promise<void> {
  const debs = await apt.download(packages);
  await intoPlace(folder, async (partial) => {
    const release = await unpack(debs, partial);
    const modules = modulesPath(release);
    const dep = await readFile(join(partial, modules, 'modules.dep'), 'utf8');
    const used = ['vmlinuz', 'config', 'modules.dep', ...loadOrder(dep, bootModules)];
    const paths = used.map((name) => join(modules, name));
    await writeManifest<GuestKernel>(partial, 'guest.json', { version, release, packages }, paths);
  });
  await apt.clear();
}

/** Reads a kernel of the cache and checks the files that booting reads against its manifest. */
async function readKernel(folder: string): Promise<CachedKernel> {
  const kernel = await readManifest<GuestKernel>(folder, 'guest.json', "the guest's kernel");
  const modules = join(folder, modulesPath(kernel.release));
  return { kernel, folder, modules, vmlinuz: join(modules, 'vmlinuz') };
}

/** The kernel to boot: the cache's current one, or Debian's newest when the cache has none. Only then the network is used. */
export async function ensureKernel(progress: (line: string) => void): Promise<CachedKernel> {
  const cache = await ownFolder(cacheFolder());
  const version = await readFile(join(cache, 'guest', 'current'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
  if (version === undefined || !/^[\w.+~-]+$/.test(version)) return fetchKernel(progress);
  const folder = join(cache, 'guest', version);
  return (await isThere(folder)) ? readKernel(folder) : fetchKernel(progress);
}

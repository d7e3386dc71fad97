import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UsageError, VmError } from '../errors.js';
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
  /** Suite of Debian that it is from; not in those fetched before others than the newest could be. */
  readonly suite?: string;
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
    if (version === undefined) throw new VmError(`apt knows no package ${wanted} in the suite it reads`);
    packages.set(name, { name, version, sha256: sumOf(control, wanted) });
    queue.push(...partsOf(control['Depends'] ?? '', version));
  }
  return [...packages.values()];
}

/** Unpacks the packages into `folder` and gives the release of the kernel in them. */
async function unpack(debs: readonly string[], folder: string): Promise<string> {
  await unpackDebs(debs, folder);
  // Before 6.19 the modules are in the package of the image, and what boots is in /boot.
  const image = debs
    .map((deb) => /linux-(?:modules|image)-(\d[^_]*)_/.exec(deb)?.[1])
    .find((name) => name !== undefined);
  if (image === undefined) throw new VmError(`no linux-modules-RELEASE among the packages of ${newest}`);
  const modules = join(folder, modulesPath(image));
  if (await isThere(join(folder, 'lib'))) {
    await mkdir(dirname(dirname(modules)), { recursive: true });
    await rename(join(folder, 'lib', 'modules'), dirname(modules));
    await rm(join(folder, 'lib'), { recursive: true });
  }
  for (const name of ['vmlinuz', 'config']) {
    const inBoot = join(folder, 'boot', `${name}-${image}`);
    if (await isThere(inBoot)) await rename(inBoot, join(modules, name));
  }
  // depmod and modprobe have /lib/modules compiled in.
  await symlink('usr/lib', join(folder, 'lib'));
  await command(['depmod', '-b', folder, image], folder);
  return image;
}

const modulesPath = (release: string): string => join('usr', 'lib', 'modules', release);

/**
 * Fetches the newest kernel of a suite of Debian into the cache, unless it is there already. Without a suite it is
 * Debian's newest, and the one to boot from then on. Throws RequirementError, VmError, UsageError.
 */
export function fetchKernel(progress: (line: string) => void, suite?: string): Promise<CachedKernel> {
  if (suite !== undefined && !/^[a-z][a-z0-9.-]{0,63}$/.test(suite)) {
    throw new UsageError(`not the name of a Debian suite: ${suite}`, {
      hint: 'as trixie, bookworm-backports',
    });
  }
  return withFileErrors(() => fetchFrom(suite ?? backports, suite === undefined, progress));
}

async function fetchFrom(
  suite: string,
  makeCurrent: boolean,
  progress: (line: string) => void,
): Promise<CachedKernel> {
  const cache = await ownFolder(cacheFolder());
  const lock = lockCache(cache);
  try {
    await requireSpace(cache, 'a guest kernel', neededBytes);
    const apt = await Apt.open(join(cache, 'apt'), [suite], progress);
    const packages = await resolveKernel(apt);
    const version = packages[0]?.version ?? '';
    const folder = join(cache, 'guest', version);
    if (!(await isThere(join(folder, 'guest.json')))) {
      progress(`fetching ${newest} ${version}`);
      await install(apt, suite, packages, folder);
    }
    if (makeCurrent) await writeFile(join(cache, 'guest', 'current'), `${version}\n`);
    return await readKernel(folder);
  } finally {
    lock.release();
  }
}

async function install(
  apt: Apt,
  suite: string,
  packages: readonly DebianPackage[],
  folder: string,
): Promise<void> {
  const version = packages[0]?.version ?? '';
  const debs = await apt.download(packages);
  await intoPlace(folder, async (partial) => {
    const release = await unpack(debs, partial);
    const modules = modulesPath(release);
    const dep = await readFile(join(partial, modules, 'modules.dep'), 'utf8');
    const used = ['vmlinuz', 'config', 'modules.dep', ...loadOrder(dep, bootModules)];
    const paths = used.map((name) => join(modules, name));
    const content = { version, release, suite, packages };
    await writeManifest<GuestKernel>(partial, 'guest.json', content, paths);
  });
  await apt.clear();
}

/** Reads a kernel of the cache and checks the files that booting reads against its manifest. */
async function readKernel(folder: string): Promise<CachedKernel> {
  const kernel = await readManifest<GuestKernel>(folder, 'guest.json', "the guest's kernel");
  const modules = join(folder, modulesPath(kernel.release));
  return { kernel, folder, modules, vmlinuz: join(modules, 'vmlinuz') };
}

/**
 * The kernel to boot: that of the cache with this Debian version or release, else the cache's current one, or Debian's
 * newest when the cache has none; only then the network is used. Throws UsageError for one that the cache has not.
 */
export async function ensureKernel(progress: (line: string) => void, wanted?: string): Promise<CachedKernel> {
  if (wanted !== undefined) return cachedKernel(wanted);
  const cache = await ownFolder(cacheFolder());
  const version = await readFile(join(cache, 'guest', 'current'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
  if (version === undefined || !/^[\w.+~-]+$/.test(version)) return fetchKernel(progress);
  const folder = join(cache, 'guest', version);
  return (await isThere(folder)) ? readKernel(folder) : fetchKernel(progress);
}

async function cachedKernel(wanted: string): Promise<CachedKernel> {
  const guests = join(await ownFolder(cacheFolder()), 'guest');
  const known: string[] = [];
  for (const name of await readdir(guests).catch(() => [])) {
    const folder = join(guests, name);
    if (!(await isThere(join(folder, 'guest.json')))) continue;
    const found = await readKernel(folder);
    if (name === wanted || found.kernel.release === wanted) return found;
    known.push(found.kernel.release);
  }
  throw new UsageError(`the cache has no kernel ${wanted}`, {
    hint: `it has ${known.join(', ') || 'none'}; 'iaa-zswap vm fetch --suite SUITE' fetches another`,
  });
}

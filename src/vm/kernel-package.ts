import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  access,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isLabError, RequirementError, UsageError, VmError } from '../errors.js';
import { native } from '../native/load.js';
import { command } from './command.js';
import { cacheFolder, ownFolder, withFileErrors } from './folders.js';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Where Debian's newest kernel is. */
const newestSuite = 'trixie-backports';
/** The package that always depends on Debian's newest kernel of a suite. */
const newest = 'linux-image-amd64';
/** What one kernel takes while it is fetched and unpacked (7.3: 121 MB of packages, 130 MB of files), bytes. */
const neededBytes = 400e6;

/** One Debian package the guest's kernel comes from. */
export interface KernelPackage {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the .deb, from Debian's signed index. */
  readonly sha256: string;
}

/** guest.json of a kernel in the cache. */
export interface GuestKernel {
  readonly schemaVersion: 1;
  /** Debian's version, as `7.3.4-1~bpo13+1`. */
  readonly version: string;
  /** The kernel's own name, as `7.3.4+deb13-amd64` (uname -r). */
  readonly release: string;
  readonly packages: readonly KernelPackage[];
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

/** One paragraph of `apt-cache show`, by field. */
export function parseControl(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of text.split('\n')) {
    if (line === '') break;
    const found = /^([A-Za-z0-9-]+): (.*)$/.exec(line);
    if (found?.[1] !== undefined && found[2] !== undefined) fields[found[1]] = found[2];
  }
  return fields;
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

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

function mirror(): string {
  const url = process.env['IAA_ZSWAP_DEBIAN_MIRROR'] || 'http://deb.debian.org/debian';
  // It becomes a word of a sources.list line.
  if (!/^(https?|file):\/\/[^\s[\]]+$/.test(url)) {
    throw new UsageError(`IAA_ZSWAP_DEBIAN_MIRROR is not the address of a Debian mirror: ${url}`);
  }
  return url;
}

/** apt with lists, state and cache of its own: the machine's are neither read nor changed. Its proxies hold. */
class Apt {
  readonly folder: string;
  readonly suite: string;

  constructor(folder: string, suite: string) {
    this.folder = folder;
    this.suite = suite;
  }

  async prepare(): Promise<void> {
    const { folder, suite } = this;
    await mkdir(join(folder, 'lists', 'partial'), { recursive: true });
    await mkdir(join(folder, 'archives', 'partial'), { recursive: true });
    await writeFile(join(folder, 'status'), '');
    await writeFile(
      join(folder, 'sources.list'),
      `deb [arch=amd64 signed-by=${keyring}] ${mirror()} ${suite} main\n`,
    );
    const settings = {
      'Dir::State': folder,
      'Dir::State::lists': join(folder, 'lists'),
      'Dir::State::status': join(folder, 'status'),
      'Dir::Cache': folder,
      'Dir::Cache::archives': join(folder, 'archives'),
      'Dir::Etc::sourcelist': join(folder, 'sources.list'),
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::Etc::preferences': '/dev/null',
      'Dir::Etc::preferencesparts': '/dev/null',
      'Dir::Log': folder,
      'APT::Architecture': 'amd64',
      'APT::Architectures': 'amd64',
      // As root, apt would otherwise fetch as _apt, who cannot enter a folder in root's home.
      'APT::Sandbox::User': '',
      'APT::Update::Error-Mode': 'any',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '2',
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
    // The machine's hooks are about the machine's own lists.
    const hooks = ['Pre-Invoke', 'Post-Invoke', 'Post-Invoke-Success'];
    lines.push(...hooks.map((hook) => `#clear APT::Update::${hook};\n`), '#clear APT::Architectures;\n');
    await writeFile(join(folder, 'apt.conf'), lines.join(''));
  }

  run(program: 'apt-get' | 'apt-cache', ...args: string[]): Promise<string> {
    // -c is read after the machine's own configuration and so wins over it.
    return command(
      [program, '-q', '-c', join(this.folder, 'apt.conf'), ...args],
      join(this.folder, 'archives'),
    );
  }
}

/** All packages of the newest kernel. */
async function resolveKernel(apt: Apt): Promise<KernelPackage[]> {
  const packages = new Map<string, KernelPackage>();
  let version: string | undefined;
  const queue: string[] = [newest];
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    if (packages.has(name)) continue;
    const wanted = version === undefined ? name : `${name}=${version}`;
    const control = parseControl(await apt.run('apt-cache', '--no-all-versions', 'show', wanted));
    version ??= control['Version'];
    if (version === undefined || control['SHA256'] === undefined) {
      throw new VmError(`apt knows no package ${wanted} in ${apt.suite}`);
    }
    packages.set(name, { name, version, sha256: control['SHA256'] });
    queue.push(...partsOf(control['Depends'] ?? '', version));
  }
  return [...packages.values()];
}

/** Unpacks the packages into `folder` and gives the release of the kernel in them. */
async function unpack(debs: readonly string[], folder: string): Promise<string> {
  for (const deb of debs) await command(['dpkg-deb', '-x', deb, folder], folder);
  // Before 6.19 the modules are in the package of the image, and what boots is in /boot.
  const image = debs
    .map((deb) => /linux-(?:modules|image)-(\d[^_]*)_/.exec(deb)?.[1])
    .find((name) => name !== undefined);
  if (image === undefined) throw new VmError(`no linux-modules-RELEASE among the packages of ${newest}`);
  const modules = join(folder, modulesPath(image));
  if (await exists(join(folder, 'lib'))) {
    await mkdir(dirname(dirname(modules)), { recursive: true });
    await rename(join(folder, 'lib', 'modules'), dirname(modules));
    await rm(join(folder, 'lib'), { recursive: true });
  }
  for (const name of ['vmlinuz', 'config']) {
    const inBoot = join(folder, 'boot', `${name}-${image}`);
    if (await exists(inBoot)) await rename(inBoot, join(modules, name));
  }
  // depmod and modprobe have /lib/modules compiled in.
  await symlink('usr/lib', join(folder, 'lib'));
  await command(['depmod', '-b', folder, image], folder);
  return image;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function requireSpace(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= neededBytes) return;
  throw new RequirementError(
    `${folder} has ${Math.round((bavail * bsize) / 1e6)} MB free, a guest kernel needs ${neededBytes / 1e6} MB`,
    { hint: 'free some space, or set IAA_ZSWAP_CACHE to another folder' },
  );
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
  return withFileErrors(() => fetchFrom(suite ?? newestSuite, suite === undefined, progress));
}

async function fetchFrom(
  suite: string,
  makeCurrent: boolean,
  progress: (line: string) => void,
): Promise<CachedKernel> {
  const cache = await ownFolder(cacheFolder());
  await access(keyring).catch((cause: unknown) => {
    throw new RequirementError(`${keyring} is missing: Debian's packages cannot be verified`, {
      cause,
      hint: 'apt-get install debian-archive-keyring',
    });
  });
  const lock = native().tryLock(join(cache, 'lock'));
  if ('errno' in lock) {
    throw new VmError(`${cache}: another process is fetching a kernel (${lock.code})`, {
      hint: 'wait for it to end and try again',
    });
  }
  try {
    const apt = new Apt(join(cache, 'apt'), suite);
    await apt.prepare();
    await requireSpace(cache);
    progress(`looking for the newest kernel of ${suite} at ${mirror()}`);
    await fromNetwork(apt.run('apt-get', 'update'), suite);
    const packages = await resolveKernel(apt);
    const version = packages[0]?.version ?? '';
    const folder = join(cache, 'guest', version);
    if (!(await exists(join(folder, 'guest.json')))) {
      progress(`fetching ${newest} ${version}`);
      await install(apt, packages, version, folder);
    }
    if (makeCurrent) await writeFile(join(cache, 'guest', 'current'), `${version}\n`);
    return await readKernel(folder);
  } finally {
    lock.release();
  }
}

async function fromNetwork(answer: Promise<string>, suite: string): Promise<string> {
  return answer.catch((cause: unknown) => {
    const why = isLabError(cause) ? cause.message : String(cause);
    throw new RequirementError(`the guest's kernel cannot be fetched: ${why}`, {
      cause,
      hint: `check the network and its proxy, or set IAA_ZSWAP_DEBIAN_MIRROR to a mirror with ${suite}`,
    });
  });
}

async function install(
  apt: Apt,
  packages: readonly KernelPackage[],
  version: string,
  folder: string,
): Promise<void> {
  const archives = join(apt.folder, 'archives');
  await rm(archives, { recursive: true, force: true });
  await mkdir(join(archives, 'partial'), { recursive: true });
  const wanted = packages.map((one) => `${one.name}=${version}`);
  await fromNetwork(apt.run('apt-get', 'download', ...wanted), apt.suite);
  const debs: string[] = [];
  for (const { name, sha256: expected } of packages) {
    // apt writes the epoch's colon as %3a; a kernel's version has none.
    const deb = join(archives, `${name}_${version}_amd64.deb`);
    if ((await sha256(deb)) !== expected) throw new VmError(`${deb} is not what Debian's index says it is`);
    debs.push(deb);
  }
  await mkdir(dirname(folder), { recursive: true });
  // Unpacked beside its place and moved there whole, so that a folder with guest.json is complete.
  const partial = await mkdtemp(`${folder}.`);
  try {
    const release = await unpack(debs, partial);
    const modules = modulesPath(release);
    const dep = await readFile(join(partial, modules, 'modules.dep'), 'utf8');
    const used = ['vmlinuz', 'config', 'modules.dep', ...loadOrder(dep, bootModules)];
    const files: Record<string, string> = {};
    for (const name of used) files[join(modules, name)] = await sha256(join(partial, modules, name));
    const kernel: GuestKernel = { schemaVersion: 1, version, release, packages, files };
    await writeFile(join(partial, 'guest.json'), `${JSON.stringify(kernel, undefined, 2)}\n`);
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  await rm(archives, { recursive: true, force: true });
}

/** Reads a kernel of the cache and checks the files that booting reads against its manifest. */
async function readKernel(folder: string): Promise<CachedKernel> {
  const broken = (what: string, cause?: unknown): VmError =>
    new VmError(`${what}: the guest's kernel in the cache is damaged`, {
      cause,
      hint: `remove ${folder}; it is fetched again`,
    });
  let kernel: GuestKernel;
  try {
    kernel = JSON.parse(await readFile(join(folder, 'guest.json'), 'utf8')) as GuestKernel;
  } catch (cause) {
    throw broken(join(folder, 'guest.json'), cause);
  }
  if (kernel.schemaVersion !== 1) throw broken(join(folder, 'guest.json'));
  for (const [name, expected] of Object.entries(kernel.files)) {
    const file = join(folder, name);
    const found = await sha256(file).catch((cause: unknown) => {
      throw broken(file, cause);
    });
    if (found !== expected) throw broken(file);
  }
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
  return (await exists(folder)) ? readKernel(folder) : fetchKernel(progress);
}

async function cachedKernel(wanted: string): Promise<CachedKernel> {
  const guests = join(await ownFolder(cacheFolder()), 'guest');
  const known: string[] = [];
  for (const name of await readdir(guests).catch(() => [])) {
    const folder = join(guests, name);
    if (!(await exists(join(folder, 'guest.json')))) continue;
    const found = await readKernel(folder);
    if (name === wanted || found.kernel.release === wanted) return found;
    known.push(found.kernel.release);
  }
  throw new UsageError(`the cache has no kernel ${wanted}`, {
    hint: `it has ${known.join(', ') || 'none'}; 'iaa-zswap vm fetch --suite SUITE' fetches another`,
  });
}

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, mkdtemp, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isLabError, RequirementError, UsageError, VmError } from '../errors.js';
import { native } from '../native/load.js';
import type { NativeLock } from '../native/surface.js';
import { command } from './command.js';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** What is newest of Debian 13. */
export const backports = 'trixie-backports';

/** One Debian package of what is in the cache. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the .deb, from Debian's signed index. */
  readonly sha256: string;
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

/** Names and versions of the packages that `apt-get install --print-uris` would fetch, in its order. */
export function parseUris(text: string): { name: string; version: string }[] {
  const packages: { name: string; version: string }[] = [];
  for (const line of text.split('\n')) {
    const found = /^'\S+' ([a-z0-9][a-z0-9.+-]*)_(\S+)_[a-z0-9]+\.deb \d+ /.exec(line);
    if (found?.[1] === undefined || found[2] === undefined) continue;
    packages.push({ name: found[1], version: found[2].replaceAll('%3a', ':') });
  }
  return packages;
}

/** SHA-256 of a file, in hexadecimal digits. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** True when there is something at a path. */
export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function mirror(): string {
  const url = process.env['IAA_ZSWAP_DEBIAN_MIRROR'] || 'http://deb.debian.org/debian';
  // It becomes a word of a sources.list line.
  if (!/^(https?|file):\/\/[^\s[\]]+$/.test(url)) {
    throw new UsageError(`IAA_ZSWAP_DEBIAN_MIRROR is not the address of a Debian mirror: ${url}`);
  }
  return url;
}

/** Takes the cache's lock, for whoever fetches something into it. Throws VmError when another process has it. */
export function lockCache(cache: string): NativeLock {
  const lock = native().tryLock(join(cache, 'lock'));
  if (!('errno' in lock)) return lock;
  throw new VmError(`${cache}: another process is fetching into it (${lock.code})`, {
    hint: 'wait for it to end and try again',
  });
}

/** Throws RequirementError when a folder's disk has less room than that. */
export async function requireSpace(folder: string, what: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new RequirementError(
    `${folder} has ${Math.round((bavail * bsize) / 1e6)} MB free, ${what} needs ${bytes / 1e6} MB`,
    { hint: 'free some space, or set IAA_ZSWAP_CACHE to another folder' },
  );
}

/**
 * apt with lists, state and cache of its own: the machine's are neither read nor changed. Its proxies hold. To it no
 * package is installed.
 */
export class Apt {
  readonly #folder: string;
  readonly #archives: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#archives = join(folder, 'archives');
  }

  /** Sets it up in `folder` of the cache, over some suites of Debian, and reads their newest lists. */
  static async open(
    folder: string,
    suites: readonly string[],
    progress: (line: string) => void,
  ): Promise<Apt> {
    await access(keyring).catch((cause: unknown) => {
      throw new RequirementError(`${keyring} is missing: Debian's packages cannot be verified`, {
        cause,
        hint: 'apt-get install debian-archive-keyring',
      });
    });
    const apt = new Apt(folder);
    await apt.#prepare(suites);
    progress(`reading the lists of Debian's packages at ${mirror()}`);
    await fromNetwork(apt.run('apt-get', 'update'));
    return apt;
  }

  async #prepare(suites: readonly string[]): Promise<void> {
    const folder = this.#folder;
    await mkdir(join(folder, 'lists', 'partial'), { recursive: true });
    await mkdir(join(this.#archives, 'partial'), { recursive: true });
    await writeFile(join(folder, 'status'), '');
    const source = (suite: string) => `deb [arch=amd64 signed-by=${keyring}] ${mirror()} ${suite} main\n`;
    await writeFile(join(folder, 'sources.list'), suites.map(source).join(''));
    const settings = {
      'Dir::State': folder,
      'Dir::State::lists': join(folder, 'lists'),
      'Dir::State::status': join(folder, 'status'),
      'Dir::Cache': folder,
      'Dir::Cache::archives': this.#archives,
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
    return command([program, '-q', '-c', join(this.#folder, 'apt.conf'), ...args], this.#archives);
  }

  /** A package's fields in the index: of its newest version, or of the one in `NAME=VERSION`. */
  async show(wanted: string): Promise<Record<string, string>> {
    return parseControl(await this.run('apt-cache', '--no-all-versions', 'show', wanted));
  }

  /** The package and all that it depends on, from `suite` where that has it. */
  async closure(name: string, suite: string): Promise<DebianPackage[]> {
    const text = await this.run(
      'apt-get',
      ...['install', '--yes', '--no-install-recommends', '--print-uris', '-t', suite, name],
    );
    const wanted = parseUris(text);
    const names = wanted.map((one) => `${one.name}=${one.version}`);
    const shown = await this.run('apt-cache', '--no-all-versions', 'show', ...names);
    const controls = shown.split('\n\n').map(parseControl);
    return wanted.map(({ name: own, version }) => {
      const control = controls.find((one) => one['Package'] === own && one['Version'] === version);
      return { name: own, version, sha256: sumOf(control ?? {}, `${own}=${version}`) };
    });
  }

  /** Fetches packages and gives their files, each of which is what Debian's index says it is. */
  async download(packages: readonly DebianPackage[]): Promise<string[]> {
    await this.clear();
    await mkdir(join(this.#archives, 'partial'), { recursive: true });
    const wanted = packages.map((one) => `${one.name}=${one.version}`);
    await fromNetwork(this.run('apt-get', 'download', ...wanted));
    const debs: string[] = [];
    for (const { name, version, sha256: expected } of packages) {
      const base = join(this.#archives, `${name}_${version.replaceAll(':', '%3a')}`);
      const deb = (await isThere(`${base}_amd64.deb`)) ? `${base}_amd64.deb` : `${base}_all.deb`;
      if ((await sha256(deb)) !== expected) throw new VmError(`${deb} is not what Debian's index says it is`);
      debs.push(deb);
    }
    return debs;
  }

  /** Removes what was downloaded. */
  clear(): Promise<void> {
    return rm(this.#archives, { recursive: true, force: true });
  }
}

/** The SHA-256 of a package in the index; throws VmError when the index does not have the package. */
export function sumOf(control: Readonly<Record<string, string>>, name: string): string {
  const sum = control['SHA256'];
  if (sum === undefined) throw new VmError(`apt knows no package ${name} in the suites it reads`);
  return sum;
}

/** Unpacks packages into a folder. */
export async function unpackDebs(debs: readonly string[], folder: string): Promise<void> {
  for (const deb of debs) await command(['dpkg-deb', '-x', deb, folder], folder);
}

async function fromNetwork(answer: Promise<string>): Promise<string> {
  return answer.catch((cause: unknown) => {
    const why = isLabError(cause) ? cause.message : String(cause);
    throw new RequirementError(`Debian's packages cannot be fetched: ${why}`, {
      cause,
      hint: `check the network and its proxy, or set IAA_ZSWAP_DEBIAN_MIRROR to a mirror that has the suite`,
    });
  });
}

/** Makes a folder of the cache: filled beside its place and moved there whole, so that one that is there is complete. */
export async function intoPlace(folder: string, fill: (partial: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const partial = await mkdtemp(`${folder}.`);
  try {
    await fill(partial);
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** What a manifest in the cache says of the files beside it. */
export interface Manifest {
  readonly schemaVersion: 1;
  /** SHA-256 of the files that are used, by path below the manifest's folder. */
  readonly files: Readonly<Record<string, string>>;
}

/** Reads a manifest of the cache and checks the files that it names; throws VmError when one is another. */
export async function readManifest<T extends Manifest>(
  folder: string,
  name: string,
  what: string,
): Promise<T> {
  const broken = (file: string, cause?: unknown): VmError =>
    new VmError(`${file}: ${what} in the cache is damaged`, {
      cause,
      hint: `remove ${folder}; it is fetched again`,
    });
  let manifest: T;
  try {
    manifest = JSON.parse(await readFile(join(folder, name), 'utf8')) as T;
  } catch (cause) {
    throw broken(join(folder, name), cause);
  }
  if (manifest.schemaVersion !== 1) throw broken(join(folder, name));
  for (const [path, expected] of Object.entries(manifest.files)) {
    const file = join(folder, path);
    const found = await sha256(file).catch((cause: unknown) => {
      throw broken(file, cause);
    });
    if (found !== expected) throw broken(file);
  }
  return manifest;
}

/** Writes a manifest beside the files that it names, with their sums. */
export async function writeManifest<T extends Manifest>(
  folder: string,
  name: string,
  content: Omit<T, 'files' | 'schemaVersion'>,
  paths: readonly string[],
): Promise<void> {
  const files: Record<string, string> = {};
  for (const path of paths) files[path] = await sha256(join(folder, path));
  const manifest = { schemaVersion: 1, ...content, files };
  await writeFile(join(folder, name), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

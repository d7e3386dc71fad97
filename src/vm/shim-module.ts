import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { VmError } from '../errors.js';
import { packageRoot } from '../native/load.js';
import { command } from './command.js';
import { Apt, backports, type DebianPackage, isThere, lockCache, sumOf, unpackDebs } from './debian.js';
import { cacheFolder, ownFolder, withFileErrors } from './folders.js';
import type { CachedKernel } from './kernel-package.js';
import type { Runtime } from './qemu-package.js';

const moduleFile = 'iaa_shim.ko';

/**
 * The module that gives the guest's kernel MOVDIR64B (native/shim), built for exactly this kernel; from the cache when
 * it was built from the same sources before. Building takes the kernel's headers from Debian, and make and gcc.
 */
export function ensureShim(
  kernel: CachedKernel,
  runtime: Runtime | undefined,
  progress: (line: string) => void,
): Promise<string> {
  return withFileErrors(async () => {
    const sources = join(packageRoot(), 'native', 'shim');
    const hash = createHash('sha256');
    for (const name of (await readdir(sources)).sort()) hash.update(await readFile(join(sources, name)));
    const built = join(kernel.folder, `shim-${hash.digest('hex').slice(0, 16)}`, moduleFile);
    if (!(await isThere(built))) await build(kernel, runtime, sources, built, progress);
    return built;
  });
}

async function build(
  kernel: CachedKernel,
  runtime: Runtime | undefined,
  sources: string,
  built: string,
  progress: (line: string) => void,
): Promise<void> {
  const cache = await ownFolder(cacheFolder());
  const lock = lockCache(cache);
  const work = await mkdtemp(join(cache, 'shim.'));
  try {
    const { release, version, suite } = kernel.kernel;
    progress(`building the shim for ${release}`);
    const apt = await Apt.open(join(cache, 'apt'), [suite ?? backports], progress);
    await unpackDebs(await apt.download(await headerPackages(apt, release, version)), work);
    await apt.clear();
    if (runtime !== undefined) await wrapPrograms(work, runtime);
    const module = join(work, 'module');
    await cp(sources, module, { recursive: true });
    const headers = join(work, 'usr', 'src', `linux-headers-${release}`);
    const common = join(work, 'usr', 'src', `linux-headers-${release.replace(/-amd64$/, '-common')}`);
    await command(
      [
        'make',
        ...['-C', headers, '-f', join(common, 'Makefile'), `KBUILD_OUTPUT=${headers}`, `M=${module}`],
        // The machine's compiler may be older than the kernel's, which knows this option; pahole makes type
        // information that the module does not need.
        ...['CC=gcc', 'CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=', 'CONFIG_DEBUG_INFO_BTF_MODULES='],
        ...[`-j${availableParallelism()}`, 'modules'],
      ],
      work,
    );
    await command(['strip', '--strip-debug', join(module, moduleFile)], work);
    await mkdir(dirname(built), { recursive: true });
    await rename(join(module, moduleFile), built);
  } finally {
    await rm(work, { recursive: true, force: true });
    lock.release();
  }
}

/** The kernel's headers and build programs, of the kernel's own version. */
async function headerPackages(apt: Apt, release: string, version: string): Promise<DebianPackage[]> {
  const base = release.replace(/-amd64$/, '');
  const packages: DebianPackage[] = [];
  for (const name of [`linux-headers-${release}`, `linux-headers-${base}-common`, `linux-kbuild-${base}`]) {
    const control = await apt.show(`${name}=${version}`).catch((cause: unknown) => {
      throw new VmError(`Debian no longer has ${name} ${version}, the headers of the guest's kernel`, {
        cause,
        hint: "fetch its newest kernel with 'iaa-zswap vm fetch'",
      });
    });
    packages.push({ name, version, sha256: sumOf(control, `${name}=${version}`) });
  }
  return packages;
}

/** Has the build's own programs, which are for a newer Debian than the machine's, started by that one's loader. */
async function wrapPrograms(folder: string, { loader, libraries }: Runtime): Promise<void> {
  const files = await readdir(join(folder, 'usr', 'lib'), { recursive: true, withFileTypes: true });
  for (const entry of files) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !(await isExecutable(path))) continue;
    await rename(path, `${path}.elf`);
    const words = [loader, '--argv0', path, '--library-path', libraries, `${path}.elf`].map(quoted);
    const script = `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`;
    await writeFile(path, script);
    await chmod(path, 0o755);
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

async function isExecutable(path: string): Promise<boolean> {
  // ELF, type ET_EXEC or ET_DYN with an interpreter: all of a package's programs that are no scripts.
  const head = (await readFile(path)).subarray(0, 18);
  return (
    head.subarray(0, 4).toString('latin1') === '\x7fELF' && !path.endsWith('.so') && !path.endsWith('.o')
  );
}

// Builds all that the package needs: the addon and the helpers, the program, the two libraries and their types.
// A step whose inputs are the same as when it last ended well is left out.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { rollup } from 'rollup';
import { dts } from 'rollup-plugin-dts';
import { nodeGypEnvironment } from './node-gyp-environment.mjs';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

/** npm packages that may be executed at the start of the program, before the command is known. */
const eagerPackages = ['bindings', 'commander', 'file-uri-to-path'];

const stampsFile = 'build/stamps.json';
const stamps = existsSync(stampsFile) ? JSON.parse(readFileSync(stampsFile, 'utf8')) : {};

/** The files and all files in the folders, sorted. */
function filesOf(paths) {
  return paths
    .flatMap((path) =>
      statSync(path).isDirectory()
        ? readdirSync(path, { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile())
            .map((entry) => join(entry.parentPath, entry.name))
        : [path],
    )
    .sort();
}

/** Does `action` unless its outputs are there and the contents of `inputs` and `salt` are those of the last time. */
async function step(name, { inputs, salt = '', outputs }, action) {
  const hash = createHash('sha256').update(salt);
  for (const file of filesOf([...inputs, 'scripts/build.mjs', 'package-lock.json'])) {
    hash.update(`\0${file}\0`).update(readFileSync(file));
  }
  const key = hash.digest('hex');
  if (stamps[name] === key && outputs.every((output) => existsSync(output))) return;
  const start = performance.now();
  try {
    await action();
  } catch (error) {
    console.error(`build: ${name}: ${error.message}`);
    process.exit(1);
  }
  mkdirSync('build', { recursive: true });
  writeFileSync(stampsFile, `${JSON.stringify({ ...stamps, [name]: key }, undefined, 2)}\n`);
  stamps[name] = key;
  console.error(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

/** Runs one of our development tools; throws with all that it said when it fails. */
function tool(name, ...args) {
  const done = spawnSync(join('node_modules/.bin', name), args, {
    encoding: 'utf8',
    env: { ...process.env, ...nodeGypEnvironment() },
    maxBuffer: 1 << 28,
  });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${name} failed:\n${done.stdout}${done.stderr}`);
}

/** The commit of this checkout, `-dirty` when tracked files differ from it; `unknown` outside a checkout. */
function commit() {
  if (!existsSync('.git')) return 'unknown';
  const git = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'], {
    encoding: 'utf8',
    // No refreshed index is written: a build must not get into the way of a commit under way.
    env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' },
  });
  return git.status === 0 ? git.stdout.trim() : 'unknown';
}

/**
 * Throws when a library would be executed before the command is known: `import()` is what keeps it for
 * later, and one static import somewhere on the way undoes that without a sign.
 */
function assertLazy({ inputs }, entry) {
  const seen = new Map([[entry, undefined]]);
  for (const [file] of seen) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];
    if (name !== undefined && !eagerPackages.includes(name)) {
      const way = [];
      for (let at = file; at !== undefined; at = seen.get(at)) way.unshift(at);
      throw new Error(`the program would load ${name} at its start: ${way.join(' -> ')}`);
    }
    for (const next of inputs[file].imports) {
      if (next.kind !== 'dynamic-import' && !next.external && !seen.has(next.path)) seen.set(next.path, file);
    }
  }
}

await step(
  'native',
  {
    inputs: ['native', 'binding.gyp'],
    salt: process.version,
    outputs: ['iaa_zswap.node', 'usemem', 'madvise', 'launch', 'guest_init', 'iaa_device'].map(
      (name) => `build/Release/${name}`,
    ),
  },
  () => tool('node-gyp', 'configure', 'build', '--jobs', String(availableParallelism())),
);

const version = commit();
const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  define: { IAA_ZSWAP_COMMIT: JSON.stringify(version) },
  logLevel: 'warning',
};
const sources = ['src', 'tsconfig.json', 'package.json'];

await step('program', { inputs: sources, salt: version, outputs: ['dist/cli.js'] }, async () => {
  const { metafile } = await build({
    ...common,
    entryPoints: ['src/cli/main.ts'],
    outfile: 'dist/cli.js',
    metafile: true,
    // V8 reads the whole file before it starts: minified, `--help` takes a third less. The classes keep their names:
    // errors are told by them.
    minify: true,
    keepNames: true,
    // CommonJS libraries inside the bundle, and the addon, need a `require`.
    banner: {
      js: [
        '#!/usr/bin/env node',
        "import { createRequire as createBundleRequire } from 'node:module';",
        'const require = createBundleRequire(import.meta.url);',
      ].join('\n'),
    },
  });
  assertLazy(metafile, 'src/cli/main.ts');
  chmodSync('dist/cli.js', 0o755);
});

const libraries = { inputs: sources, salt: version, outputs: ['dist/index.js', 'dist/testing.js'] };
await step('libraries', libraries, async () => {
  rmSync('dist/chunks', { recursive: true, force: true });
  await build({
    ...common,
    entryPoints: { index: 'src/index.ts', testing: 'src/testing/index.ts' },
    outdir: 'dist',
    packages: 'external',
    // One copy of what both use: `instanceof` and the addon's state hold across the two.
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
  });
});

await step('types', { inputs: sources, outputs: ['dist/index.d.ts', 'dist/testing.d.ts'] }, async () => {
  tool('tsc', '-p', 'tsconfig.json');
  // One file for each library, with what it exports: what a user reads, and what a test compares.
  await rollUp('build/types/index.d.ts', 'dist/index.d.ts', /^[a-z@]/);
  // Types from elsewhere are those of the other library: a Host is the same in both.
  await rollUp('build/types/testing/index.d.ts', 'dist/testing.d.ts', /^\.\.\//, './index.js');
});

/** Joins a library's types into one file; modules that match `external` are imported, from `path` where it is given. */
async function rollUp(input, file, external, path) {
  const bundle = await rollup({ input, external, plugins: [dts()] });
  await bundle.write({ file, format: 'es', ...(path && { paths: () => path }) });
  await bundle.close();
}

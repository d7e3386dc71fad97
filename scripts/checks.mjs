// The checks on the sources, each `{ name, run }`; run() resolves with `{ ok, output }`.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nodeGypEnvironment } from './node-gyp-environment.mjs';

/** Runs a program to its end; resolves with whether it ended well, and with all that it said. */
export function run(argv, environment = {}) {
  return new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => resolve({ ok: false, output: `${argv[0]}: ${error.message}\n` }));
    child.on('close', (status) => resolve({ ok: status === 0, output }));
  });
}

function nativeFiles(endings) {
  return readdirSync('native', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export const textChecks = [
  {
    name: 'biome',
    run: () => run(['node_modules/.bin/biome', 'ci', '--colors=off', '--error-on-warnings', '.']),
  },
  {
    name: 'clang-format',
    run: () => run(['clang-format-19', '--dry-run', '-Werror', ...nativeFiles(/\.(cc|h)$/)]),
  },
];

/** The types of sources and tests; compiles the tests into build/test, even when a type is wrong. */
export const typeCheck = {
  name: 'types',
  run: () => run(['node_modules/.bin/tsc', '-p', 'tsconfig.test.json']),
};

/** A C++ file and those of our headers that it includes, directly or not. */
function withHeaders(file) {
  const found = new Set([file]);
  for (const part of found) {
    for (const [, name] of readFileSync(part, 'utf8').matchAll(/^#include "([^"]+)"/gm)) {
      const header = [join(dirname(part), name), join('native', name)].find((path) => existsSync(path));
      if (header !== undefined) found.add(header);
    }
  }
  return [...found].sort();
}

const cleanFile = 'build/tidy-clean.json';

/**
 * clang-tidy, one check per C++ file. A file that was clean and whose text, headers and configuration are still the
 * same is not read again; a fresh checkout has no such files.
 */
export async function tidyChecks() {
  // The exact flags of the build, from gyp itself. A file of no target gets those of its nearest neighbour.
  const database = await run(
    ['node_modules/.bin/node-gyp', 'configure', '--', '-f', 'compile_commands_json'],
    nodeGypEnvironment(),
  );
  if (!database.ok) throw new Error(`gyp gave no compilation database:\n${database.output}`);
  const clean = existsSync(cleanFile) ? JSON.parse(readFileSync(cleanFile, 'utf8')) : {};
  const configuration = readFileSync('.clang-tidy', 'utf8') + readFileSync('binding.gyp', 'utf8');
  return nativeFiles(/\.cc$/).map((file) => ({
    name: file,
    run: async () => {
      const hash = createHash('sha256').update(configuration);
      for (const part of withHeaders(file)) hash.update(`\0${part}\0`).update(readFileSync(part));
      const key = hash.digest('hex');
      if (clean[file] === key) return { ok: true, output: '' };
      const result = await run(['clang-tidy-19', '--quiet', '-p', 'build/Release', file]);
      if (result.ok) {
        clean[file] = key;
        writeFileSync(cleanFile, `${JSON.stringify(clean, undefined, 2)}\n`);
      }
      return result;
    },
  }));
}

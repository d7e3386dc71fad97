import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packageRoot } from '../../src/native/load.js';
import { unpackTree } from '../../src/testing/index.js';
import { iaaZswap } from '../support/program.js';

/**
 * What the documents show is true. Every command in a `console` block must exist with all its options. A block
 * `console on MACHINE` is run where the tree test/hosts/MACHINE.host lies in the folder MACHINE, and must print
 * exactly what the document shows (`node scripts/update-golden.mjs` writes that anew).
 */
interface Block {
  readonly document: string;
  /** Document and line. */
  readonly where: string;
  /** Tree it is run on. */
  readonly machine: string | undefined;
  readonly commands: readonly { readonly words: readonly string[]; readonly output: string }[];
}

const root = packageRoot();

function documents(): string[] {
  const below = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  const inDocs = below.filter((name) => name.endsWith('.md')).map((name) => join('docs', name));
  return ['README.md', 'CONTRIBUTING.md', ...inDocs.sort()];
}

function blocks(document: string): Block[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(/^```console(?: on (\S+))?\n(.*?)^```$/gms)].map((match) => {
    const [, machine, body = ''] = match;
    const line = text.slice(0, match.index).split('\n').length;
    const commands = body
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const end = part.indexOf('\n');
        // A trailing comment explains; it is not a word.
        const line = part.slice(0, end).replace(/\s+# .*$/, '');
        // What is in quotes is one word, as in a shell.
        const words = line.match(/'[^']*'|\S+/g) ?? [];
        return { words, output: part.slice(end + 1) };
      });
    return { document, where: `${document}:${line}`, machine, commands };
  });
}

const all = documents().flatMap(blocks);

/** Help of each command that a document uses, asked once. */
const helps = new Map<string, string>();
function help(...command: string[]): string {
  const key = command.join(' ');
  let text = helps.get(key);
  if (text === undefined) {
    const outcome = iaaZswap([...command, '--help']);
    assert.equal(outcome.code, 0, outcome.stderr);
    text = outcome.stdout;
    helps.set(key, text);
  }
  return text;
}

function checkProgram(words: readonly string[]): void {
  const end = words.indexOf('--');
  const ours = end === -1 ? words : words.slice(0, end);
  const named = ours.filter((word) => /^[a-z]+$/.test(word));
  const command = named[0] === 'vm' ? named.slice(0, 2) : named.slice(0, 1);
  const text = help() + help(...command);
  for (const word of ours) {
    if (word.startsWith('-')) assert.match(text, new RegExp(`(^|\\s)${word}\\b`), `${word} is no option`);
    if (/^experiments\//.test(word)) accessSync(join(root, word));
  }
}

const scriptsOfPackage = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as object;

function checkCommand(given: readonly string[]): void {
  const words = given.filter((word, index) => !(index === 0 && word === 'sudo') && !/^[A-Z_]+=/.test(word));
  const [program = '', ...rest] = words;
  if (/^(npx|iaa-zswap|dist\/cli\.js)$/.test(program)) {
    checkProgram(program === 'npx' ? rest.slice(1) : rest);
  } else if (program === 'scripts/vm') {
    checkProgram(['vm', ...rest]);
  } else if (program.startsWith('scripts/')) {
    accessSync(join(root, program), constants.X_OK);
    const text = readFileSync(join(root, 'scripts/run-tests.mjs'), 'utf8');
    // Options and names of stages, which are keys and strings there.
    for (const word of rest) assert.match(text, new RegExp(`\\b${word.replace(/^--/, '')}'?[:,]`), word);
  } else if (program === 'npm' && rest[0] === 'run') {
    assert.ok(Object.hasOwn(scriptsOfPackage, rest[1] ?? ''), rest[1]);
  } else if (program === 'node') {
    assert.ok(existsSync(join(root, rest.find((word) => !word.startsWith('-')) ?? '')), rest.join(' '));
  } else {
    assert.ok(['git', 'cd', 'npm', 'apt-get'].includes(program), `unknown program ${program}`);
  }
}

describe('commands in the documents', () => {
  it('are found', () => {
    assert.ok(all.some(({ where }) => where.startsWith('README.md:')));
  });

  for (const { where, commands } of all) {
    it(`${where} exist with their options`, () => {
      assert.notEqual(commands.length, 0);
      for (const { words } of commands) checkCommand(words);
    });
  }
});

describe('examples in the documents', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'iaa-zswap-docs-'));
    cpSync(join(root, 'experiments'), join(folder, 'experiments'), { recursive: true });
    for (const machine of new Set(all.flatMap((block) => block.machine ?? []))) {
      mkdirSync(join(folder, machine));
      unpackTree(readFileSync(join(root, 'test/hosts', `${machine}.host`), 'utf8'), join(folder, machine));
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const { document, where, machine, commands } of all) {
    if (machine === undefined) continue;
    it(`${where} print what is shown`, () => {
      for (const { words, output } of commands) {
        assert.equal(words[0], 'iaa-zswap');
        const argv = [join(root, 'dist/cli.js'), ...words.slice(1)];
        const { stdout, stderr } = spawnSync(process.execPath, argv, { cwd: folder, encoding: 'utf8' });
        if (process.env['UPDATE_GOLDEN'] === '1') {
          const file = join(root, document);
          const shown = `$ ${words.join(' ')}\n`;
          writeFileSync(
            file,
            readFileSync(file, 'utf8').replace(shown + output, () => shown + stdout),
          );
        } else {
          assert.equal(stdout, output, stderr);
        }
      }
    });
  }
});

/** Who may import whom: the rooms of docs/architecture.md, checked over import specifiers and #includes. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, test } from 'node:test';
import ts from 'typescript';
import { packageRoot } from '../../src/native/load.js';

const root = packageRoot();

function filesBelow(directory: string, ending: RegExp): string[] {
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

interface Import {
  /** A file of ours, as `src/host/path.ts`; else the specifier, as `node:fs`. */
  readonly target: string;
  /** Gone after compiling: `import type`. */
  readonly typeOnly: boolean;
}

interface Source {
  readonly imports: readonly Import[];
  readonly hasDefaultExport: boolean;
  readonly text: string;
}

function parse(file: string): Source {
  const text = readFileSync(join(root, file), 'utf8');
  const imports: Import[] = [];
  let hasDefaultExport = false;
  const add = (specifier: ts.Expression | undefined, typeOnly: boolean): void => {
    assert.ok(
      specifier !== undefined && ts.isStringLiteral(specifier),
      `${file}: an import that is computed`,
    );
    const target = specifier.text.startsWith('.')
      ? join(dirname(file), specifier.text).replace(/\.js$/, '.ts')
      : specifier.text;
    imports.push({ target, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    } else if (ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword) {
      hasDefaultExport ||= !ts.isDefaultClause(node);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return { imports, hasDefaultExport, text };
}

const sources = new Map(filesBelow('src', /\.ts$/).map((file) => [file, parse(file)]));

/** The room of a file of ours, as `kernel`; single files of src are rooms, as `errors`. */
function roomOf(file: string): string {
  return /^src\/([^/.]+)/.exec(file)?.[1] ?? '';
}

/**
 * What the files of a room may import: rooms, or single files of a room (`host/path`); after `types:` those of
 * which only types. Packages stand with the rooms.
 */
const mayImport: Readonly<
  Record<string, { readonly values: readonly string[]; readonly types?: readonly string[] }>
> = {
  errors: { values: [] },
  version: { values: [] },
  random: { values: [] },
  native: { values: ['errors', 'bindings'] },
  host: { values: ['errors', 'native', 'execa', 'model/model-host'] },
  kernel: {
    values: ['errors', 'host/codecs', 'host/path', 'host/outcome'],
    types: ['host', 'discover/inventory'],
  },
  discover: { values: ['errors', 'kernel', 'host/codecs', 'host/path'], types: ['host'] },
  doctor: { values: ['errors', 'host', 'kernel', 'discover', 'experiment', 'plan'] },
  plan: {
    values: ['errors', 'experiment', 'kernel', 'host/codecs', 'host/path'],
    types: ['host', 'discover/inventory'],
  },
  apply: { values: ['errors', 'host', 'kernel', 'native', 'plan'], types: [] },
  run: { values: ['errors', 'host', 'collect', 'apply'], types: [] },
  collect: {
    values: ['errors', 'experiment/cells', 'host', 'kernel'],
    types: ['apply', 'discover', 'experiment', 'plan'],
  },
  study: {
    values: [
      'errors',
      'experiment/cells',
      'experiment/workload',
      'host/path',
      'kernel',
      'run',
      'host/codecs',
    ],
    types: ['collect', 'discover', 'experiment'],
  },
  report: {
    values: ['study/aa', 'study/cells', 'study/compare', 'study/gate', 'study/projections'],
    types: ['study'],
  },
  experiment: {
    values: [
      'errors',
      'random',
      'version',
      'host',
      'native',
      'kernel',
      'discover',
      'plan',
      'apply',
      'run',
      'collect',
      'study',
      'report',
      'yaml',
      'zod',
    ],
  },
  testing: { values: ['errors', 'host'] },
  codec: { values: ['errors', 'native'] },
  estimate: { values: ['errors', 'random', 'codec', 'kernel/zsmalloc'] },
  model: {
    values: [
      'errors',
      'native',
      'host',
      'kernel',
      'discover',
      'experiment/fields',
      'experiment/page',
      'experiment/size',
      'zod',
    ],
    types: ['discover'],
  },
  vm: { values: ['errors', 'native', 'execa'] },
  index: {
    values: [
      'errors',
      'host',
      'discover',
      'doctor',
      'plan',
      'apply',
      'collect',
      'study',
      'report',
      'experiment',
      'codec',
    ],
  },
  cli: {
    values: [
      'errors',
      'version',
      'native',
      'host',
      'discover',
      'doctor',
      'kernel',
      'plan',
      'apply',
      'collect',
      'study',
      'report',
      'experiment',
      'estimate',
      'vm',
      'commander',
    ],
    types: ['kernel'],
  },
};

describe('rooms', () => {
  for (const [file, { imports }] of sources) {
    test(`${file} imports only what its room may`, () => {
      const room = roomOf(file);
      const rule = mayImport[room];
      assert.ok(rule !== undefined, `the room ${room} has no rule: add one`);
      for (const { target, typeOnly } of imports) {
        if (target.startsWith('node:') || roomOf(target) === room) continue;
        const names = target.startsWith('src/')
          ? [roomOf(target), target.slice('src/'.length, -'.ts'.length)]
          : [target];
        const allowed = [...rule.values, ...(typeOnly ? (rule.types ?? []) : [])];
        assert.ok(
          names.some((name) => allowed.includes(name)),
          `${typeOnly ? 'the types' : 'the values'} of ${target}`,
        );
      }
    });
  }

  test('the rules are for rooms that are there', () => {
    const rooms = new Set([...sources.keys()].map(roomOf));
    assert.deepEqual(
      Object.keys(mayImport).filter((room) => !rooms.has(room)),
      [],
    );
  });
});

/** All that runs when `file` is loaded, lazily too. */
function closureOf(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const { target, typeOnly } of sources.get(file)?.imports ?? []) {
    if (!typeOnly) closureOf(target, found);
  }
  return found;
}

test('plan, study and report are pure: no file, no process, no clock within reach', () => {
  for (const file of sources.keys()) {
    if (!['plan', 'study', 'report'].includes(roomOf(file))) continue;
    const impure = [...closureOf(file)].filter(
      (target) => target.startsWith('node:') || target === 'bindings',
    );
    assert.deepEqual(impure, [], file);
    assert.doesNotMatch(sources.get(file)?.text ?? '', /\b(?:Date|performance|process)\b\./, file);
  }
});

test('nobody but host and vm knows node:os, and host only its constants', () => {
  const users = [...sources].filter(([, { imports }]) => imports.some(({ target }) => target === 'node:os'));
  for (const [file, { text }] of users) {
    assert.ok(['host', 'vm', 'cli'].includes(roomOf(file)), file);
    if (roomOf(file) === 'host')
      assert.match(text, /^import (?:type )?\{ constants \} from 'node:os';$/m, file);
  }
});

test('kernel and discover read a machine through Host alone', () => {
  for (const [file, { imports }] of sources) {
    if (!['kernel', 'discover'].includes(roomOf(file))) continue;
    assert.deepEqual(
      imports.filter(({ target }) => target.startsWith('node:')),
      [],
      file,
    );
  }
});

test('the command line alone prints', () => {
  for (const [file, { text }] of sources) {
    if (['cli', 'vm'].includes(roomOf(file))) continue;
    assert.doesNotMatch(text, /\bconsole\.|process\.(?:stdout|stderr)/, file);
  }
});

test('no default exports', () => {
  assert.deepEqual(
    [...sources].filter(([, { hasDefaultExport }]) => hasDefaultExport).map(([file]) => file),
    [],
  );
});

test('no import cycles, of types neither', () => {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'open') cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
    if (state.has(file)) return;
    state.set(file, 'open');
    for (const { target } of sources.get(file)?.imports ?? []) visit(target, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of sources.keys()) visit(file, []);
  assert.deepEqual(cycles, []);
});

describe('C++', () => {
  const core = [
    'accfg',
    'codec',
    'common',
    'crew',
    'guest',
    'hostfs',
    'iax',
    'launch',
    'madvise',
    'model',
    'sampler',
    'usemem',
  ];
  const mayInclude: Readonly<Record<string, readonly string[]>> = {
    accfg: ['accfg'],
    common: ['common'],
    hostfs: ['hostfs', 'common'],
    sampler: ['sampler', 'hostfs', 'common'],
    crew: ['crew', 'common'],
    usemem: ['usemem', 'crew', 'common'],
    madvise: ['madvise', 'usemem', 'crew', 'common'],
    launch: ['launch', 'common'],
    guest: ['guest', 'common'],
    codec: ['codec'],
    iax: ['iax', 'codec', 'common'],
    model: ['model', 'codec', 'usemem'],
    napi: ['napi', 'accfg', 'codec', 'hostfs', 'model', 'sampler', 'common'],
    'addon.cc': ['napi', 'accfg', 'codec', 'hostfs', 'common'],
  };

  for (const file of filesBelow('native', /\.(?:cc|h)$/)) {
    const folder = file.split('/')[1] ?? '';
    // Tests include what they test.
    if (folder === 'test') continue;
    test(`${file} includes only what its folder may`, () => {
      const text = readFileSync(join(root, file), 'utf8');
      const allowed = mayInclude[folder];
      assert.ok(allowed !== undefined, `the folder ${folder} has no rule: add one`);
      for (const [, name = ''] of text.matchAll(/^\s*#\s*include "([^"]+)"/gm)) {
        assert.ok(allowed.includes(name.split('/')[0] ?? ''), name);
      }
      if (core.includes(folder)) assert.doesNotMatch(text, /#\s*include <(?:napi|node_api|node)\b/);
      if (folder === 'hostfs') assert.doesNotMatch(text, /\b(?:iaa_crypto|iax\d|idxd|zswap\/)/);
    });
  }
});

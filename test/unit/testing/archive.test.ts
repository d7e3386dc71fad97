import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { ParseError, UsageError } from '../../../src/errors.js';
import {
  formatArchive,
  hostTree,
  packTree,
  parseArchive,
  type TreeEntry,
  unpackTree,
} from '../../../src/testing/index.js';

const scratch = mkdtempSync(join(tmpdir(), 'iaa-zswap-archive-'));
after(() => rmSync(scratch, { recursive: true }));
let count = 0;
function freshDirectory(): string {
  const directory = join(scratch, String(count++));
  mkdirSync(directory);
  return directory;
}

const small = `host-archive 1
# a machine of three files
link /sys/class/link -> ../module/zswap
file 0644 /sys/module/zswap/parameters/enabled
|Y
file 0444 /sys/module/zswap/two\\x20words
|tab	and \\\\ and \\x1b
:no newline
dir 0755 /run/systemd/system
`;

test('a tree survives packing and unpacking', () => {
  const source = freshDirectory();
  mkdirSync(join(source, 'sys/module'), { recursive: true });
  mkdirSync(join(source, 'sys/empty'));
  writeFileSync(
    join(source, 'sys/module/odd \u00e4name'),
    Buffer.from([0, 0x1b, 0x0a, 0x5c, 0xff, 0x0a, 0x61]),
  );
  writeFileSync(join(source, 'sys/module/none'), '');
  chmodSync(join(source, 'sys/module/none'), 0o200);
  symlinkSync('../sys/module', join(source, 'sys/link'));
  const text = packTree(source);
  assert.match(text, /^[\t\n\x20-\x7e]*$/);
  const copy = freshDirectory();
  unpackTree(text, copy);
  assert.equal(packTree(copy), text);
  assert.equal(lstatSync(join(copy, 'sys/module/none')).mode & 0o777, 0o200);
  assert.equal(readlinkSync(join(copy, 'sys/link')), '../sys/module');
  assert.deepEqual(
    readFileSync(join(copy, 'sys/module/odd \u00e4name')),
    Buffer.from([0, 0x1b, 0x0a, 0x5c, 0xff, 0x0a, 0x61]),
  );
  assert.deepEqual(readdirSync(join(copy, 'sys/empty')), []);
});

test('only the asked paths are packed, and what is absent is passed over', () => {
  const source = freshDirectory();
  writeFileSync(join(source, 'a'), 'a\n');
  writeFileSync(join(source, 'b'), 'b\n');
  assert.equal(packTree(source, ['/b', '/c'], ['two']), 'host-archive 1\n# two\nfile 0644 /b\n|b\n');
});

test('the archive reads as written', () => {
  assert.deepEqual(
    parseArchive(small).map((entry) =>
      entry.kind === 'file' ? [entry.path, entry.content.toString()] : entry,
    ),
    [
      { kind: 'link', path: '/sys/class/link', target: '../module/zswap' },
      ['/sys/module/zswap/parameters/enabled', 'Y\n'],
      ['/sys/module/zswap/two words', 'tab\tand \\ and \u001b\nno newline'],
      { kind: 'dir', path: '/run/systemd/system', mode: 0o755 },
    ],
  );
});

test('any content and mode survive, and the text is the same each time', () => {
  const entry = fc.record({
    name: fc.stringMatching(/^[^\0/]{1,20}$/).filter((name) => name !== '.' && name !== '..'),
    mode: fc.integer({ min: 0, max: 0o777 }),
    content: fc.uint8Array({ maxLength: 200 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(entry, { selector: ({ name }) => name, maxLength: 8 }), (list) => {
      const entries = list.map(({ name, mode, content }): TreeEntry => {
        const path = `/${Buffer.from(name).toString()}`;
        return { kind: 'file', path, mode, content: Buffer.from(content) };
      });
      const text = formatArchive(entries);
      assert.equal(formatArchive(parseArchive(text)), text);
      assert.deepEqual(
        new Map(parseArchive(text).map((found) => [found.path, found])),
        new Map(entries.map((found) => [found.path, found])),
      );
    }),
  );
});

describe('a hostile archive is refused with its line, and nothing is made', () => {
  for (const [name, body, line] of [
    ['another version', undefined, 1],
    ['a path that climbs', 'file 0644 /sys/../../etc/passwd', 2],
    ['a path that climbs, escaped', 'file 0644 /sys/\\x2e\\x2e/x', 2],
    ['a relative path', 'file 0644 etc/passwd', 2],
    ['a double slash', 'file 0644 /sys//x', 2],
    ['the root itself', 'file 0644 /', 2],
    ['a NUL in a path', 'file 0644 /a\\x00b', 2],
    ['a path twice', 'file 0644 /a\n|x\ndir 0755 /a', 4],
    ['a path twice, once escaped', 'file 0644 /a\nfile 0644 /\\x61', 3],
    ['an absolute link', 'link /a -> /etc', 2],
    ['a link above the root', 'link /a/b -> ../../etc', 2],
    ['a link that turns back', 'link /a/b -> c/../../..', 2],
    ['an empty link', 'link /a -> ', 2],
    ['a file below a link', 'link /a -> b\nfile 0644 /a/x', 3],
    ['a file below a file', 'file 0644 /a/x\nfile 0644 /a', 2],
    ['a set-uid mode', 'file 4755 /a', 2],
    ['content without a file', '|x', 2],
    ['content of a link', 'link /a -> b\n|x', 3],
    ['content after its last line', 'file 0644 /a\n:x\n|y', 4],
    ['a raw escape byte', 'file 0644 /a\n|\u001b[2J', 3],
    ['a bidi override', 'file 0644 /a\n|\u202e', 3],
    ['an escape byte in a comment', '# \u001b[2J', 2],
    ['half an escape', 'file 0644 /a\n|\\x1', 3],
    ['an unknown entry', 'pipe 0644 /a', 2],
  ] as const) {
    test(name, () => {
      const directory = freshDirectory();
      assert.throws(
        () =>
          unpackTree(
            body === undefined ? 'host-archive 2\n' : `host-archive 1\n${body}\n`,
            directory,
            'x.host',
          ),
        (error) => error instanceof ParseError && error.path === 'x.host' && error.line === line,
      );
      assert.deepEqual(readdirSync(directory), []);
    });
  }

  test('an empty text', () => assert.throws(() => parseArchive(''), ParseError));
});

test('a directory that holds something is not unpacked into', () => {
  const directory = freshDirectory();
  writeFileSync(join(directory, 'mine'), '');
  assert.throws(() => unpackTree(small, directory), UsageError);
});

test('a host tree has its overrides and goes when disposed of', () => {
  let root: string;
  {
    using tree = hostTree(small, {
      '/sys/module/zswap/parameters/enabled': 'N\n',
      '/sys/module/zswap/parameters/new': '1\n',
      '/run': undefined,
    });
    root = tree.root;
    assert.equal(readFileSync(join(root, 'sys/module/zswap/parameters/enabled'), 'utf8'), 'N\n');
    assert.equal(readFileSync(join(root, 'sys/module/zswap/parameters/new'), 'utf8'), '1\n');
    assert.equal(existsSync(join(root, 'run')), false);
    assert.equal(existsSync(join(root, 'sys/module/zswap/two words')), true);
  }
  assert.equal(existsSync(root), false);
});

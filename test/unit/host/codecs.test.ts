import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodecError, type CodecName, chomp, codecs } from '../../../src/host/codecs.js';

/** Texts as the kernel writes them with their values, texts it never writes, and values with the text to write. */
const cases: {
  [Name in CodecName]: {
    reads: [string, ReturnType<(typeof codecs)[Name]['parse']>][];
    refuses: string[];
    writes: [Parameters<(typeof codecs)[Name]['format']>[0], string][];
  };
} = {
  yesNo: {
    reads: [
      ['Y\n', true],
      ['N\n', false],
      ['N', false],
    ],
    refuses: ['', '\n', 'y\n', '1\n', 'Y\n\n', ' Y\n', 'YN\n'],
    writes: [
      [true, 'Y'],
      [false, 'N'],
    ],
  },
  oneZero: {
    reads: [
      ['1\n', true],
      ['0\n', false],
    ],
    refuses: ['', '2\n', '01\n', 'Y\n', '-0\n'],
    writes: [
      [true, '1'],
      [false, '0'],
    ],
  },
  decimal: {
    reads: [
      ['0\n', 0n],
      ['-1\n', -1n],
      ['18446744073709551615\n', 18446744073709551615n],
    ],
    refuses: [
      '',
      '\n',
      '1 \n',
      '+1\n',
      '0x10\n',
      '1e3\n',
      '1.5\n',
      '184467440737095516150\n',
      'max\n',
      '--1\n',
    ],
    writes: [
      [18446744073709551615n, '18446744073709551615'],
      [-1n, '-1'],
    ],
  },
  hex: {
    reads: [
      ['0x0\n', 0n],
      ['0x800d0000\n', 0x800d0000n],
      ['0xFFFFFFFFFFFFFFFF\n', 0xffff_ffff_ffff_ffffn],
    ],
    refuses: ['', '0x\n', '10\n', '0xg\n', '0x10000000000000000\n', '-0x1\n'],
    writes: [[0x800d0000n, '0x800d0000']],
  },
  choice: {
    reads: [
      ['always [madvise] never\n', 'madvise'],
      ['[always] inherit madvise never\n', 'always'],
      ['always defer defer+madvise madvise [never]\n', 'never'],
      ['[only]', 'only'],
    ],
    refuses: ['', 'always madvise never\n', '[]\n', '[two words]\n', 'x[y]z\n', '[open\n'],
    writes: [['madvise', 'madvise']],
  },
  text: {
    reads: [
      ['lzo-rle\n', 'lzo-rle'],
      ['two words\n', 'two words'],
      ['\n', ''],
    ],
    refuses: [
      'two\nlines\n',
      'tab\t\n',
      'nul\0\n',
      'escape\u001b[31m\n',
      'not utf-8 \ufffd\n',
      'c1 \u009b\n',
    ],
    writes: [['lzo-rle', 'lzo-rle']],
  },
  limit: {
    reads: [
      ['max\n', 'max'],
      ['4096\n', 4096n],
    ],
    refuses: ['', 'Max\n', '4K\n', 'max 1\n'],
    writes: [
      ['max', 'max'],
      [4096n, '4096'],
    ],
  },
};

for (const [name, { reads, refuses, writes }] of Object.entries(cases)) {
  const codec = codecs[name as CodecName];
  test(`${name} reads what the kernel writes`, () => {
    for (const [text, value] of reads) assert.equal(codec.parse(text), value, JSON.stringify(text));
  });
  test(`${name} refuses what the kernel never writes`, () => {
    for (const text of refuses) assert.throws(() => codec.parse(text), CodecError, JSON.stringify(text));
  });
  test(`${name} writes without a newline`, () => {
    for (const [value, text] of writes)
      assert.equal((codec.format as (given: unknown) => string)(value), text);
  });
}

test('a CodecError says what was expected', () => {
  assert.throws(() => codecs.yesNo.parse('1'), { message: 'expected Y or N', expected: 'Y or N' });
});

test('chomp drops one newline at the end and nothing else', () => {
  assert.equal(chomp('a\n\n'), 'a\n');
  assert.equal(chomp('a'), 'a');
  assert.equal(chomp(' a \n'), ' a ');
});

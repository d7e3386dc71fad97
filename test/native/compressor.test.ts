import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { type Compressor, compressors, openCompressor } from '../../src/codec/compressor.js';
import { CompressionError, UsageError } from '../../src/errors.js';
import { native } from '../../src/native/load.js';

const pageBytes = 4096;
const text = readFileSync('package-lock.json');
const pages = Array.from({ length: 40 }, (_, index) =>
  index % 10 === 9
    ? new Uint8Array(createHash('shake256', { outputLength: pageBytes }).update(`${index}`).digest())
    : new Uint8Array(text.subarray(index * 500, index * 500 + pageBytes)),
);
const usable = compressors()
  .filter(({ absent }) => absent === undefined)
  .map(({ name }) => name);

/** All pages in one memory, each with room for its result and the way back. */
function layout(room: number) {
  const stride = 2 * pageBytes + room;
  const memory = new ArrayBuffer(stride * pages.length);
  for (const [index, page] of pages.entries()) new Uint8Array(memory).set(page, index * stride);
  const slots = pages.map((_, index) => ({
    from: index * stride,
    fromBytes: pageBytes,
    to: index * stride + pageBytes,
    toBytes: room,
  }));
  return { memory, slots, stride };
}

describe('compressors', () => {
  it('names all, our own always there, lzo-rle never', () => {
    const all = compressors();
    assert.deepEqual(
      all.map(({ name }) => name),
      ['deflate-iaa', 'deflate-iaa-dynamic', 'zstd', 'lz4', 'lzo', 'deflate', 'lzo-rle'],
    );
    assert.deepEqual(
      all.filter(({ library }) => library === undefined).map(({ absent }) => absent),
      [undefined, undefined, 'its format is in no library'],
    );
    for (const { absent } of all) assert.notEqual(absent, '');
  });

  it('refuses a name that is not known', () => {
    assert.throws(() => openCompressor('lzo-rle'), UsageError);
    assert.equal(native().openCompressor('xz'), 'there is no compressor of this name');
  });
});

for (const name of usable) {
  describe(name, () => {
    const compressor: Compressor = openCompressor(name);

    it('gives back what it was given', () => {
      for (const data of [...pages, new Uint8Array(1), new Uint8Array(text)]) {
        const { data: small } = compressor.compress(data);
        assert.ok(small.length > 0);
        assert.deepEqual(compressor.decompress(small).data, data);
        if (name.startsWith('deflate')) assert.deepEqual(new Uint8Array(inflateRawSync(small)), data);
      }
    });

    it('compresses a batch as it compresses single pages, on any number of threads', () => {
      const single = pages.map((page) => compressor.compress(page).data);
      for (const threads of [1, 2, 5]) {
        const { memory, slots, stride } = layout(2 * pageBytes);
        const sizes = compressor.compressBatch(memory, slots, threads);
        assert.deepEqual(
          [...sizes],
          single.map((data) => data.length),
        );
        for (const [index, { to }] of slots.entries()) {
          assert.deepEqual(new Uint8Array(memory, to, sizes[index]), single[index]);
        }
        const back = slots.map(({ to }, index) => ({
          from: to,
          fromBytes: sizes[index] ?? 0,
          to: index * stride + 3 * pageBytes,
          toBytes: pageBytes,
        }));
        const restored = compressor.decompressBatch(memory, back, threads);
        assert.deepEqual(new Set(restored), new Set([pageBytes]));
        for (const [index, { to }] of back.entries()) {
          assert.deepEqual(new Uint8Array(memory, to, pageBytes), pages[index]);
        }
      }
    });

    it('tells each page that does not fit, and does the others', () => {
      const { memory, slots } = layout(pageBytes);
      const limit = 2048;
      const outcomes = compressor.compressBatch(
        memory,
        slots.map((slot) => ({ ...slot, toBytes: limit })),
      );
      const tooLarge = name.startsWith('deflate-iaa') ? constants.errno.E2BIG : constants.errno.ENOSPC;
      for (const [index, page] of pages.entries()) {
        const { length } = compressor.compress(page).data;
        assert.equal(outcomes[index], length > limit ? -tooLarge : length);
      }
      assert.ok(outcomes.includes(-tooLarge));
    });

    it('refuses damaged data', () => {
      assert.throws(
        () => compressor.decompress(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        (error) => error instanceof CompressionError && error.errno === constants.errno.EINVAL,
      );
    });
  });
}

describe('a batch', () => {
  const compressor = openCompressor('deflate-iaa');
  const memory = new ArrayBuffer(3 * pageBytes);
  const good = { from: 0, fromBytes: pageBytes, to: pageBytes, toBytes: pageBytes };

  it('may be empty', () => {
    assert.deepEqual(compressor.compressBatch(memory, []), new Int32Array(0));
  });

  for (const [what, slot] of [
    ['is empty', { ...good, fromBytes: 0 }],
    ['begins outside the memory', { ...good, from: 4 * pageBytes }],
    ['ends outside the memory', { ...good, toBytes: 2 * pageBytes + 1 }],
    ['passes 4 GiB', { ...good, to: 0xffff_f000, toBytes: 0xffff_f000 }],
    ['overlaps itself', { ...good, to: pageBytes - 1 }],
  ] as const) {
    it(`refuses a slot that ${what}, before any work`, () => {
      const before = new Uint8Array(memory).slice();
      assert.throws(() => compressor.compressBatch(memory, [good, slot]), TypeError);
      assert.deepEqual(new Uint8Array(memory), before);
    });
  }

  it('refuses a number of threads that is none', () => {
    for (const threads of [0, 1.5, Number.NaN, 257]) {
      assert.throws(() => compressor.compressBatch(memory, [good], threads), TypeError);
    }
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RowDecoder } from '../../../src/collect/rows.js';
import { RecordError } from '../../../src/errors.js';

/** Rows as [tick, lateNs, readingNs, ...values]. */
function decoded(columns: number, ...parts: number[][]): (number | bigint | undefined)[][] {
  const decoder = new RowDecoder(columns);
  return parts.flatMap((bytes) =>
    [...rowsOf(decoder, bytes)].map(({ tick, lateNs, readingNs, values }) => [
      tick,
      lateNs,
      readingNs,
      ...values(columns),
    ]),
  );
}

/** Each row's values are read before the next row is asked for. */
function* rowsOf(decoder: RowDecoder, bytes: readonly number[]) {
  for (const row of decoder.decode(Uint8Array.from(bytes))) {
    const values = (columns: number) => Array.from({ length: columns }, (_, column) => row.value(column));
    const kept = new Map<number, (bigint | undefined)[]>();
    for (let columns = 0; columns < 4; columns += 1) kept.set(columns, values(columns));
    yield {
      tick: row.tick,
      lateNs: row.lateNs,
      readingNs: row.readingNs,
      values: (n: number) => kept.get(n) ?? [],
    };
  }
}

// The bytes are those of native/test/sampler_test.cc.
test('rows are differences to the row before', () => {
  assert.deepEqual(
    decoded(
      3,
      [1, 3, 172, 2, 2, 2, 128, 1, 4, 2, 1, 3, 172, 2, 0],
      [2, 3, 172, 2, 3, 2, 1, 2, 0, 3],
      [1, 3, 172, 2, 1, 2, 127],
    ),
    [
      [0, 3, 300, 64n, undefined, 1n],
      [1, 3, 300, 64n, undefined, 1n],
      [3, 3, 300, 63n, 0n, undefined],
      [4, 3, 300, 2n ** 64n - 1n, 0n, undefined],
    ],
  );
});

test('the longest differences are exact', () => {
  // zigzag(2^63) = 2^64 - 1: nine bytes of ones and a last one.
  const longest = [...Array(9).fill(0xff), 1];
  assert.deepEqual(decoded(1, [1, 0, 0, 1, 2, ...longest]), [[0, 0, 0, 2n ** 63n]]);
});

test('what are no rows is a record error', () => {
  const wrong: Record<string, number[]> = {
    'cut off': [1, 3],
    'cut off in a number': [0x80],
    'the same tick twice': [0, 0, 0, 0],
    'a column too many': [1, 0, 0, 1, 8, 2],
    'no step to the next column': [1, 0, 0, 1, 0, 2],
    'a number without end': [1, 0, 0, 1, 2, ...Array(11).fill(0xff)],
    'a late beyond a double': [1, ...Array(9).fill(0xff), 1, 0, 0],
  };
  for (const [name, bytes] of Object.entries(wrong)) {
    assert.throws(() => decoded(3, bytes), RecordError, name);
  }
});

test('any bytes are rows or a record error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decoded(3, [...bytes]);
      } catch (error) {
        assert.ok(error instanceof RecordError);
      }
    }),
  );
});

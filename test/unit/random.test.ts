import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random, splitmix64 } from '../../src/random.js';

describe('Random', () => {
  it('is xoshiro128**', () => {
    // Of the authors' own program from the state 1, 2, 3, 4, as the tests of the crate rand_xoshiro have them.
    const random = new Random([1, 2, 3, 4]);
    assert.deepEqual(
      Array.from({ length: 10 }, () => random.uint32()),
      [11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804],
    );
  });

  it('is seeded by splitmix64', () => {
    // From the same tests.
    assert.deepEqual(splitmix64(1477776061723855037n), [1985237415132408290n, 2979275885539914483n]);
    const [first, second] = splitmix64(7n);
    const [low, high] = [(word: bigint) => Number(word & 0xffffffffn), (word: bigint) => Number(word >> 32n)];
    const random = new Random([low(first), high(first), low(second), high(second)]);
    assert.equal(Random.seeded(7).uint32(), random.uint32());
  });

  it('gives the same for a seed, and other numbers for another', () => {
    const take = (seed: number): number[] => {
      const random = Random.seeded(seed);
      return Array.from({ length: 100 }, () => random.below(1000));
    };
    assert.deepEqual(take(1), take(1));
    assert.notDeepEqual(take(1), take(2));
    assert.notDeepEqual(take(-1), take(1));
  });

  it('draws each number below the end about as often', () => {
    const random = Random.seeded(1);
    const seen = new Uint32Array(7);
    for (let draw = 0; draw < 70_000; draw += 1) {
      const number = random.below(seen.length);
      seen[number] = (seen[number] ?? 0) + 1;
    }
    // Six degrees of freedom: 22.5 is passed once in a thousand seeds.
    const chi = seen.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    assert.ok(chi < 22.5, String(chi));
    assert.equal(Random.seeded(1).below(1), 0);
  });

  it('stays below 1 and below the end', () => {
    // The state whose first output is the largest: rotated by 7, five times the word is -1/9.
    const largest = (): Random => new Random([0, 0x831c71c7, 0, 0]);
    assert.equal(largest().uint32(), 2 ** 32 - 1);
    assert.ok(largest().unit() < 1);
    assert.equal(largest().below(10), 9);
    assert.equal(largest().below(2 ** 32), 2 ** 32 - 1);
  });
});

/**
 * Random numbers that are the same for the same seed, on every machine: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled
 * linear pseudorandom number generators", ACM TOMS 47(4), 2021; prng.di.unimi.it/xoshiro128starstar.c), whose words of 32
 * bits JavaScript multiplies exactly. Its state is filled from the seed by splitmix64, as its authors advise. Not for
 * secrets.
 */
export class Random {
  readonly #state: Uint32Array;

  /** From a state of four words of 32 bits, not all 0. */
  constructor(state: readonly [number, number, number, number]) {
    this.#state = Uint32Array.from(state);
  }

  /** From a whole number. */
  static seeded(seed: number): Random {
    const [low, high] = splitmix64(BigInt(seed));
    const word = (value: bigint, index: number) => Number(BigInt.asUintN(32, value >> BigInt(32 * index)));
    return new Random([word(low, 0), word(low, 1), word(high, 0), word(high, 1)]);
  }

  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state;
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const mixed = c ^ a;
    const turned = d ^ b;
    this.#state[0] = a ^ turned;
    this.#state[1] = b ^ mixed;
    this.#state[2] = mixed ^ (b << 9);
    this.#state[3] = rotate(turned, 11);
    return result;
  }

  /** A number from 0 to just below 1, in steps of 2^-32. */
  unit(): number {
    return this.uint32() * 2 ** -32;
  }

  /** A whole number below `end`, which is at most 2^32; the chance of each is 1/end to within 2^-32. */
  below(end: number): number {
    return Math.floor(this.unit() * end);
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** The first two outputs of splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
export function splitmix64(seed: bigint): [bigint, bigint] {
  const output = (count: bigint): bigint => {
    let z = BigInt.asUintN(64, seed + count * 0x9e3779b97f4a7c15n);
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
  return [output(1n), output(2n)];
}

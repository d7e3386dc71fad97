/** Reads the encoding of sampled rows (docs/series.md; native/sampler/row_encoder.h writes it). */
import { RecordError } from '../errors.js';

/** Why bytes are no rows; whoever knows where they are from adds that. */
function malformed(what: string): RecordError {
  return new RecordError(`not rows of counters: ${what}`, { hint: 'the series is damaged' });
}

/** One row; it is valid until the next one is asked for. */
export interface Row {
  /** Since the sampling's begin; those that are missing between two rows were missed or dropped. */
  readonly tick: number;
  /** From the tick to the begin of reading, ns. */
  readonly lateNs: number;
  /** How long the reading took, ns. */
  readonly readingNs: number;
  /** A column's value; undefined: the kernel did not say it at this time. */
  value(column: number): bigint | undefined;
}

/** Takes rows apart, each of which is a difference to the one before: give it all of a sampling, in order. */
export class RowDecoder {
  readonly #values: BigUint64Array;
  readonly #present: Uint8Array;
  #tick = -1;

  constructor(columns: number) {
    this.#values = new BigUint64Array(columns);
    this.#present = new Uint8Array(columns);
  }

  /** The rows that `bytes` hold. Throws RecordError where they are none. */
  *decode(bytes: Uint8Array): Generator<Row> {
    const values = this.#values;
    const present = this.#present;
    const value = (column: number): bigint | undefined =>
      present[column] === 1 ? values[column] : undefined;
    let at = 0;
    const byte = (): number => {
      const next = bytes[at];
      if (next === undefined) throw malformed('they end within a row');
      at += 1;
      return next;
    };
    // Nearly all numbers are small: a bigint is made of those only that are not.
    const number = (): number | bigint => {
      let low = 0;
      for (let shift = 0; shift < 49; shift += 7) {
        const next = byte();
        low += (next & 0x7f) * 2 ** shift;
        if (next < 0x80) return low;
      }
      let wide = BigInt(low);
      for (let shift = 49n; ; shift += 7n) {
        if (shift > 63n) throw malformed('a number is too long');
        const next = byte();
        wide |= BigInt(next & 0x7f) << shift;
        if (next < 0x80) return BigInt.asUintN(64, wide);
      }
    };
    const count = (): number => {
      const read = Number(number());
      if (!Number.isSafeInteger(read)) throw malformed('a number is too large');
      return read;
    };
    while (at < bytes.length) {
      const ticks = count();
      if (ticks === 0) throw malformed('two rows of one tick');
      const tick = this.#tick + ticks;
      const lateNs = count();
      const readingNs = count();
      let column = -1;
      for (let changes = count(); changes > 0; changes -= 1) {
        const step = count();
        column += Math.floor(step / 2);
        if (step < 2 || column >= values.length) throw malformed(`column ${column} of ${values.length}`);
        if (step % 2 === 1) {
          present[column] = 0;
          values[column] = 0n;
          continue;
        }
        const zigzag = number();
        present[column] = 1;
        // Stored modulo 2^64.
        values[column] = (values[column] as bigint) + unzigzag(zigzag);
      }
      this.#tick = tick;
      yield { tick, lateNs, readingNs, value };
    }
  }
}

function unzigzag(zigzag: number | bigint): bigint {
  if (typeof zigzag === 'bigint') return (zigzag >> 1n) ^ -(zigzag & 1n);
  return BigInt(zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2);
}

/**
 * How kernel attributes spell their values. The kernel often reads back another form than was written
 * (`1` -> `Y`; `always` -> `[always] inherit madvise never`), so values are compared through a codec.
 */

/** Thrown by a codec for text that the kernel would not have written; the caller knows the path. */
export class CodecError extends Error {
  readonly expected: string;
  constructor(expected: string) {
    super(`expected ${expected}`);
    this.name = 'CodecError';
    this.expected = expected;
  }
}

/** The two directions of one attribute form. `T` compares with ===. */
export interface Codec<T extends string | number | bigint | boolean> {
  /** The value in the text the kernel gave; throws CodecError. */
  parse(text: string): T;
  /** The text to write for a value, without newline. */
  format(value: T): string;
}

/** Drops the one newline that ends an attribute. */
export function chomp(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

function choiceOf(text: string): string {
  const found = /(?:^| )\[([\w+-]+)\](?: |$)/.exec(text);
  if (found?.[1] === undefined) throw new CodecError('one choice in [brackets]');
  return found[1];
}

const control = /[\u0000-\u001f\u007f-\u009f\ufffd]/;

function word(text: string): string {
  const value = chomp(text);
  if (control.test(value)) throw new CodecError('one line of plain text');
  return value;
}

/** `Y`/`N`: module parameters of type bool (kernel/params.c param_get_bool). */
export const yesNo: Codec<boolean> = {
  parse(text) {
    const value = chomp(text);
    if (value === 'Y') return true;
    if (value === 'N') return false;
    throw new CodecError('Y or N');
  },
  format: (value) => (value ? 'Y' : 'N'),
};

/** `1`/`0`: device and driver attributes of type bool, and most sysctl switches. */
export const oneZero: Codec<boolean> = {
  parse(text) {
    const value = chomp(text);
    if (value === '1') return true;
    if (value === '0') return false;
    throw new CodecError('1 or 0');
  },
  format: (value) => (value ? '1' : '0'),
};

/** A decimal number that may be negative and may pass 2^53. */
export const decimal: Codec<bigint> = {
  parse(text) {
    const value = chomp(text);
    if (!/^-?\d{1,20}$/.test(value)) throw new CodecError('a decimal number');
    return BigInt(value);
  },
  format: (value) => value.toString(),
};

/** A hexadecimal number with 0x, as cmd_status. */
export const hex: Codec<bigint> = {
  parse(text) {
    const value = chomp(text);
    if (!/^0x[0-9a-f]{1,16}$/i.test(value)) throw new CodecError('a hexadecimal number with 0x');
    return BigInt(value);
  },
  format: (value) => `0x${value.toString(16)}`,
};

/** `always [madvise] never`: the choice in brackets (mm/huge_memory.c). */
export const choice: Codec<string> = { parse: (text) => choiceOf(chomp(text)), format: (value) => value };

/** One line of text, as the zswap compressor's name. */
export const text: Codec<string> = { parse: word, format: (value) => value };

/** A byte count or `max`: the limits of memory cgroups (mm/page_counter.c); read in bytes. */
export const limit: Codec<bigint | 'max'> = {
  parse: (value) => (chomp(value) === 'max' ? 'max' : decimal.parse(value)),
  format: (value) => value.toString(),
};

/** The codecs a plan's step can name. */
export const codecs = { yesNo, oneZero, decimal, hex, choice, text, limit } as const;
export type CodecName = keyof typeof codecs;

/** The text an attribute gives after `value` was written to it, as far as its codec minds. */
export function shownAfter(codec: CodecName, value: string): string {
  return codec === 'choice' ? `[${value}]` : value;
}

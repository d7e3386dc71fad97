/** How the kernel reads what is written to it; each function is named after the kernel's own. */
import type { Errno } from './tree.js';
import type { KernelVariant } from './variant.js';

const limits = {
  int: { least: -(2n ** 31n), most: 2n ** 31n - 1n },
  uint: { least: 0n, most: 2n ** 32n - 1n },
  long: { least: -(2n ** 63n), most: 2n ** 63n - 1n },
  ulong: { least: 0n, most: 2n ** 64n - 1n },
} as const;

/**
 * A whole number and at most one newline (lib/kstrtox.c). `base` 0 takes 0x for hexadecimal and a leading 0 for
 * octal. EINVAL for other text, ERANGE beyond the type; a minus sign before an unsigned type is EINVAL.
 */
export function kstrto(type: keyof typeof limits, base: 0 | 10, text: string): bigint | Errno {
  const match = /^([+-]?)([0-9a-fx]+)\n?$/i.exec(text);
  if (match?.[2] === undefined) return 'EINVAL';
  const { least, most } = limits[type];
  const negative = match[1] === '-';
  if (negative && least === 0n) return 'EINVAL';
  const digits = digitsOf(match[2], base);
  if (digits === undefined) return 'EINVAL';
  const value = negative ? -BigInt(digits) : BigInt(digits);
  return value < least || value > most ? 'ERANGE' : value;
}

/** The digits in the form of a JavaScript literal. */
function digitsOf(text: string, base: 0 | 10): string | undefined {
  if (base === 0 && /^0x[0-9a-f]+$/i.test(text)) return text;
  if (base === 0 && /^0[0-7]+$/.test(text)) return `0o${text.slice(1)}`;
  return /^[0-9]+$/.test(text) && !(base === 0 && /^0[0-9]/.test(text)) ? text : undefined;
}

/**
 * A truth value by its first letter, `on` and `off` by two (lib/kstrtox.c); what follows does not matter. Kernels with
 * `boolTakesEnabled` take enabled and disabled, too.
 */
export function kstrtobool(
  text: string,
  { boolTakesEnabled }: Pick<KernelVariant, 'boolTakesEnabled'>,
): boolean | Errno {
  if (/^(?:[yYtT1]|[oO][nN])/.test(text)) return true;
  if (/^(?:[nNfF0]|[oO][fF])/.test(text)) return false;
  if (boolTakesEnabled && /^[eEdD]/.test(text)) return /^[eE]/.test(text);
  return 'EINVAL';
}

/** Whether the text is this word, with or without one newline (lib/string_helpers.c). */
export function sysfsStreq(text: string, word: string): boolean {
  return text === word || text === `${word}\n`;
}

const suffixes = 'KMGTPE';

/** A number of bytes with a suffix K to E (lib/cmdline.c memparse); `undefined` when anything else is there. */
export function memparse(text: string): bigint | undefined {
  // No digits at all are a 0 to it: a lone newline sets a limit to 0 (transcript of 7.3).
  if (text === '') return 0n;
  const match = /^(0x[0-9a-f]+|\d+)([KMGTPE]?)$/i.exec(text);
  if (match?.[1] === undefined) return undefined;
  const digits = digitsOf(match[1], 0);
  if (digits === undefined) return undefined;
  const power = suffixes.indexOf((match[2] ?? '').toUpperCase() || '-') + 1;
  return BigInt.asUintN(64, BigInt(digits) << BigInt(10 * power));
}

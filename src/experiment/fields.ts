/** Kinds of values that several parts of an experiment file have. */
import * as z from 'zod';
import { parseSize } from './size.js';

/** Largest byte count a plan writes: what still fits a signed 64-bit counter. */
const maxBytes = 2n ** 63n - 1n;
/** A size above 0, in bytes. */
export const sizeBytes = z
  .union([z.string(), z.number()], 'expected a size as 64M, 10g or a number of bytes')
  .transform((given, context) => {
    const bytes = parseSize(String(given));
    if (bytes === undefined || bytes === 0n || bytes > maxBytes) {
      context.addIssue({
        code: 'custom',
        message: 'expected a size as 64M, 10g or a number of bytes above 0',
      });
      return z.NEVER;
    }
    return bytes;
  });

/** A whole number. */
export const count = (smallest: number, largest: number) => z.int().min(smallest).max(largest);

export const distinct = <T>(values: readonly T[]): boolean => new Set(values).size === values.length;

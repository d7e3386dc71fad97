/** What the doctor says about one thing, for people and as plain JSON. */

/**
 * - `problem`: IAA or zswap cannot work so.
 * - `warning`: works, but slowly, wrongly or at a risk.
 * - `note`: worth knowing.
 * - `ok`: looked at, and as it should be.
 */
export type Severity = 'problem' | 'warning' | 'note' | 'ok';

export interface Diagnosis {
  /** Which check said it, as `cpu.movdir64b`; one check may say several things. */
  readonly check: string;
  readonly severity: Severity;
  /** Kernel path it is about. */
  readonly path: string;
  /** What was found. */
  readonly message: string;
  /** What follows from it. */
  readonly meaning: string;
  /** What to do about it; undefined when there is nothing to mend. */
  readonly mend: string | undefined;
}

/** A diagnosis without a mend. */
export function inOrder(check: string, path: string, message: string, meaning: string): Diagnosis {
  return { check, severity: 'ok', path, message, meaning, mend: undefined };
}

/** Names for a sentence: `a`, `a and b`, `a, b and c`. */
export function enumerate(names: readonly string[]): string {
  if (names.length < 2) return names.join('');
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

import assert from 'node:assert/strict';
import { ParseError } from '../../src/errors.js';

/** A check for assert.throws: a ParseError that names this path and line. */
export function parseErrorAt(path: string, line: number | undefined): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ParseError, String(error));
    assert.deepEqual([error.path, error.line], [path, line]);
    return true;
  };
}

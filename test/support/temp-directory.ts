import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A directory of the test's own, removed when the test is over. */
export function tempDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'iaa-zswap-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

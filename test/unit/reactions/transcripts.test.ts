import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { packageRoot } from '../../../src/native/load.js';
import { mockHost, parseArchive } from '../../../src/testing/index.js';
import { type Answer, performAll, type Step, type Transcript } from '../../support/transcript.js';

const directory = join(packageRoot(), 'test/transcripts');
const names = readdirSync(directory).flatMap((name) => /^(.*)\.json$/.exec(name)?.[1] ?? []);

/** What a tree can say: a file that is there and cannot be read, as cdev_minor of a WQ without one, is none in it. */
function asInTree(step: Step | undefined): Answer | undefined {
  const unreadable = step?.op === 'read' && ['ENXIO', 'EOPNOTSUPP'].includes(step.answer.errno ?? '');
  return unreadable ? { errno: 'ENOENT' } : step?.answer;
}

describe('the reactions answer as the kernel did', () => {
  assert.ok(names.length > 0);
  for (const name of names) {
    test(name, async () => {
      const file = (suffix: string): string => readFileSync(join(directory, name + suffix), 'utf8');
      const { steps } = JSON.parse(file('.json')) as Transcript;
      const host = mockHost(parseArchive(file('.host'), `${name}.host`));
      assert.ok(steps.length > 0);
      const answers = await performAll(host, steps);
      // All that differ at once, the kernel's answer first.
      const different = answers.flatMap((step, index) => {
        const kernel = asInTree(steps[index]);
        return JSON.stringify(step.answer) === JSON.stringify(kernel) ? [] : [{ ...step, kernel }];
      });
      assert.deepEqual(different, []);
    });
  }
});

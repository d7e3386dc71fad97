import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';
import { guestTest, output } from '../support/guest.js';
import type { Step, Transcript } from '../support/transcript.js';
import { asBooted, operations } from '../transcripts/operations.js';

guestTest('the kernel answers as its transcript says', async (guest, t) => {
  const { release } = guest.state.kernel;
  const name = /^\d+\.\d+/.exec(release)?.[0] ?? '';
  const file = join(packageRoot(), 'test/transcripts', `${name}.json`);
  if (!existsSync(file)) {
    t.skip(`there is no transcript of Linux ${release}: scripts/transcribe writes one`);
    return;
  }
  const { steps } = JSON.parse(readFileSync(file, 'utf8')) as Transcript;
  const asked = steps.map(({ answer: _, ...operation }) => operation);
  assert.deepEqual(
    asked,
    operations,
    'scripts/transcribe has not asked all of test/transcripts/operations.ts',
  );
  const program = join(packageRoot(), 'build/test/test/vm/programs/transcribe.js');
  try {
    const said = JSON.parse(await output(guest, process.execPath, program)) as { steps: Step[] };
    assert.deepEqual(said.steps, steps);
  } finally {
    for (const argv of asBooted) await output(guest, ...argv);
    await output(
      guest,
      'sh',
      '-c',
      'cd /sys/module/zswap/parameters && echo N >enabled && echo 90 >accept_threshold_percent',
    );
  }
});

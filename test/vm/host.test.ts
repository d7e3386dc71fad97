import assert from 'node:assert/strict';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';
import { guestTest } from '../support/guest.js';

const program = join(packageRoot(), 'build/test/test/vm/programs/host.js');

guestTest('the live host writes, launches and ends workloads on a real kernel', async (guest) => {
  const { exitCode, stdout, stderr } = await guest.run([process.execPath, program]);
  assert.equal(exitCode, 0, `after ${stdout.toString()}: ${stderr.toString()}`);
  assert.match(stdout.toString(), /^all$/m);
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Estimate } from '../../src/estimate/estimate.js';
import { packageRoot } from '../../src/native/load.js';
import { guestTest, output } from '../support/guest.js';

const program = join(packageRoot(), 'dist/cli.js');
const processes = join(packageRoot(), 'build/test/test/vm/programs/cgroup-pages.js');

guestTest(
  'estimate --cgroup gives what the codec makes of each page of the processes in it',
  async (guest) => {
    const group = '/sys/fs/cgroup/iaa-zswap-estimate-test';
    try {
      const direct = JSON.parse(await output(guest, process.execPath, processes, group)) as {
        pages: number;
        means: Record<string, number>;
      };
      assert.ok(direct.pages > 512);
      const estimate = JSON.parse(
        await output(
          guest,
          process.execPath,
          program,
          'estimate',
          '--json',
          '--cgroup',
          group,
          '--pages',
          '1000000',
        ),
      ) as Estimate;
      assert.equal(estimate.sampledPages, direct.pages);
      const means = estimate.compressors.flatMap(({ name, chargedBytesPerPage }) =>
        name in direct.means ? [[name, chargedBytesPerPage]] : [],
      );
      assert.deepEqual(Object.fromEntries(means), direct.means);
    } finally {
      const script =
        'echo 1 >"$1/cgroup.kill"; while grep -q "populated 1" "$1/cgroup.events"; do sleep 0.1; done; rmdir "$1/a" "$1/b/c" "$1/b" "$1"';
      await output(guest, '/bin/sh', '-c', script, 'sh', group);
    }
  },
);

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { packageRoot } from '../../src/native/load.js';
import { findGuest, type Guest } from '../../src/vm/index.js';
import { output } from '../support/guest.js';

const program = join(packageRoot(), 'dist/cli.js');
const tiny = join(packageRoot(), 'test/vm/programs/tiny.yaml');
const scope = '/sys/fs/cgroup/system.slice/iaa-zswap.scope';

/** A boot of its own: the guest of the other tests has no systemd in it. */
describe('on a machine that systemd manages', () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'systemd-')), 'guest');
  let guest: Guest;
  before(async () => {
    const started = spawnSync(
      program,
      ['vm', 'start', '--dir', folder, '--init', 'systemd', '--boot-limit', '300'],
      { encoding: 'utf8' },
    );
    assert.equal(started.status, 0, started.stderr);
    const found = await findGuest(folder);
    assert.ok(found);
    guest = found;
    // The agent answers before systemd has mounted what it manages.
    for (let tries = 0; (await guest.run(['test', '-d', '/run/systemd/system'])).exitCode !== 0; tries++) {
      assert.ok(tries < 120, 'systemd does not come up');
      await delay(500);
    }
  });
  after(() => {
    spawnSync(program, ['vm', 'stop', '--dir', folder]);
    rmSync(join(folder, '..'), { recursive: true });
  });

  const attributes = async () => {
    const { attributes, cgroup } = JSON.parse(await output(guest, program, 'status', '--json'));
    assert.equal(cgroup.systemd, true);
    // systemd changes the root of its tree as its own units come and go.
    return { ...attributes, '/sys/fs/cgroup/cgroup.subtree_control': undefined };
  };

  it('a run works in a delegated scope, which is gone afterwards', async () => {
    const before = await attributes();
    const { exitCode, stdout, stderr } = await guest.run([
      program,
      'run',
      '--yes',
      '--json',
      '--state',
      '/run/state',
      tiny,
    ]);
    assert.equal(exitCode, 0, stderr.toString());
    const [result] = JSON.parse(stdout.toString());
    assert.equal(result.cells.length, 4);
    const plan = JSON.parse(await output(guest, program, 'plan', '--json', tiny));
    assert.equal(plan.cgroup, `${scope}/workload`);
    assert.deepEqual(await attributes(), before);
    assert.notEqual((await guest.run(['test', '-e', scope])).exitCode, 0);
  });

  it('SIGKILL leaves the scope, and restore ends it', async () => {
    const before = await attributes();
    const script = `"$1" run --yes --state /run/state "$2" 2>/run/stderr & p=$!
      for i in $(seq 200); do grep -q running /run/stderr && break; sleep 0.1; done
      kill -KILL $p; wait $p; test -d ${scope}/workload`;
    assert.equal((await guest.run(['sh', '-c', script, 'sh', program, tiny])).exitCode, 0);
    assert.match(
      await output(guest, program, 'restore', '--state', '/run/state'),
      /iaa-zswap\.scope: removed[\s\S]*\nrestored\n$/,
    );
    assert.deepEqual(await attributes(), before);
    assert.equal(
      (await guest.run(['systemctl', 'is-active', 'iaa-zswap.scope'])).stdout.toString().trim(),
      'inactive',
    );
  });
});

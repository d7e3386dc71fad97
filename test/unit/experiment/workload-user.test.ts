import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RequirementError } from '../../../src/errors.js';
import {
  type InvokingUser,
  invokingUser,
  programArgv,
  refuseWorkloads,
} from '../../../src/experiment/workload-user.js';
import { helperPath } from '../../../src/native/load.js';
import type { WorkloadTask } from '../../../src/plan/workload-task.js';
import { MemoryHost } from '../../support/memory-host.js';

/** A host whose `launch --check` knows some users, and denies them some paths. */
function hostWith(users: readonly string[], denied: Readonly<Record<string, string>> = {}): MemoryHost {
  const host = new MemoryHost({});
  host.onExec = (argv) => {
    assert.deepEqual(argv.slice(0, 2), [helperPath('launch'), '--check']);
    const end = argv.indexOf('--');
    const user = argv[2] === '--user' ? argv[3] : undefined;
    if (user !== undefined && !users.includes(user)) {
      const [syscall, code] = user.includes(':') ? ['group', 'EPERM'] : ['getpwuid', 'ENOENT'];
      return { exitCode: 0, stdout: JSON.stringify({ failure: { errno: 1, code, syscall } }), stderr: '' };
    }
    const refused = argv
      .slice(end + 1)
      .flatMap((wish, index) => (wish in denied ? [{ index, code: denied[wish] }] : []));
    const name = `user-${user}`;
    return { exitCode: 0, stdout: JSON.stringify({ user: { name, uid: 1 }, denied: refused }), stderr: '' };
  };
  return host;
}

const isRoot = process.geteuid?.() === 0;
const root = { key: '0', name: 'root' };

describe('who runs a workload under sudo', { skip: isRoot ? false : 'only root can choose' }, () => {
  const cases: [string, Record<string, string>, readonly string[], Partial<InvokingUser>][] = [
    ['nobody called sudo', {}, [], { ...root, notice: undefined }],
    ['root called sudo', { SUDO_UID: '0', SUDO_GID: '0' }, [], { ...root, notice: undefined }],
    ['a user', { SUDO_UID: '1000', SUDO_GID: '1000' }, ['1000:1000'], { key: '1000:1000' }],
    ['a user, without a group', { SUDO_UID: '1000' }, ['1000'], { key: '1000' }],
    ["a group that is not the user's", { SUDO_UID: '1000', SUDO_GID: '0' }, ['1000'], { key: '1000' }],
    ['a group that is none', { SUDO_UID: '1000', SUDO_GID: '-1' }, ['1000'], { key: '1000' }],
    ['a number that is no user', { SUDO_UID: '4711' }, ['1000'], root],
    ['words', { SUDO_UID: 'alice' }, ['alice'], root],
    ['an option', { SUDO_UID: '--hold' }, [], root],
  ];
  for (const [what, environment, users, expected] of cases) {
    it(`as the environment says: ${what}`, async () => {
      const user = await invokingUser(hostWith(users), environment);
      assert.equal(user.key, expected.key);
      if (environment['SUDO_UID'] !== undefined && environment['SUDO_UID'] !== '0' && expected === root)
        assert.match(user.notice ?? '', /^SUDO_UID .*is no user.*: the workload runs as root$/);
      else assert.equal(user.notice, undefined);
    });
  }
});

describe('what a workload needs', () => {
  const task: WorkloadTask = {
    kind: 'build',
    setup: [],
    argv: ['/usr/bin/make'],
    cleanup: [],
    directory: undefined,
    user: undefined,
    needs: [
      { path: '/src', mode: 'rx', what: 'workload.build.source' },
      { path: '/out', mode: 'wx', what: 'workload.build.directory' },
    ],
    footprint: undefined,
    bind: undefined,
    sleepSeconds: 0,
  };
  const alice: InvokingUser = { key: '1000', name: 'alice', notice: undefined };
  const messageOf = async (host: MemoryHost, tasks: readonly WorkloadTask[]): Promise<string[]> => {
    const error = await refuseWorkloads(host, tasks, alice).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    assert.ok(error instanceof RequirementError, String(error));
    assert.equal(error.exitCode, 3);
    return error.message.split('\n');
  };

  it('is asked of the user who will run it', async () => {
    await refuseWorkloads(hostWith(['1000']), [task, task], alice);
    await refuseWorkloads(hostWith(['bob']), [{ ...task, user: 'bob' }], alice);
  });

  it('is told whole when it is not there', async () => {
    const host = hostWith(['1000'], { 'rx:/src': 'ENOENT', 'wx:/out': 'EACCES' });
    assert.deepEqual(await messageOf(host, [task, task]), [
      'workload.build.source: user user-1000 cannot read /src: ENOENT',
      'workload.build.directory: user user-1000 cannot write to /out: EACCES',
    ]);
    assert.deepEqual(await messageOf(hostWith(['1000']), [{ ...task, user: '4711' }]), [
      'workload.user: 4711: ENOENT from getpwuid',
    ]);
  });

  it("holds for this package's own programs, too", async () => {
    const own = { ...task, argv: ['usemem', '-O', '1m'], needs: [] };
    assert.deepEqual(programArgv(own.argv), [helperPath('usemem'), '-O', '1m']);
    const host = hostWith(['1000'], { [`x:${helperPath('usemem')}`]: 'EACCES' });
    assert.deepEqual(await messageOf(host, [own]), [
      `the workload: user user-1000 cannot use ${helperPath('usemem')}: EACCES`,
    ]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type FileStatus, findUntrusted } from '../../../src/cli/trust.js';

interface Node {
  readonly uid?: number;
  readonly gid?: number;
  readonly mode?: number;
  readonly link?: string;
}

/** A file system of the given nodes; `/` is root's. */
function untrusted(path: string, nodes: Record<string, Node>, uids: readonly number[] = [0]): string[] {
  const all: Record<string, Node> = { '/': {}, ...nodes };
  const lstat = (at: string): FileStatus | undefined => {
    const node = all[at];
    return node === undefined
      ? undefined
      : {
          mode: node.link === undefined ? (node.mode ?? 0o755) : 0o120777,
          uid: node.uid ?? 0,
          gid: node.gid ?? 0,
          isSymbolicLink: () => node.link !== undefined,
        };
  };
  const readlink = (at: string): string => all[at]?.link ?? assert.fail(`${at} is no link`);
  return findUntrusted([path], { uids: new Set(uids), lstat, readlink }).map(
    ({ path: at, reason, mend }) => `${at} ${reason}: ${mend}`,
  );
}

describe('findUntrusted', () => {
  const safe = { '/opt': {}, '/opt/app': {}, '/opt/app/cli.js': { mode: 0o100644 } };

  it('finds nothing where only root can write', () => {
    assert.deepEqual(untrusted('/opt/app/cli.js', safe), []);
  });

  it('names a file that everybody can write', () => {
    assert.deepEqual(untrusted('/opt/app/cli.js', { ...safe, '/opt/app/cli.js': { mode: 0o100646 } }), [
      '/opt/app/cli.js is writable by everybody: chmod go-w /opt/app/cli.js',
    ]);
  });

  it('names a folder above the file that a group can write', () => {
    assert.deepEqual(untrusted('/opt/app/cli.js', { ...safe, '/opt': { mode: 0o775, gid: 50 } }), [
      '/opt is writable by group 50: chmod go-w /opt',
    ]);
  });

  it("lets root's group write", () => {
    assert.deepEqual(untrusted('/opt/app/cli.js', { ...safe, '/opt': { mode: 0o775, gid: 0 } }), []);
  });

  it('names the root folder itself', () => {
    assert.deepEqual(untrusted('/opt/app/cli.js', { ...safe, '/': { mode: 0o777 } }), [
      '/ is writable by everybody: chmod go-w /',
    ]);
  });

  it('names a strange owner, and lets the user who called sudo own files', () => {
    const mine = { ...safe, '/opt/app': { uid: 1000 } };
    assert.deepEqual(untrusted('/opt/app/cli.js', mine), [
      '/opt/app belongs to user 1000: chown -h root /opt/app',
    ]);
    assert.deepEqual(untrusted('/opt/app/cli.js', mine, [0, 1000]), []);
  });

  it('passes through a sticky folder of root, but not for what is not ours in it', () => {
    const shared = { '/tmp': { mode: 0o1777 }, '/tmp/app': {}, '/tmp/app/cli.js': {} };
    assert.deepEqual(untrusted('/tmp/app/cli.js', shared), []);
    assert.deepEqual(untrusted('/tmp/app/cli.js', { ...shared, '/tmp/app': { uid: 1000 } }), [
      '/tmp/app belongs to user 1000: chown -h root /tmp/app',
    ]);
    assert.deepEqual(untrusted('/tmp/app/cli.js', { ...shared, '/tmp': { mode: 0o1777, uid: 7 } }), [
      '/tmp belongs to user 7: chown -h root /tmp',
    ]);
  });

  it('does not let the end of a path be sticky and open: names can be added there', () => {
    assert.deepEqual(untrusted('/opt/app', { '/opt': {}, '/opt/app': { mode: 0o1777 } }), [
      '/opt/app is writable by everybody: chmod go-w /opt/app',
    ]);
  });

  it('follows links, absolute and relative, and checks both ways', () => {
    const linked = {
      ...safe,
      '/bin': {},
      '/bin/app': { link: '../opt/current/cli.js' },
      '/opt/current': { link: '/opt/app' },
    };
    assert.deepEqual(untrusted('/bin/app', linked), []);
    assert.deepEqual(untrusted('/bin/app', { ...linked, '/bin': { mode: 0o777 } }), [
      '/bin is writable by everybody: chmod go-w /bin',
    ]);
    assert.deepEqual(untrusted('/bin/app', { ...linked, '/opt/app': { mode: 0o777 } }), [
      '/opt/app is writable by everybody: chmod go-w /opt/app',
    ]);
    assert.deepEqual(untrusted('/bin/app', { ...linked, '/opt/current': { link: '/opt/app', uid: 1000 } }), [
      '/opt/current belongs to user 1000: chown -h root /opt/current',
    ]);
  });

  it('takes .. after a link from where the link leads, as the kernel does', () => {
    const nodes = {
      '/a': { link: '/opt/app/deep' },
      '/b': { link: 'a/../cli.js' },
      '/opt': {},
      '/opt/app': {},
      '/opt/app/deep': {},
      '/opt/app/cli.js': { mode: 0o666 },
      '/cli.js': {},
    };
    assert.deepEqual(untrusted('/b', nodes), [
      '/opt/app/cli.js is writable by everybody: chmod go-w /opt/app/cli.js',
    ]);
  });

  it('ends on a link to itself and on a path that is not there', () => {
    assert.deepEqual(untrusted('/loop', { '/loop': { link: '/loop' } }), []);
    assert.deepEqual(untrusted('/opt/app/gone/cli.js', safe), []);
  });

  it('quotes the path in the command that mends', () => {
    assert.deepEqual(untrusted("/my 'app", { "/my 'app": { mode: 0o666 } }), [
      "/my 'app is writable by everybody: chmod go-w '/my '\\''app'",
    ]);
  });
});

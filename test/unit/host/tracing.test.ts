import assert from 'node:assert/strict';
import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openHost } from '../../../src/host/open.js';
import { hostPath } from '../../../src/host/path.js';
import { tracing } from '../../../src/host/tracing.js';
import { packageVersion } from '../../../src/native/load.js';
import { startChild } from '../../support/child.js';
import { MemoryHost } from '../../support/memory-host.js';
import { tempDirectory } from '../../support/temp-directory.js';

const x = hostPath('/sys/x');
const y = hostPath('/sys/y');
const none = hostPath('/sys/none');
const group = hostPath('/sys/g');
const plain = { redact: false };

function linesOf(file: string): Record<string, unknown>[] {
  const text = readFileSync(file, 'utf8');
  assert.match(text, /\n$/);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The lines without their times. */
function eventsOf(file: string): object[] {
  return linesOf(file)
    .slice(1)
    .map(({ seq: _seq, ns: _ns, tookNs: _tookNs, ...event }) => event);
}

function launchable(): MemoryHost {
  const inner = new MemoryHost({ '/sys/x': '1\n', '/sys/y': '2\n' });
  inner.links.set('/sys/link', '../x');
  inner.onExec = () => ({ exitCode: 3, stdout: 'µ', stderr: '' });
  inner.onLaunch = () => ({
    exit: Promise.resolve({
      exitCode: undefined,
      signal: 'SIGKILL',
      elapsedNs: 1n,
      userUs: 2n,
      systemUs: 3n,
      maxRssKiB: 4,
    }),
    kill: () => {},
  });
  return inner;
}

test('every operation is a line, in the order of the answers', async (t) => {
  const file = join(tempDirectory(t), 'trace');
  const inner = launchable();
  const host = await tracing(inner, file, plain);
  assert.deepEqual([host.name, host.root, host.writable], [inner.name, inner.root, inner.writable]);
  assert.deepEqual(await host.read([x, y]), ['1\n', '2\n']);
  assert.deepEqual(await host.tryRead([none]), [undefined]);
  await host.write(x, 'new');
  inner.failNext('write', y, 'EBUSY');
  await assert.rejects(host.write(y, 'busy'), { errnoCode: 'EBUSY' });
  assert.deepEqual(await host.list(hostPath('/sys')), await inner.list(hostPath('/sys')));
  assert.equal(await host.list(none), undefined);
  assert.equal(await host.readlink(hostPath('/sys/link')), '../x');
  await host.mkdir(group);
  await host.rmdir(group);
  assert.equal((await host.exec(['dmesg', '-t'])).exitCode, 3);
  const running = host.launch({ argv: ['/bin/work'], stdoutFile: '/o', stderrFile: '/e' }, group);
  assert.equal((await running.exit).signal, 'SIGKILL');
  await host.close();
  await host.close();

  assert.deepEqual(linesOf(file)[0], {
    schemaVersion: 1,
    kind: 'trace',
    host: inner.name,
    root: inner.root,
    tool: packageVersion(),
    redacted: false,
  });
  assert.deepEqual(eventsOf(file), [
    { op: 'read', path: '/sys/x', text: '1\n' },
    { op: 'read', path: '/sys/y', text: '2\n' },
    { op: 'read', path: '/sys/none', error: { errno: 2, code: 'ENOENT', syscall: 'openat2' } },
    { op: 'write', path: '/sys/x', text: 'new' },
    { op: 'write', path: '/sys/y', text: 'busy', error: { errno: 16, code: 'EBUSY', syscall: 'write' } },
    { op: 'list', path: '/sys', names: await inner.list(hostPath('/sys')) },
    { op: 'list', path: '/sys/none', names: null },
    { op: 'readlink', path: '/sys/link', target: '../x' },
    { op: 'mkdir', path: '/sys/g' },
    { op: 'rmdir', path: '/sys/g' },
    { op: 'exec', argv: ['dmesg', '-t'], exitCode: 3, stdoutBytes: 2, stderrBytes: 0 },
    { op: 'launch', argv: ['/bin/work'], cgroup: '/sys/g', signal: 'SIGKILL' },
  ]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('lines are numbered and carry the host’s own time', async (t) => {
  const file = join(tempDirectory(t), 'trace');
  const inner = new MemoryHost({ '/sys/x': '1\n' });
  inner.nowNs = 1000n;
  inner.react('/sys/x', (text, host) => {
    host.nowNs += 30n;
    return text;
  });
  const host = await tracing(inner, file, plain);
  inner.nowNs = 1500n;
  await host.read([x]);
  await host.write(x, '2');
  await host.close();
  assert.deepEqual(
    linesOf(file).map(({ seq, ns, tookNs }) => [seq, ns, tookNs]),
    [
      [undefined, undefined, undefined],
      [1, 500, 0],
      [2, 500, 30],
    ],
  );
});

test('what failed to run is traced with its reason', async (t) => {
  const file = join(tempDirectory(t), 'trace');
  const inner = new MemoryHost({});
  const host = await tracing(inner, file, plain);
  await assert.rejects(host.exec(['nonesuch']), { code: 'ERR_COMMAND' });
  assert.throws(() => host.launch({ argv: ['/w'], stdoutFile: '/o', stderrFile: '/e' }, group));
  inner.onLaunch = () => ({ exit: Promise.reject(new Error('not started')), kill: () => {} });
  await assert.rejects(host.launch({ argv: ['/w'], stdoutFile: '/o', stderrFile: '/e' }, group).exit);
  await host.close();
  const [exec, refused, rejected] = eventsOf(file) as { op: string; failure: string }[];
  assert.match(exec?.failure ?? '', /nonesuch/);
  assert.equal(refused?.op, 'launch');
  assert.equal(rejected?.failure, 'not started');
});

test('a write in flight is traced as such', async (t) => {
  const file = join(tempDirectory(t), 'trace');
  const inner = new MemoryHost({ '/sys/x': '1\n' });
  const host = await tracing(inner, file, plain);
  const release = inner.hangNext('/sys/x');
  await assert.rejects(host.write(x, '2', { timeLimitMs: 5 }), { inFlight: true });
  release();
  await host.settled();
  await host.close();
  const [event] = eventsOf(file) as { error: { code: string; inFlight: boolean } }[];
  assert.deepEqual([event?.error.code, event?.error.inFlight], ['ETIMEDOUT', true]);
});

test('a trace takes the place of no file and follows no link', async (t) => {
  const directory = tempDirectory(t);
  const taken = join(directory, 'taken');
  const link = join(directory, 'link');
  writeFileSync(taken, 'precious');
  symlinkSync(join(directory, 'elsewhere'), link);
  for (const file of [taken, link, join(directory, 'none/trace')]) {
    await assert.rejects(tracing(new MemoryHost({}), file, plain), { code: 'ERR_USAGE', exitCode: 2 });
  }
  assert.equal(readFileSync(taken, 'utf8'), 'precious');
});

test('a trace that cannot grow any more lets the work go on and says so at the end', async (t) => {
  const directory = tempDirectory(t);
  const code = `
    process.on('SIGXFSZ', () => {}); // else the limit kills
    const built = ${JSON.stringify(import.meta.url)};
    (async () => {
      const { tracing } = await import(new URL('../../../src/host/tracing.js', built));
      const { MemoryHost } = await import(new URL('../../support/memory-host.js', built));
      const host = await tracing(new MemoryHost({ '/sys/x': 'x'.repeat(600) }), 'trace', { redact: false });
      await host.read(['/sys/x']);
      await host.read(['/sys/x']);
      await host.write('/sys/x', '2');
      await host.close().catch((error) => console.log(error.code, error.message));
    })();`;
  const { output, code: exitCode } = await startChild(code, 'ulimit -f 1; exec', directory).ended;
  assert.equal(output, 'ERR_RECORD the trace trace ends after line 2: EFBIG: file too large, write\n');
  assert.equal(exitCode, 0);
});

test('a trace is a root that answers as the host did', async (t) => {
  const directory = tempDirectory(t);
  const file = join(directory, 'trace');
  const inner = launchable();
  const first = await tracing(inner, file, plain);
  inner.failNext('read', '/sys/denied', 'EACCES');
  await first.probe([x, y, none, hostPath('/sys/denied')]);
  await first.write(x, 'new');
  await first.read([x]);
  await first.list(hostPath('/sys'));
  await first.list(none);
  await first.readlink(hostPath('/sys/link'));
  await first.close();

  const host = await openHost(`root:${file}`, { writable: true, trace: join(directory, 'again') });
  assert.equal(host.writable, false);
  assert.deepEqual(await host.tryRead([x, y, none]), [
    await inner.read([x]).then(([text]) => text),
    '2\n',
    undefined,
  ]);
  await assert.rejects(host.tryRead([hostPath('/sys/denied')]), { errnoCode: 'EACCES', hint: 'run as root' });
  assert.deepEqual(await host.tryRead([hostPath('/sys/never/seen')]), [undefined]);
  assert.deepEqual(await host.list(hostPath('/sys')), await inner.list(hostPath('/sys')));
  assert.equal(await host.list(none), undefined);
  assert.equal(await host.list(hostPath('/sys/never')), undefined);
  assert.equal(await host.readlink(hostPath('/sys/link')), '../x');
  assert.equal(await host.readlink(x), undefined);
  await assert.rejects(host.write(x, '1'), { errnoCode: 'EROFS' });
  await assert.rejects(host.mkdir(group), { errnoCode: 'EROFS' });
  await assert.rejects(host.rmdir(group), { errnoCode: 'EROFS' });
  await assert.rejects(host.exec(['true']), { code: 'ERR_COMMAND' });
  await host.close();
  await assert.rejects(host.read([x]), { errnoCode: 'EBADF' });

  // And what is traced from a trace is a root again.
  const again = await openHost(`root:${join(directory, 'again')}`, { writable: false });
  assert.deepEqual(await again.tryRead([y]), ['2\n']);
  await again.close();
});

test('the live machine can be traced', async (t) => {
  const file = join(tempDirectory(t), 'trace');
  const host = await openHost('live', { writable: false, trace: file, redact: true });
  const [boot] = await host.read([hostPath('/proc/sys/kernel/random/boot_id')]);
  await host.close();
  const trace = await openHost(`root:${file}`, { writable: false });
  const [shown] = await trace.read([hostPath('/proc/sys/kernel/random/boot_id')]);
  assert.notEqual(shown, boot);
  assert.match(shown ?? '', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/);
  assert.ok(!readFileSync(file, 'utf8').includes(boot?.trim() ?? ''));
  await trace.close();
});

test('a file that is no trace is an error with its line', async (t) => {
  const directory = tempDirectory(t);
  const header = '{"schemaVersion":1,"kind":"trace","host":"live","root":"/","tool":"0","redacted":false}\n';
  const cases: [string, number, RegExp][] = [
    ['', 1, /empty, not a trace/],
    ['\u007fELF\n', 1, /not a line of JSON/],
    ['[]\n', 1, /not a trace of iaa-zswap/],
    ['7\n', 1, /not a JSON object/],
    ['{"kind":"manifest"}\n', 1, /not a trace of iaa-zswap/],
    ['{"kind":"trace","schemaVersion":2}\n', 1, /version 2, while this program reads version 1/],
    [`${header}\n`, 2, /not a line of JSON/],
    [`${header}{"op":"exec"}\n{"op":"read","path":"/x","text":"1"}\n{"op":"read"`, 4, /not a line of JSON/],
    [`${header}{}\n`, 2, /no "op"/],
    [`${header}{"op":"read","text":"1"}\n`, 2, /"path" must be an absolute path/],
    [`${header}{"op":"list","path":"x","names":[]}\n`, 2, /"path" must be an absolute path/],
    [`${header}{"op":"read","path":"/x"}\n`, 2, /a read has "text" or "error"/],
    [`${header}{"op":"read","path":"/x","text":7}\n`, 2, /a read has "text" or "error"/],
    [`${header}{"op":"read","path":"/x","error":{"code":"EIO"}}\n`, 2, /"error" must have/],
    [`${header}{"op":"read","path":"/x","error":null}\n`, 2, /"error" must have/],
    [`${header}{"op":"list","path":"/x","names":[1]}\n`, 2, /a list has "names" or "error"/],
    [`${header}{"op":"list","path":"/x"}\n`, 2, /a list has "names" or "error"/],
    [`${header}{"op":"readlink","path":"/x","target":1}\n`, 2, /a readlink has "target" or "error"/],
  ];
  for (const [index, [text, line, message]] of cases.entries()) {
    const file = join(directory, String(index));
    writeFileSync(file, text);
    await assert.rejects(
      openHost(`root:${file}`, { writable: false }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'ERR_RECORD');
        assert.ok(error.message.startsWith(`${file}:${line}: `), error.message);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

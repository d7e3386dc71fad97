import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { prelude, startChild } from '../support/child.js';
import { holdLease } from '../support/lease.js';
import { tempDirectory } from '../support/temp-directory.js';

/** Code that a process is at when it ends, and what it ends with. DIRECTORY holds a file `value`. */
const stages: { name: string; code: string; exit?: number }[] = [
  { name: 'after loading', code: '' },
  { name: 'with a root open', code: "addon.openHostRoot('/', false);" },
  {
    name: 'at process.exit with a root open',
    code: "addon.openHostRoot('/', false); process.exit(3);",
    exit: 3,
  },
  {
    name: 'at process.exit during reads',
    code: `const root = addon.openHostRoot('/', false);
      for (let i = 0; i < 50; i += 1) root.readMany(Array(100).fill('/proc/self/maps'));
      process.exit(3);`,
    exit: 3,
  },
  {
    name: 'at process.exit during writes',
    code: `const root = addon.openHostRoot(process.cwd(), true);
      for (let i = 0; i < 500; i += 1) root.write('/value', Buffer.from(String(i)));
      process.exit(3);`,
    exit: 3,
  },
  {
    name: 'by itself after its reads and writes',
    code: `const root = addon.openHostRoot(process.cwd(), true);
      let done = 0;
      for (let i = 0; i < 50; i += 1) {
        root.write('/value', Buffer.from(String(i))).then(() => (done += 1));
        root.readMany(['/value']).then(() => (done += 1));
      }
      process.on('exit', () => console.log('done', done));`,
  },
  {
    name: 'by itself with an idle writer',
    code: `addon.openHostRoot(process.cwd(), true).write('/value', Buffer.from('1'));`,
  },
  {
    name: 'by an uncaught exception during writes',
    code: `const root = addon.openHostRoot(process.cwd(), true);
      root.write('/value', Buffer.from('1')).then(() => { throw new Error('on purpose'); });
      root.write('/value', Buffer.from('2'));`,
    exit: 1,
  },
  {
    name: 'from a beforeExit that opens and writes',
    code: `process.once('beforeExit', () => addon.openHostRoot(process.cwd(), true).mkdir('/made'));`,
  },
  {
    name: 'from an exit handler that opens, reads and writes',
    code: `process.on('exit', () => {
        const root = addon.openHostRoot(process.cwd(), true);
        root.readMany(['/value']);
        root.write('/value', Buffer.from('1'));
      });`,
  },
  {
    name: 'with a sampler running',
    code: "addon.openHostRoot('/', false).sample(['/proc/vmstat'], ['flat'], 1e6, 1 << 20);",
  },
  {
    name: 'at process.exit with samplers running',
    code: `for (let i = 0; i < 10; i += 1)
        addon.openHostRoot('/', false).sample(['/proc/vmstat'], ['flat'], 1e6 + i, 1 << 20).take();
      setTimeout(() => process.exit(3), 50);`,
    exit: 3,
  },
  {
    name: 'with a lock held',
    code: "if ('errno' in addon.tryLock(process.cwd() + '/lock')) process.exit(1);",
  },
  {
    name: 'with everything closed while it is under way',
    code: `for (let i = 0; i < 20; i += 1) {
        const root = addon.openHostRoot(process.cwd(), true);
        root.readMany(['/value']);
        root.write('/value', Buffer.from('1'));
        root.close();
      }`,
  },
];

for (const { name, code, exit = 0 } of stages) {
  test(`a process ends well ${name}`, async (t) => {
    const directory = tempDirectory(t);
    writeFileSync(join(directory, 'value'), '');
    const { code: exitCode, signal, output } = await startChild(code, 'exec', directory).ended;
    assert.deepEqual({ exitCode, signal }, { exitCode: exit, signal: null }, output);
    if (name === 'by itself after its reads and writes') assert.match(output, /^done 100$/m);
  });
}

/** What a worker thread is at when it ends. */
const workerStages: Record<string, string> = {
  'returns with a root open': "addon.openHostRoot('/', false);",
  'returns with reads and writes under way': `
    const root = addon.openHostRoot(workerData, true);
    for (let i = 0; i < 20; i += 1) { root.readMany(['/value']); root.write('/value', Buffer.from('1')); }`,
  'exits during reads and writes': `
    const root = addon.openHostRoot(workerData, true);
    for (let i = 0; i < 20; i += 1) { root.readMany(['/value']); root.write('/value', Buffer.from('1')); }
    process.exit(0);`,
  'returns with a sampler running': `
    addon.openHostRoot('/', false).sample(['/proc/vmstat'], ['flat'], 1e6, 1 << 20);`,
  'returns with a lock held': "addon.tryLock(workerData + '/lock');",
  'has its writer idle': `
    const root = addon.openHostRoot(workerData, true);
    root.write('/value', Buffer.from('1')).then(() => process.exit(0));`,
};

for (const [name, code] of Object.entries(workerStages)) {
  test(`a worker thread that ${name} leaves no thread, descriptor or lock behind`, async (t) => {
    const directory = tempDirectory(t);
    writeFileSync(join(directory, 'value'), '');
    const child = startChild(
      `const fs = require('node:fs');
       const count = () => fs.readdirSync('/proc/self/task').length + ' ' + fs.readdirSync('/proc/self/fd').length;
       const run = () => new Promise((resolve, reject) => {
         const worker = new Worker(${JSON.stringify(prelude + code)}, { eval: true, workerData: process.cwd() });
         worker.on('error', reject);
         worker.on('exit', resolve);
       });
       (async () => {
         await run(); // the first one starts libuv's pool
         const before = count();
         for (let i = 0; i < 10; i += 1) await run();
         const after = count();
         const lock = addon.tryLock(process.cwd() + '/lock');
         console.log(before === after ? 'same' : before + ' then ' + after, 'errno' in lock ? lock.code : 'free');
       })();`,
      'exec',
      directory,
    );
    const { code: exitCode, signal, output } = await child.ended;
    assert.deepEqual({ exitCode, signal, output }, { exitCode: 0, signal: null, output: 'same free\n' });
  });
}

/** A process with a write that hangs, until the returned lease is released. */
async function hanging(t: TestContext, code: string) {
  const directory = tempDirectory(t);
  const file = join(directory, 'value');
  writeFileSync(file, 'old');
  const lease = await holdLease(t, file);
  const child = startChild(
    `const root = addon.openHostRoot(process.cwd(), true);
     const written = root.write('/value', Buffer.from('new'));
     ${code}`,
    'exec',
    directory,
  );
  return { file, lease, child };
}

test('a hanging write holds up neither reads nor timers, and ends when the kernel lets it', async (t) => {
  const { file, lease, child } = await hanging(
    t,
    `written.then((failure) => console.log('written', failure));
     root.readMany(['/value']).then(([text]) => console.log('read', text.toString()));
     setTimeout(() => console.log('timer'), 100);`,
  );
  await child.printed('timer');
  await child.printed('read old');
  await sleep(100);
  assert.equal(readFileSync(file, 'utf8'), 'old');
  await lease.release();
  const { code, output } = await child.ended;
  assert.equal(code, 0);
  assert.match(output, /^written undefined$/m);
  assert.equal(readFileSync(file, 'utf8'), 'new');
});

test('process.exit does not wait for a hanging write that a signal can end', async (t) => {
  const { file, child } = await hanging(t, 'setTimeout(() => process.exit(3), 200);');
  const { code, signal } = await child.ended;
  assert.deepEqual({ code, signal }, { code: 3, signal: null });
  assert.equal(readFileSync(file, 'utf8'), 'old');
});

test('a worker thread that is terminated during a hanging write ends when the write does', async (t) => {
  const directory = tempDirectory(t);
  const file = join(directory, 'value');
  writeFileSync(file, 'old');
  const lease = await holdLease(t, file);
  const code = `${prelude}
    const root = addon.openHostRoot(workerData, true);
    root.write('/value', Buffer.from('new'));
    root.write('/value', Buffer.from('never begun'));
    require('node:worker_threads').parentPort.postMessage('writing');`;
  const child = startChild(
    `const worker = new Worker(${JSON.stringify(code)}, { eval: true, workerData: process.cwd() });
     worker.on('message', () => setTimeout(() => { console.log('terminating'); worker.terminate(); }, 100));
     worker.on('exit', () => console.log('terminated'));`,
    'exec',
    directory,
  );
  await child.printed('terminating');
  await sleep(200);
  await lease.release();
  const { code: exitCode, signal, output } = await child.ended;
  assert.deepEqual(
    { exitCode, signal, output },
    { exitCode: 0, signal: null, output: 'terminating\nterminated\n' },
  );
  assert.equal(readFileSync(file, 'utf8'), 'new');
});

test('a lock outlives its object and the collector, and ends with the process', async (t) => {
  const directory = tempDirectory(t);
  const child = startChild(
    `addon.tryLock(process.cwd() + '/lock');
     setTimeout(() => {
       gc(); gc();
       const again = addon.tryLock(process.cwd() + '/lock');
       console.log(again.code);
       setInterval(() => {}, 1000);
     }, 50);`,
    'exec',
    directory,
  );
  await child.printed('EWOULDBLOCK');
  const take = (): Promise<string> =>
    startChild(
      "console.log(addon.tryLock(process.cwd() + '/lock').code ?? 'free')",
      'exec',
      directory,
    ).ended.then(({ output }) => output);
  assert.equal(await take(), 'EWOULDBLOCK\n');
  child.process.kill('SIGKILL');
  await child.ended;
  assert.equal(await take(), 'free\n');
});

test('roots that nobody knows any more are collected with their threads and descriptors', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'value'), '');
  const { code, output } = await startChild(
    `const fs = require('node:fs');
     const count = () => fs.readdirSync('/proc/self/task').length + ' ' + fs.readdirSync('/proc/self/fd').length;
     const use = async () => {
       const root = addon.openHostRoot(process.cwd(), true);
       root.sample(['/proc/vmstat'], ['flat'], 1e6, 1 << 20);
       await Promise.all([root.readMany(['/value']), root.write('/value', Buffer.from('1'))]);
     };
     const tick = () => new Promise((resolve) => setTimeout(resolve, 10));
     (async () => {
       await use();
       for (let i = 0; i < 10; i += 1) { gc(); await tick(); }
       const before = count();
       for (let i = 0; i < 20; i += 1) await use();
       const during = count();
       for (let i = 0; i < 10; i += 1) { gc(); await tick(); }
       const after = count();
       console.log(before !== during, before === after ? 'same' : before + ' then ' + after);
     })();`,
    'exec',
    directory,
  ).ended;
  assert.deepEqual({ code, output }, { code: 0, output: 'true same\n' });
});

test('a root is not collected while a write of it is under way', async (t) => {
  const { lease, child } = await hanging(
    t,
    `written.then((failure) => console.log('written', failure));
     const timer = setInterval(() => gc(), 10);
     setTimeout(() => { clearInterval(timer); console.log('collected'); }, 200);`,
  );
  await child.printed('collected');
  await lease.release();
  const { code, output } = await child.ended;
  assert.equal(code, 0);
  assert.match(output, /^written undefined$/m);
});

test('a write of which the kernel takes a part is a failure of its own', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'value'), '');
  // bash counts in KiB: the file may have 1,024 bytes.
  const { output } = await startChild(
    `const root = addon.openHostRoot(process.cwd(), true);
     root.write('/value', Buffer.alloc(3000, 'x')).then((failure) => console.log(JSON.stringify(failure)));`,
    'ulimit -f 1; exec',
    directory,
  ).ended;
  assert.equal(output, '{"errno":5,"code":"EIO","syscall":"short-write","written":1024}\n');
});

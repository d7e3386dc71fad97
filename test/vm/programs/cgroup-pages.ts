// Runs inside the guest: two stopped processes in cgroups of their own below GROUP, which are left there. Prints JSON:
// the number of their anonymous pages, and the mean of what the codec makes of each page, by compressor.
//   cgroup-pages.js GROUP
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { anonymousPages, chargedLengths } from '../../support/anonymous-pages.js';

const [group] = process.argv.slice(2);
assert.ok(group !== undefined);
const pages: Uint8Array[] = [];
for (const name of ['a', 'b/c']) {
  const directory = join(group, name);
  mkdirSync(directory, { recursive: true });
  const script = `const keep = Buffer.alloc(1 << 20, 'the text of ${name} '); console.log(keep.length); setInterval(() => keep, 1e6)`;
  const child = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  assert.ok(child.pid !== undefined && child.stdout !== null);
  await once(child.stdout, 'data');
  writeFileSync(join(directory, 'cgroup.procs'), `${child.pid}\n`);
  child.kill('SIGSTOP');
  while (!/^State:\s+T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8'))) await sleep(10);
  pages.push(...anonymousPages(child.pid));
  child.unref();
  child.stdout.destroy();
}
const means = ['deflate-iaa', 'zstd'].map((name) => {
  const lengths = chargedLengths(name, pages);
  return [name, lengths.reduce((sum, length) => sum + length, 0) / lengths.length];
});
console.log(JSON.stringify({ pages: pages.length, means: Object.fromEntries(means) }));

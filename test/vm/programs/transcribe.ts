// Runs inside a guest that was booted with the words of test/transcripts/operations.ts: asks its kernel. Prints JSON: the
// machine before, and the steps.
import { openHost } from '../../../src/host/open.js';
import { captureMachine, formatArchive } from '../../../src/testing/index.js';
import { performAll } from '../../support/transcript.js';
import { operations, setUp } from '../../transcripts/operations.js';

const host = await openHost('live', { writable: true });
for (const argv of setUp) {
  const { exitCode, stderr } = await host.exec(argv);
  if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
}
const { entries } = await captureMachine(host, { redact: true });
const start = formatArchive(entries, ['The machine before the first step of the transcript beside it.']);
const steps = await performAll(host, operations);
await host.close();
console.log(JSON.stringify({ start, steps }));

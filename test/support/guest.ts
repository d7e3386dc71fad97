import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { findGuest, type Guest } from '../../src/vm/index.js';

/** Runtime folder of the guest that the test run has started for all its guest tests. */
const folder = process.env['IAA_ZSWAP_VM_DIR'];

async function sharedGuest(): Promise<Guest> {
  assert.ok(folder !== undefined);
  const guest = await findGuest(folder);
  assert.ok(guest !== undefined, `no guest runs in ${folder}`);
  return guest;
}

/** A test that works in the shared guest; without one it counts as not run. It leaves the guest as it was. */
export function guestTest(name: string, body: (guest: Guest, t: TestContext) => Promise<void>): void {
  const skip = folder === undefined ? 'no guest runs for the tests (IAA_ZSWAP_VM_DIR is not set)' : false;
  test(name, { skip }, async (t) => body(await sharedGuest(), t));
}

/** Runs a program in the guest that must end with exit code 0; gives its stdout. */
export async function output(guest: Guest, ...argv: readonly string[]): Promise<string> {
  const { exitCode, signal, stdout, stderr } = await guest.run(argv);
  assert.equal(signal ?? exitCode, 0, `${argv.join(' ')}: ${stderr.toString()}`);
  return stdout.toString();
}

/** The text of a file in the guest, without the newline at its end. */
export async function textOf(guest: Guest, path: string): Promise<string> {
  return (await output(guest, 'cat', path)).trimEnd();
}

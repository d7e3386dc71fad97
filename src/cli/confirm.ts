import { createInterface } from 'node:readline/promises';
import { UsageError } from '../errors.js';

/**
 * Asks on the terminal whether to go on. Throws UsageError when the answer is no, or when there is no terminal to
 * ask on and --yes was not given.
 */
export async function confirm(question: string, signal: AbortSignal): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError('this changes the machine and there is no terminal to ask on', {
      hint: 'give --yes',
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // readline takes Ctrl-C for itself while it asks.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim()))
      throw new UsageError('nothing was changed', { hint: 'answer y to go on' });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    terminal.close();
  }
}

import { CommandError, HostIoError } from '../../src/errors.js';
import type { Host } from '../../src/host/host.js';
import { hostPath } from '../../src/host/path.js';

/** One thing that is asked of a kernel. */
export type Operation =
  | { readonly op: 'read' | 'list' | 'mkdir' | 'rmdir'; readonly path: string }
  | { readonly op: 'write'; readonly path: string; readonly text: string }
  | { readonly op: 'exec'; readonly argv: readonly string[] };

/** What came back: an errno's name, or what was read; of programs the exit code and what they printed. */
export interface Answer {
  readonly errno?: string;
  readonly text?: string;
  readonly names?: readonly string[];
  readonly exitCode?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export type Step = Operation & { readonly answer: Answer };

/** What a kernel answered, one step after another, from the state that `start` is a capture of. */
export interface Transcript {
  readonly kernel: { readonly release: string; readonly version: string };
  /** Software IAA devices of the guest. */
  readonly devices: number;
  /** Programs that ran before, without being asked about. */
  readonly setUp: readonly (readonly string[])[];
  readonly steps: readonly Step[];
}

/** Asks a machine. */
export async function perform(host: Host, operation: Operation): Promise<Answer> {
  try {
    switch (operation.op) {
      case 'read': {
        const [text] = await host.read([hostPath(operation.path)]);
        return { text: text ?? '' };
      }
      case 'list': {
        const names = await host.list(hostPath(operation.path));
        return names === undefined ? { errno: 'ENOENT' } : { names };
      }
      case 'mkdir':
        await host.mkdir(hostPath(operation.path));
        return {};
      case 'rmdir':
        await host.rmdir(hostPath(operation.path));
        return {};
      case 'write':
        await host.write(hostPath(operation.path), operation.text);
        return {};
      case 'exec':
        return { ...(await host.exec(operation.argv)) };
    }
  } catch (error) {
    if (error instanceof HostIoError) return { errno: error.errnoCode };
    if (error instanceof CommandError) return { errno: error.message };
    throw error;
  }
}

/** The answers to operations, one after another. */
export async function performAll(host: Host, operations: readonly Operation[]): Promise<Step[]> {
  const steps: Step[] = [];
  for (const operation of operations) {
    const answer = await perform(host, operation);
    steps.push({ ...operation, answer });
  }
  return steps;
}

import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../errors.js';
import { native } from '../native/load.js';
import { CapturedHost } from './captured.js';
import { DirectoryTree } from './directory-tree.js';
import type { Host } from './host.js';
import { openLive } from './live.js';
import { MockHost } from './mock.js';
import { readOnly } from './read-only.js';
import { readTrace } from './traced-root.js';
import { tracing } from './tracing.js';

export interface OpenOptions {
  /** To change the machine. `live`, `mock:` and `model:` can be writable; a captured host then still answers EROFS. */
  readonly writable: boolean;
  /** File to be made for the NDJSON of every operation. */
  readonly trace?: string;
  /** The trace leaves out what tells the machine or a person. */
  readonly redact?: boolean;
}

/**
 * Opens a host by its word: `live`, `root:DIR` (a captured tree), `root:FILE` (a trace), `mock:DIR` (a tree that
 * reacts as the kernel does), `model:NAME` or `model:PATH.yaml` (a modelled machine, freshly booted). Throws UsageError for
 * anything else and for a root that cannot be opened, ExperimentError for a machine file that cannot be used.
 */
export async function openHost(spec: string, options: OpenOptions): Promise<Host> {
  const host = await openUntraced(spec, options.writable);
  if (options.trace === undefined) return host;
  try {
    return await tracing(host, options.trace, { redact: options.redact ?? false });
  } catch (error) {
    await host.close();
    throw error;
  }
}

async function openUntraced(spec: string, writable: boolean): Promise<Host> {
  if (spec === 'live') {
    return openLive({ writable });
  }
  if (spec.startsWith('root:') && spec.length > 'root:'.length) {
    return openCaptured(spec, spec.slice('root:'.length));
  }
  if (spec.startsWith('mock:') && spec.length > 'mock:'.length) {
    const host = openMock(spec, spec.slice('mock:'.length));
    return writable ? host : readOnly(host);
  }
  if (spec.startsWith('model:') && spec.length > 'model:'.length) {
    const { openModelHost } = await import('../model/model-host.js');
    const host = await openModelHost(spec);
    return writable ? host : readOnly(host);
  }
  throw new UsageError(`no such host: ${JSON.stringify(spec)}`, {
    hint: 'a host is live (this machine), root:DIR (a captured tree), root:FILE (a trace), mock:DIR (a tree that reacts as the kernel does) or model:MACHINE (a modelled one, as model:spr-2s)',
  });
}

async function openCaptured(spec: string, path: string): Promise<Host> {
  const root = resolve(path);
  let file: boolean;
  try {
    const status = statSync(root);
    file = status.isFile();
    // A FIFO or device would have to be opened to learn more; that can block.
    if (!file && !status.isDirectory()) throw unusableRoot(spec, root, 'neither a directory nor a file');
    if (file) accessSync(root, constants.R_OK);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw unusableRoot(spec, root, (error as NodeJS.ErrnoException).code ?? String(error), error);
  }
  if (file) return new CapturedHost(spec, root, await readTrace(root));
  const tree = native().openHostRoot(root, false);
  if ('errno' in tree) throw unusableRoot(spec, root, `${tree.code} from ${tree.syscall}`);
  return new CapturedHost(spec, root, tree);
}

function openMock(spec: string, path: string): Host {
  const root = resolve(path);
  try {
    return new MockHost(spec, root, new DirectoryTree(root), root);
  } catch (error) {
    throw unusableRoot(spec, root, (error as NodeJS.ErrnoException).code ?? String(error), error);
  }
}

function unusableRoot(spec: string, root: string, why: string, cause?: unknown): UsageError {
  return new UsageError(`--host ${spec}: ${root} cannot be opened: ${why}`, {
    hint: 'name a directory with a captured /sys and /proc in it, or a trace file, that you may read',
    cause,
  });
}

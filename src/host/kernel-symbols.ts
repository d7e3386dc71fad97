import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Host } from './host.js';
import { type HostPath, hostPath } from './path.js';

export const kallsymsPath: HostPath = hostPath('/proc/kallsyms');

/**
 * Those of the names that are symbols of the kernel; `undefined` when it does not show them. /proc/kallsyms of a
 * running kernel is some 15 MiB, far more than a host reads at once: on the live machine it is read line by line,
 * past the host, so a trace does not hold it.
 */
export async function findKernelSymbols(
  host: Host,
  names: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  const found = new Set<string>();
  const look = (line: string): void => {
    // ffffffff81000000 t name, and [module] after a tab
    const name = line.split(/[ \t]/, 3)[2];
    if (name !== undefined && names.includes(name)) found.add(name);
  };
  if (host.root !== '/') {
    const [outcome] = await host.probe([kallsymsPath]);
    if (outcome?.ok !== true) return undefined;
    for (const line of outcome.text.split('\n')) look(line);
    return found;
  }
  try {
    for await (const line of createInterface({ input: createReadStream(kallsymsPath) })) look(line);
  } catch {
    return undefined;
  }
  return found;
}

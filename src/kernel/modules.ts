/** Kernel modules in use, built in or loaded, and their parameters (kernel/module/sysfs.c, kernel/params.c). */
import type { Finding } from '../discover/inventory.js';
import { chomp } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { kernelFile, listDirectory, readList } from './attribute.js';

export function moduleDirectory(name: string): HostPath {
  return hostPath('/sys/module', name);
}

/** Parameters of a module by name, without newline; `undefined` when the module is not there. */
export async function readModule(
  host: Host,
  findings: Finding[],
  name: string,
): Promise<Record<string, string> | undefined> {
  if ((await listDirectory(host, findings, moduleDirectory(name))) === undefined) return undefined;
  const directory = hostPath(moduleDirectory(name), 'parameters');
  const names = (await listDirectory(host, findings, directory)) ?? [];
  const texts = await readList(
    host,
    findings,
    names.map((each) => kernelFile(hostPath(directory, each), chomp)),
  );
  return Object.fromEntries(
    names.flatMap((each, index) => {
      const text = texts[index];
      return text === undefined ? [] : [[each, text]];
    }),
  );
}

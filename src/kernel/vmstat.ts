/** /proc/vmstat: counters since boot, for the whole machine (mm/vmstat.c, names in vmstat_text). */
import type { Finding } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, readFiles } from './attribute.js';
import { type Counters, parseFlatKeyed } from './flat-keyed.js';

export const vmstatPath = hostPath('/proc/vmstat');

/** Parses /proc/vmstat. pswp*, zswp* and swp*_zero count base pages; thp_* count folios. */
export function parseVmstat(text: string, path: string = vmstatPath): Counters {
  return parseFlatKeyed(text, path);
}

/** Reads /proc/vmstat; `undefined` when it is absent, unreadable or malformed (the latter two with a finding). */
export async function readVmstat(host: Host, findings: Finding[]): Promise<Counters | undefined> {
  const { vmstat } = await readFiles(host, findings, { vmstat: kernelFile(vmstatPath, parseVmstat) });
  return vmstat;
}

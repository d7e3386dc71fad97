/** debugfs (fs/debugfs), where zswap and iaa_crypto keep their counters; closed to all but root. */
import type { Finding } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { addFinding, kernelFile, readFiles } from './attribute.js';
import { mountinfoPath, parseMountinfo } from './mountinfo.js';

/** Where distributions mount it. */
export const debugfs = hostPath('/sys/kernel/debug');

/** Whether debugfs is mounted, with a finding when it is not; `undefined` when the mounts are not known. */
export async function isDebugfsMounted(host: Host, findings: Finding[]): Promise<boolean | undefined> {
  const { mounts } = await readFiles(host, findings, { mounts: kernelFile(mountinfoPath, parseMountinfo) });
  if (mounts === undefined) return undefined;
  if (mounts.some(({ type, mountPoint }) => type === 'debugfs' && mountPoint === debugfs)) return true;
  addFinding(findings, {
    path: debugfs,
    message: 'debugfs is not mounted: the counters of zswap cannot be read',
    mend: `mount -t debugfs none ${debugfs}`,
  });
  return false;
}

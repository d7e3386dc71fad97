/** The vm sysctls that bear on reclaim and swap (kernel/sysctl.c, mm/*.c, Documentation/admin-guide/sysctl/vm.rst). */
import type { CodecName } from '../host/codecs.js';
import { type HostPath, hostPath } from '../host/path.js';

/** Their names below /proc/sys/vm, with their codecs. */
export const vmSysctls: Readonly<Record<string, CodecName>> = {
  compaction_proactiveness: 'decimal',
  max_map_count: 'decimal',
  min_free_kbytes: 'decimal',
  overcommit_memory: 'decimal',
  'page-cluster': 'decimal',
  swappiness: 'decimal',
  vfs_cache_pressure: 'decimal',
  watermark_boost_factor: 'decimal',
  watermark_scale_factor: 'decimal',
};

/** Path of a vm sysctl, as `page-cluster`. */
export function vmSysctl(name: string): HostPath {
  return hostPath('/proc/sys/vm', name);
}

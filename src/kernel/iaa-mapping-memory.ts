/** How much memory the iaa_crypto driver's tables of work queues take, from the structures of its code. */
import type { MappedMachine, MappingVariant } from './iaa-mapping.js';

/** A pointer to a struct idxd_wq on x86-64. */
const pointerBytes = 8;
/** struct wq_table_entry: a pointer and three int, padded (iaa_crypto.h). */
const entryBytes = 24;
/** MAX_PKG_IAA * MAX_IAA_WQ of v9: entries of a package's table. */
const packageWqs = 8 * 8;

/**
 * Bytes that the driver asks for, without what the allocator rounds up. `devices`: those with a bound WQ; `deviceWqs`:
 * max_work_queues of the first of them.
 *
 * By nodes (alloc_wq_table()) each possible CPU has an entry and a table of its own. By packages (v9) each has two
 * entries, for compression and decompression, that point to tables of a package or a device.
 */
export function mappingTableBytes(
  variant: MappingVariant,
  { possibleCpus, packages }: Pick<MappedMachine, 'possibleCpus' | 'packages'>,
  devices: number,
  deviceWqs: number,
): number {
  if (devices === 0) return 0;
  const deviceTable = entryBytes + deviceWqs * pointerBytes;
  if (variant !== 'package') return possibleCpus * deviceTable;
  const packageTable = pointerBytes + entryBytes + packageWqs * pointerBytes;
  return 2 * (possibleCpus * entryBytes + packages * packageTable + devices * deviceTable);
}

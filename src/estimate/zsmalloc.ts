/** What an object costs in zsmalloc, zswap's allocator (mm/zsmalloc.c, 4 KiB pages, CONFIG_ZSMALLOC_CHAIN_SIZE 8). */

const pageBytes = 4096;
/** ZS_HANDLE_SIZE: each object is preceded by its handle. */
const handleBytes = 8;
/** ZS_MIN_ALLOC_SIZE. */
const smallestClass = 32;
/** ZS_SIZE_CLASS_DELTA, PAGE_SIZE >> CLASS_BITS. */
const classStep = 16;
const longestChain = 8;

/** Pages of one zspage: those of 1 to 8 that leave the least over, fewest first (calculate_zspage_chain_size). */
function chainPages(classBytes: number): number {
  if (Number.isInteger(Math.log2(classBytes))) return 1;
  let best = 1;
  let least = Number.POSITIVE_INFINITY;
  for (let pages = 1; pages <= longestChain; pages++) {
    const waste = (pages * pageBytes) % classBytes;
    if (waste < least) {
      least = waste;
      best = pages;
    }
  }
  return best;
}

/** Bytes of memory that one object of `bytes`, 1 to 4096, takes when its zspages are full. */
export function zsmallocBytes(bytes: number): number {
  const steps = Math.ceil(Math.max(0, bytes + handleBytes - smallestClass) / classStep);
  const classBytes = Math.min(smallestClass + steps * classStep, pageBytes);
  const pages = chainPages(classBytes);
  return (pages * pageBytes) / Math.floor((pages * pageBytes) / classBytes);
}

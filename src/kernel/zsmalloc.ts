/** zsmalloc, zswap's allocator (mm/zsmalloc.c, 4 KiB pages, CONFIG_ZSMALLOC_CHAIN_SIZE 8). */

const pageBytes = 4096;
/** ZS_HANDLE_SIZE: each object is preceded by its handle. */
const handleBytes = 8;
/** ZS_MIN_ALLOC_SIZE. */
const smallestClass = 32;
/** ZS_SIZE_CLASS_DELTA, PAGE_SIZE >> CLASS_BITS. */
const classStep = 16;
const longestChain = 8;

/** A size class: objects of up to `bytes`, the handle included, so many in a zspage of so many pages. */
export interface ZsmallocClass {
  readonly bytes: number;
  readonly zspagePages: number;
  readonly zspageObjects: number;
}

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

function makeClasses(): ZsmallocClass[] {
  const classes: ZsmallocClass[] = [];
  for (let bytes = smallestClass; bytes <= pageBytes; bytes += classStep) {
    const zspagePages = chainPages(bytes);
    const zspageObjects = Math.floor((zspagePages * pageBytes) / bytes);
    const last = classes.at(-1);
    // can_merge(): the next larger class holds as many objects in as many pages.
    if (last?.zspagePages === zspagePages && last.zspageObjects === zspageObjects) classes.pop();
    classes.push({ bytes, zspagePages, zspageObjects });
  }
  return classes;
}

/** All classes, ascending; the last is of a whole page. */
export const zsmallocClasses: readonly ZsmallocClass[] = makeClasses();

/** Bytes of memory that one object of `bytes`, 1 to 4096, takes when its zspages are full. */
export function zsmallocBytes(bytes: number): number {
  const wanted = Math.min(bytes + handleBytes, pageBytes);
  const found = zsmallocClasses.find((each) => each.bytes >= wanted);
  return found === undefined ? pageBytes : (found.zspagePages * pageBytes) / found.zspageObjects;
}

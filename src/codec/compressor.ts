/**
 * The compressors that zswap can use, in software: the accelerator's two formats by our own code, the others by
 * this machine's libraries. All calls are synchronous.
 */
import { getSystemErrorName } from 'node:util';
import { CompressionError, RequirementError, UsageError } from '../errors.js';
import { native } from '../native/load.js';
import type { NativeCompressor } from '../native/surface.js';

/** One compressor, and whether it can be used here. */
export interface CompressorInfo {
  /** As in /proc/crypto. */
  readonly name: string;
  /** File name of the library it is in; undefined: our own code. */
  readonly library: string | undefined;
  /** Why it cannot be used here; undefined when it can. */
  readonly absent: string | undefined;
}

/**
 * All compressors that zswap's users choose among. lzo-rle is always absent: its format is the kernel's alone and in
 * no library.
 */
export function compressors(): CompressorInfo[] {
  const known = native()
    .compressors()
    .map(({ name, library }) => {
      const opened = native().openCompressor(name);
      return {
        name,
        library: library === '' ? undefined : library,
        absent: typeof opened === 'string' ? opened : undefined,
      };
    });
  return [...known, { name: 'lzo-rle', library: undefined, absent: 'its format is in no library' }];
}

/** One piece of a batch: offsets and lengths in bytes of the batch's memory. */
export interface Slot {
  readonly from: number;
  /** At least 1. */
  readonly fromBytes: number;
  readonly to: number;
  readonly toBytes: number;
}

/** What the kernel's batch interface answers: for each slot the bytes given, or a negative errno. */
export type Outcomes = Int32Array;

export interface Compressor {
  readonly name: string;
  /** Compresses 1 byte to 2 MiB, however badly. Throws CompressionError. */
  compress(data: Uint8Array): { data: Uint8Array };
  /** The other way; the result may have up to 2 MiB. Throws CompressionError (EINVAL: damaged; EOVERFLOW or ENOSPC: larger). */
  decompress(data: Uint8Array): { data: Uint8Array };
  /**
   * Compresses all slots of one memory in place, without copies, on `threads` threads (default 1: this one). A slot
   * that fails (E2BIG or ENOSPC: does not fit) does not stop the others. No output may overlap another slot.
   */
  compressBatch(memory: ArrayBuffer, slots: readonly Slot[], threads?: number): Outcomes;
  decompressBatch(memory: ArrayBuffer, slots: readonly Slot[], threads?: number): Outcomes;
}

/** The accelerator's largest transfer, and the largest folio (kernel: iaa_crypto, 2 MiB). */
const maxBytes = 2 * 1024 * 1024;

/** Opens one by its name. Throws RequirementError when it is absent, UsageError for a name that is not known. */
export function openCompressor(name: string): Compressor {
  const known = native()
    .compressors()
    .map((compressor) => compressor.name);
  if (!known.includes(name)) {
    throw new UsageError(`there is no compressor '${name}'`, { hint: `use one of ${known.join(', ')}` });
  }
  const opened = native().openCompressor(name);
  if (typeof opened === 'string') {
    throw new RequirementError(`the compressor ${name} is not available: ${opened}`, {
      hint: 'install the library',
    });
  }
  return new LibraryCompressor(name, opened);
}

class LibraryCompressor implements Compressor {
  readonly name: string;
  readonly #native: NativeCompressor;
  /** Where single results are written before they are copied out in their size. */
  #scratch = new Uint8Array(0);

  constructor(name: string, opened: NativeCompressor) {
    this.name = name;
    this.#native = opened;
  }

  compress(data: Uint8Array): { data: Uint8Array } {
    if (data.length === 0 || data.length > maxBytes) {
      throw new UsageError(`${this.name} compresses 1 to ${maxBytes} bytes, not ${data.length}`);
    }
    // Fixed Huffman codes take up to 9 bits a byte, which is the worst of all.
    const room = this.#room(data.length + (data.length >> 3) + 1024);
    return { data: this.#result(this.#native.compress(data, room), room) };
  }

  decompress(data: Uint8Array): { data: Uint8Array } {
    const room = this.#room(maxBytes);
    return { data: this.#result(this.#native.decompress(data, room), room) };
  }

  compressBatch(memory: ArrayBuffer, slots: readonly Slot[], threads = 1): Outcomes {
    return this.#batch(true, memory, slots, threads);
  }

  decompressBatch(memory: ArrayBuffer, slots: readonly Slot[], threads = 1): Outcomes {
    return this.#batch(false, memory, slots, threads);
  }

  #batch(compress: boolean, memory: ArrayBuffer, slots: readonly Slot[], threads: number): Outcomes {
    const numbers = new Uint32Array(4 * slots.length);
    for (const [index, slot] of slots.entries()) {
      numbers.set([slot.from, slot.fromBytes, slot.to, slot.toBytes], 4 * index);
    }
    const outcomes = new Int32Array(slots.length);
    this.#native.runBatch(compress, memory, numbers, outcomes, threads);
    return outcomes;
  }

  #room(bytes: number): Uint8Array {
    if (this.#scratch.length < bytes) this.#scratch = new Uint8Array(bytes);
    return this.#scratch;
  }

  #result(outcome: number, room: Uint8Array): Uint8Array {
    if (outcome >= 0) return room.slice(0, outcome);
    const errnoName = getSystemErrorName(outcome);
    const why = errnoName === 'EINVAL' ? 'the data is damaged' : 'the result is too large';
    throw new CompressionError(this.name, -outcome, `${why} (${errnoName})`);
  }
}

import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { openCompressor } from '../../src/codec/compressor.js';
import { pageBytes } from '../../src/estimate/source.js';

/** The anonymous pages of a stopped process, page by page by way of maps, pagemap and mem. */
export function anonymousPages(pid: number): Uint8Array[] {
  const pagemap = openSync(`/proc/${pid}/pagemap`, 'r');
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  const pages: Uint8Array[] = [];
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [range = '', access = ''] = line.split(' ');
    if (!access.endsWith('p') || line.includes('[v')) continue;
    const [start = 0n, end = 0n] = range.split('-').map((address) => BigInt(`0x${address}`));
    for (let at = start; at < end; at += 4096n) {
      const entry = Buffer.alloc(8);
      readSync(pagemap, entry, 0, 8, Number(at / 512n));
      const bits = entry.readBigUInt64LE() >> 61n;
      if (bits !== 0b100n && bits !== 0b110n) continue;
      const page = new Uint8Array(pageBytes);
      assert.equal(readSync(memory, page, 0, pageBytes, at), pageBytes);
      pages.push(page);
    }
  }
  closeSync(pagemap);
  closeSync(memory);
  return pages;
}

/** The pages of a file's data; the last one is filled up with zeros. */
export function pagesOf(data: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(data.length / pageBytes) }, (_, index) => {
    const page = new Uint8Array(pageBytes);
    page.set(data.subarray(index * pageBytes, (index + 1) * pageBytes));
    return page;
  });
}

/** Charged bytes of the pages that are not zero, by the codec itself. */
export function chargedLengths(name: string, pages: readonly Uint8Array[]): number[] {
  const compressor = openCompressor(name);
  return pages
    .filter((page) => page.some((byte) => byte !== 0))
    .map((page) => Math.min(compressor.compress(page).data.length, pageBytes));
}

const pageBytes = 4096;

/** The first page of a swap area, as mkswap writes it and swapon(2) wants it (union swap_header, include/linux/swap.h). */
export function swapHeader(sizeBytes: number): Buffer {
  const page = Buffer.alloc(pageBytes);
  // After 1024 bytes left to boot loaders: version, number of the last page, number of bad pages.
  page.writeUInt32LE(1, 1024);
  page.writeUInt32LE(Math.floor(sizeBytes / pageBytes) - 1, 1028);
  page.writeUInt32LE(0, 1032);
  page.write('SWAPSPACE2', pageBytes - 10);
  return page;
}

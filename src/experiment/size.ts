const units = { k: 1024n, m: 1024n ** 2n, g: 1024n ** 3n, t: 1024n ** 4n } as const;

/** Bytes of `64M`, `10g`, `4096` (suffixes k, m, g, t of either case, 1024-based as the kernel's memparse); undefined when it is none. */
export function parseSize(text: string): bigint | undefined {
  const found = /^(\d{1,18})([kmgt])?$/i.exec(text);
  if (found?.[1] === undefined) return undefined;
  const unit = found[2]?.toLowerCase() as keyof typeof units | undefined;
  return BigInt(found[1]) * (unit === undefined ? 1n : units[unit]);
}

/** The shortest exact form of a byte count: `10g`, `96m`, `1000`. */
export function formatSize(bytes: bigint): string {
  for (const [suffix, unit] of Object.entries(units).reverse()) {
    if (bytes >= unit && bytes % unit === 0n) return `${bytes / unit}${suffix}`;
  }
  return bytes.toString();
}

/** Kernel's name of a folio size, as `64kB`, for `64kB`, `64K`, `2M`, `2048kB`; undefined when it is none. */
export function folioName(text: string): string | undefined {
  const found = /^(\d{1,7})(kB|k|m)$/i.exec(text);
  if (found?.[1] === undefined || found[2] === undefined) return undefined;
  const kib = Number(found[1]) * (found[2].toLowerCase() === 'm' ? 1024 : 1);
  const isPowerOfTwo = kib > 0 && 2 ** Math.round(Math.log2(kib)) === kib;
  return kib >= 4 && isPowerOfTwo ? `${kib}kB` : undefined;
}

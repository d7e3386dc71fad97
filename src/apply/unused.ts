/** The one rule for unbinding: nothing that pages live in is taken away. */
import { StateError } from '../errors.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { readCgroupUse } from '../kernel/cgroup-use.js';
import { iaaModule } from '../kernel/iaa-crypto.js';
import { parseProcCrypto, procCryptoPath } from '../kernel/proc-crypto.js';

/** zswap lets an empty pool go in a work item, some time after its last page or after the change of compressor (ms). */
const releaseTimeLimitMs = 10_000;
const pollMs = 50;

/** iaa_crypto's algorithms are in use, so that nothing of it may be unbound. */
export class InUseError extends StateError {}

/**
 * Resolves when nobody uses an algorithm of iaa_crypto, which each page of zswap does that is stored through it.
 * The kernel does not look: it unbinds the last WQ, and the owners of the pages die (kernel.md 12, measured on 7.3).
 * Throws InUseError, naming who holds pages, after 10 s.
 */
export async function awaitUnused(host: Host): Promise<void> {
  const deadline = host.now() + BigInt(releaseTimeLimitMs) * 1_000_000n;
  for (;;) {
    const used = await usedAlgorithms(host);
    if (used.length === 0) return;
    if (host.now() > deadline) throw new InUseError(await describeUse(host, used), { hint });
    await host.delay(pollMs);
  }
}

const hint = 'end what owns the pages, or swapoff and swapon the swap areas, then restore again';

/** Those with more than their own reference. */
async function usedAlgorithms(host: Host): Promise<{ driver: string; refcnt: number }[]> {
  const [text] = await host.tryRead([procCryptoPath]);
  if (text === undefined) return [];
  return parseProcCrypto(text).filter(({ module, refcnt }) => module === iaaModule && refcnt > 1);
}

async function describeUse(host: Host, used: readonly { driver: string; refcnt: number }[]): Promise<string> {
  const names = used.map(({ driver, refcnt }) => `${driver} (refcnt ${refcnt})`).join(', ');
  const [compressor, stored] = await host.tryRead([
    hostPath('/sys/module/zswap/parameters/compressor'),
    hostPath('/sys/kernel/debug/zswap/stored_pages'),
  ]);
  const holders = (await readCgroupUse(host, hostPath('/sys/fs/cgroup')))
    .filter(({ zswapBytes }) => zswapBytes > 0)
    .sort((a, b) => b.zswapBytes - a.zswapBytes)
    .slice(0, 5)
    .map(({ group, zswapBytes }) => `${group} (${Math.ceil(zswapBytes / 1024)} KiB)`);
  return [
    `${names} is still in use after ${releaseTimeLimitMs / 1000} s: IAA stays as it is`,
    `zswap uses ${compressor?.trim() ?? 'an unknown compressor'} and holds ${stored?.trim() ?? 'an unknown number of'} pages`,
    ...(holders.length === 0 ? [] : [`most are of ${holders.join(', ')}`]),
  ].join('; ');
}

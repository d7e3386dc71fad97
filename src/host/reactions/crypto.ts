/** /proc/crypto (crypto/proc.c): one block an algorithm, the newest first. */
import type { Draft } from './tree.js';

const path = '/proc/crypto';

interface Algorithm {
  readonly name: string;
  readonly driver: string;
  readonly module: string;
  readonly priority: number;
  readonly type: 'acomp' | 'scomp';
}

/** What a kernel can load for zswap when it is asked for: name, module and CONFIG_CRYPTO_ option. */
const loadable: readonly { readonly name: string; readonly driver: string; readonly option: string }[] = [
  { name: '842', driver: '842-scomp', option: '842' },
  { name: 'deflate', driver: 'deflate-scomp', option: 'DEFLATE' },
  { name: 'lz4', driver: 'lz4-scomp', option: 'LZ4' },
  { name: 'lz4hc', driver: 'lz4hc-scomp', option: 'LZ4HC' },
  { name: 'lzo', driver: 'lzo-scomp', option: 'LZO' },
  { name: 'lzo-rle', driver: 'lzo-rle-scomp', option: 'LZO' },
  { name: 'zstd', driver: 'zstd-scomp', option: 'ZSTD' },
];

/** The text of one algorithm's block. */
export function algorithmBlock(algorithm: Algorithm): string {
  return [
    `name         : ${algorithm.name}`,
    `driver       : ${algorithm.driver}`,
    `module       : ${algorithm.module}`,
    `priority     : ${algorithm.priority}`,
    'refcnt       : 1',
    'selftest     : passed',
    'internal     : no',
    `type         : ${algorithm.type}`,
    '',
    '',
  ].join('\n');
}

function blocksOf(text: string): string[] {
  return text.split(/(?<=\n)\n/).filter((block) => block.trim() !== '');
}

function field(block: string, name: string): string | undefined {
  return new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(block)?.[1];
}

function compresses(block: string): boolean {
  return ['acomp', 'scomp', 'compression'].includes(field(block, 'type') ?? '');
}

/** The block that a name means: that of this driver, else the one of this algorithm with the highest priority. */
function blockOf(draft: Draft, name: string): string | undefined {
  const blocks = blocksOf(draft.text(path) ?? '').filter(compresses);
  return (
    blocks.find((block) => field(block, 'driver') === name) ??
    blocks
      .filter((block) => field(block, 'name') === name)
      .sort((a, b) => Number(field(b, 'priority')) - Number(field(a, 'priority')))[0]
  );
}

/** Registers an algorithm; false when one of this driver is there already (EEXIST). */
export function registerAlgorithm(draft: Draft, algorithm: Algorithm): boolean {
  const text = draft.text(path) ?? '';
  if (blocksOf(text).some((block) => field(block, 'driver') === algorithm.driver)) return false;
  draft.write(path, algorithmBlock(algorithm) + text, 0o444);
  return true;
}

export function unregisterAlgorithm(draft: Draft, driver: string): void {
  const left = blocksOf(draft.text(path) ?? '').filter((block) => field(block, 'driver') !== driver);
  draft.write(path, left.map((block) => `${block}\n`).join(''));
}

/**
 * Whether a compressor can be had by its name or driver name; like the kernel, it loads what this kernel was
 * built with (/boot/config-RELEASE).
 */
export function hasCompressor(draft: Draft, name: string): boolean {
  if (blockOf(draft, name) !== undefined) return true;
  const found = loadable.find((each) => each.name === name || each.driver === name);
  const config = draft.text(`/boot/config-${draft.value('/proc/sys/kernel/osrelease')}`) ?? '';
  const built =
    found === undefined ? null : new RegExp(`^CONFIG_CRYPTO_${found.option}=([my])$`, 'm').exec(config);
  if (found === undefined || built === null) return false;
  const module = built[1] === 'y' ? 'kernel' : found.option.toLowerCase();
  return registerAlgorithm(draft, { ...found, module, priority: 0, type: 'scomp' });
}

/** How many references a compressor has; 1 is its own. Undefined when there is none of this name. */
export function referencesOf(draft: Draft, name: string): number | undefined {
  const block = blockOf(draft, name);
  return block === undefined ? undefined : Number(field(block, 'refcnt'));
}

/** Adds to a compressor's references; those of deflate-iaa hold its module, too. */
export function addReferences(draft: Draft, name: string, count: number): void {
  const block = blockOf(draft, name);
  if (block === undefined) return;
  const refcnt = Math.max(1, Number(field(block, 'refcnt')) + count);
  const text = draft.text(path) ?? '';
  draft.write(path, text.replace(block, block.replace(/^(refcnt\s*: ).*$/m, `$1${refcnt}`)));
  const module = field(block, 'module');
  if (module !== undefined) addModuleReferences(draft, module, count);
}

/** Sets every compressor's references back to its own and `held` of one. */
export function releaseAllBut(draft: Draft, kept: string | undefined, held: number): void {
  const keptBlock = kept === undefined ? undefined : blockOf(draft, kept);
  for (const block of blocksOf(draft.text(path) ?? '').filter(compresses)) {
    const wanted = 1 + (block === keptBlock ? held : 0);
    const driver = field(block, 'driver') ?? '';
    addReferences(draft, driver, wanted - Number(field(block, 'refcnt')));
  }
}

/** Adds to the references of a loaded module (kernel/module/main.c); those built in count none. */
export function addModuleReferences(draft: Draft, module: string, count: number): void {
  const file = `/sys/module/${module}/refcnt`;
  if (draft.has(file)) draft.write(file, `${Number(draft.value(file)) + count}\n`);
}

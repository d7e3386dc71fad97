/** /proc/swaps: the swap areas in use (mm/swapfile.c swap_show). */
import type { Finding, SwapArea } from '../discover/inventory.js';
import { ParseError } from '../errors.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, readFiles } from './attribute.js';
import { unmanglePath } from './mangled-path.js';

export const swapsPath = hostPath('/proc/swaps');

/** Parses /proc/swaps: a heading, then one line per area; throws ParseError with the line. */
export function parseSwaps(text: string, path: string = swapsPath): SwapArea[] {
  const lines = text.split('\n');
  if (!/^Filename\s+Type\s+Size\s+Used\s+Priority\s*$/.test(lines[0] ?? '')) {
    throw new ParseError({
      path,
      line: 1,
      found: lines[0] ?? '',
      expected: 'the heading Filename Type Size Used Priority',
    });
  }
  if (lines.at(-1) === '') lines.pop();
  return lines.slice(1).map((line, index) => {
    const match = /^(\S+)\s+(\S+)\s+(\d{1,15})\s+(\d{1,15})\s+(-?\d{1,6})$/.exec(line);
    if (match === null) {
      throw new ParseError({
        path,
        line: index + 2,
        found: line,
        expected: 'name, type, size, used, priority',
      });
    }
    const [, name = '', type = '', size, used, priority] = match;
    return {
      path: unmanglePath(name),
      type,
      sizeKiB: Number(size),
      usedKiB: Number(used),
      priority: Number(priority),
    };
  });
}

/** Reads /proc/swaps; `undefined` when the kernel has no swap, or with a finding. */
export async function readSwaps(host: Host, findings: Finding[]): Promise<SwapArea[] | undefined> {
  const { swaps } = await readFiles(host, findings, { swaps: kernelFile(swapsPath, parseSwaps) });
  return swaps;
}

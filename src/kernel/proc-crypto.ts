/** /proc/crypto: the algorithms the kernel has registered (crypto/proc.c c_show). */
import type { CryptoAlgorithm, Finding } from '../discover/inventory.js';
import { ParseError } from '../errors.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, readFiles } from './attribute.js';

export const procCryptoPath = hostPath('/proc/crypto');

/** Parses the blocks of `name : value` lines, in the file's order; throws ParseError with the line. */
export function parseProcCrypto(text: string, path: string = procCryptoPath): CryptoAlgorithm[] {
  const algorithms: CryptoAlgorithm[] = [];
  const fields = new Map<string, string>();
  let start = 1;
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();

  const end = (): void => {
    if (fields.size === 0) return;
    const fail = (expected: string): never => {
      throw new ParseError({ path, line: start, found: lines[start - 1] ?? '', expected });
    };
    const word = (name: string): string => fields.get(name) ?? fail(`a block with a line '${name}'`);
    const number = (name: string): number => {
      const value = word(name);
      return /^-?\d{1,10}$/.test(value) ? Number(value) : fail(`a block with a number for '${name}'`);
    };
    algorithms.push({
      name: word('name'),
      driver: word('driver'),
      module: word('module'),
      priority: number('priority'),
      refcnt: number('refcnt'),
      selftest: word('selftest'),
      // Larvals, which stand for an algorithm under test, have a type too; some kernels leave `internal` out.
      type: word('type'),
    });
    fields.clear();
  };

  for (const [index, line] of lines.entries()) {
    if (line === '') {
      end();
      continue;
    }
    const match = /^([\w ]+?)\s*: (.*)$/.exec(line);
    if (match?.[1] === undefined) {
      throw new ParseError({ path, line: index + 1, found: line, expected: "a line 'name : value'" });
    }
    if (fields.size === 0) start = index + 1;
    fields.set(match[1], match[2] ?? '');
  }
  end();
  return algorithms;
}

/** Types of algorithms that compress, in the kernel's words (crypto/{acompress,scompress,compress}.c). */
const compressionTypes: ReadonlySet<string> = new Set(['acomp', 'scomp', 'compression']);

/** Reads the registered compressors; `undefined` when the file is absent, unreadable or malformed. */
export async function readCompressors(
  host: Host,
  findings: Finding[],
): Promise<CryptoAlgorithm[] | undefined> {
  const { crypto } = await readFiles(host, findings, {
    crypto: kernelFile(procCryptoPath, parseProcCrypto),
  });
  return crypto?.filter(({ type }) => compressionTypes.has(type));
}

/** The compressor that a name means to the kernel: by its driver name, else the one of that name with the highest priority. */
export function compressorNamed(
  compressors: readonly CryptoAlgorithm[],
  name: string,
): CryptoAlgorithm | undefined {
  return (
    compressors.find(({ driver }) => driver === name) ??
    compressors.filter((each) => each.name === name).sort((a, b) => b.priority - a.priority)[0]
  );
}

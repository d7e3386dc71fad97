/** Kernel lockdown (security/lockdown/lockdown.c) and UEFI Secure Boot, which distributions tie it to. */
import type { Finding } from '../discover/inventory.js';
import { ParseError } from '../errors.js';
import { codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, type Parse, parseWith, readFiles } from './attribute.js';

export const lockdownPath = hostPath('/sys/kernel/security/lockdown');

/** The variable SecureBoot of the EFI global namespace (UEFI specification, 3.3). */
export const secureBootPath = hostPath(
  '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c',
);

/** Parses an efivarfs file of one byte: four bytes of attributes, then the value. Throws ParseError. */
export const parseSecureBoot: Parse<boolean> = (text, path) => {
  const value = text.charCodeAt(4);
  if (text.length !== 5 || (value !== 0 && value !== 1)) {
    throw new ParseError({ path, found: text, expected: 'four bytes and then 0 or 1' });
  }
  return value === 1;
};

export interface Lockdown {
  /** none, integrity, confidentiality; undefined when the kernel has no lockdown or securityfs is not mounted. */
  readonly mode: string | undefined;
  /** undefined on a machine that did not boot by UEFI. */
  readonly secureBoot: boolean | undefined;
}

export async function readLockdown(host: Host, findings: Finding[]): Promise<Lockdown> {
  return readFiles(host, findings, {
    mode: kernelFile(lockdownPath, parseWith(codecs.choice)),
    secureBoot: kernelFile(secureBootPath, parseSecureBoot),
  });
}

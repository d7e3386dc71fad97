/**
 * cmd_status of idxd devices: why the last command or bind failed. Codes with bit 31 are the driver's own
 * (include/uapi/linux/idxd.h enum idxd_scmd_stat), the others come from the device's command status register
 * (drivers/dma/idxd/registers.h enum idxd_cmdsts_err).
 */
import { ParseError } from '../errors.js';
import { chomp } from '../host/codecs.js';
import type { Parse } from './attribute.js';

/** What each code means, in the order of the codes. */
export const commandStatusTexts: ReadonlyMap<number, string> = new Map([
  [0x00, 'no error'],
  [0x01, 'invalid command'],
  [0x02, 'invalid WQ index'],
  [0x03, 'internal hardware error'],
  [0x10, 'the device is not disabled'],
  [0x11, 'the device configuration is invalid'],
  [0x12, 'bus mastering is off'],
  [0x13, 'the PASID configuration is invalid'],
  [0x14, 'the sum of the WQ sizes is out of range'],
  [0x15, 'a group lacks WQs or engines'],
  [0x16, 'the group configuration names a WQ wrongly'],
  [0x17, 'the group configuration names an engine wrongly'],
  [0x18, 'the group configuration is invalid'],
  [0x20, 'the device is not enabled'],
  [0x21, 'the WQ is not disabled'],
  [0x22, 'the WQ size is 0'],
  [0x23, 'the WQ priority is 0'],
  [0x24, 'the WQ mode is invalid'],
  [0x25, 'block on fault is not possible'],
  [0x26, 'the PASID enable of the WQ is invalid'],
  [0x27, 'the maximum batch size is invalid'],
  [0x28, 'the maximum transfer size is invalid'],
  [0x2a, 'the privileged mode of the PASID is invalid'],
  [0x31, 'the device to be disabled is not enabled'],
  [0x32, 'the device is not enabled'],
  [0x41, 'invalid interrupt table index'],
  [0x42, 'no interrupt handle is left'],
  [0x80000010, 'the device is already enabled'],
  [0x80000020, 'the device is not enabled'],
  [0x80000021, 'the WQ is already enabled'],
  [0x80020000, 'the DMA device could not be registered'],
  [0x80030000, 'the WQ has no group'],
  [0x80040000, 'the WQ has no name'],
  [0x80050000, 'the WQ needs shared virtual memory, which this system lacks'],
  [0x80060000, 'the WQ has no threshold'],
  [0x80070000, 'the portal of the WQ could not be mapped'],
  [0x80080000, 'the resources of the WQ could not be allocated'],
  [0x80090000, 'the per-CPU reference count could not be set up'],
  [0x800a0000, 'the DMA channel could not be registered'],
  [0x800b0000, 'the character device could not be registered'],
  [0x800c0000, 'shared WQs are not possible: PASID or ENQCMD is missing'],
  [0x800d0000, 'no WQ is configured'],
  [0x800e0000, 'the WQ has no size'],
  [0x800f0000, 'no privileged mode'],
  [0x80100000, 'the interrupt of the WQ could not be set up'],
  [0x80110000, 'a user WQ needs the IOMMU'],
  [0x80120000, 'the event log could not be set up'],
  [0x80200000, 'driver_name of the WQ is missing or names another driver'],
  // accel-config 4.1.6 (accfg/idxd.h) has the event log's here.
  [0x80300000, 'the event log could not be set up'],
]);

/** One code and what it means. */
export interface CommandStatus {
  readonly code: number;
  readonly text: string;
}

/** Decodes a code; one that is not in the table is said to be unknown. */
export function decodeCommandStatus(code: number): CommandStatus {
  return { code, text: commandStatusTexts.get(code) ?? 'unknown code' };
}

/** Parses cmd_status, `%#x` of 32 bits (drivers/dma/idxd/sysfs.c); throws ParseError. */
export const parseCommandStatus: Parse<CommandStatus> = (text, path) => {
  if (!/^(?:0|0x[0-9a-f]{1,8})$/.test(chomp(text))) {
    throw new ParseError({ path, found: text, expected: 'a 32-bit hexadecimal number with 0x' });
  }
  return decodeCommandStatus(Number(chomp(text)));
};

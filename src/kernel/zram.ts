/** zram devices (drivers/block/zram/zram_drv.c): swap of their own that can use the same compressors. */
import type { Finding } from '../discover/inventory.js';
import { codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { kernelFile, listDirectory, parseCount, parseWith, readFiles } from './attribute.js';

export const blockDevices = hostPath('/sys/block');

export interface ZramDevice {
  /** As `zram0`. */
  readonly name: string;
  /** The compressor in brackets. */
  readonly compressor: string | undefined;
  /** 0 while it is not set up. */
  readonly sizeBytes: number | undefined;
}

export async function readZram(host: Host, findings: Finding[]): Promise<ZramDevice[]> {
  const names = (await listDirectory(host, findings, blockDevices)) ?? [];
  const devices: ZramDevice[] = [];
  for (const name of names.filter((each) => /^zram\d{1,5}$/.test(each))) {
    const attributes = await readFiles(host, findings, {
      compressor: kernelFile(hostPath(blockDevices, name, 'comp_algorithm'), parseWith(codecs.choice)),
      sizeBytes: kernelFile(hostPath(blockDevices, name, 'disksize'), parseCount),
    });
    devices.push({ name, ...attributes });
  }
  return devices;
}

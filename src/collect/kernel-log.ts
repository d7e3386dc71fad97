import type { Host } from '../host/host.js';

const stamp = /^\[\s*(\d+\.\d+)\]/;

/** Seconds since boot of the kernel log's newest line; 0 where it cannot be read. */
export async function lastLogTime(host: Host): Promise<number> {
  const lines = await kernelLog(host);
  return Number(stamp.exec(lines?.at(-1) ?? '')?.[1] ?? 0);
}

/** The kernel log's lines that are newer, as one text; undefined where it cannot be read. */
export async function logSince(host: Host, seconds: number): Promise<string | undefined> {
  const lines = await kernelLog(host);
  const newer = lines?.filter((line) => Number(stamp.exec(line)?.[1] ?? 0) > seconds);
  return newer?.map((line) => `${line}\n`).join('');
}

/** An excerpt is good to have, never a reason to fail. */
async function kernelLog(host: Host): Promise<string[] | undefined> {
  try {
    const { exitCode, stdout } = await host.exec(['dmesg']);
    return exitCode === 0 ? stdout.split('\n').filter((line) => line !== '') : undefined;
  } catch {
    return undefined;
  }
}

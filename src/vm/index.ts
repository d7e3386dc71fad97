export { type Channel, type ProgramEnd, type ProgramRequest, shellExitCode } from './channel.js';
export type { DebianPackage } from './debian.js';
export { runtimeFolder } from './folders.js';
export {
  findGuest,
  Guest,
  type GuestOptions,
  type GuestState,
  guestDefaults,
  type ProgramResult,
  shareMount,
  startGuest,
  temporaryFolder,
} from './guest.js';
export { fetchKernel, type GuestKernel } from './kernel-package.js';
export type { Accelerator, GuestInit } from './qemu.js';

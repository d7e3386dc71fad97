export { type Channel, type ProgramEnd, type ProgramRequest, shellExitCode } from './channel.js';
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
export { fetchKernel, type GuestKernel, type KernelPackage } from './kernel-package.js';
export type { GuestInit } from './qemu.js';

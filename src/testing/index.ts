/** Public: machines for tests, kept as text or made to order, and mocks of them that react as the kernel does. */
export {
  formatArchive,
  type HostTree,
  hostTree,
  packTree,
  parseArchive,
  type TreeEntry,
  unpackTree,
  writeTree,
} from './archive.js';
export { type Capture, type CaptureOptions, captureMachine } from './capture.js';
export { buildMachine, type MachineChange, type MachineKernel, type MachineOptions } from './machine.js';
export { mockHost } from './mock.js';

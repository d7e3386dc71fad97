/** Public: machines for tests, kept as text. */
export {
  formatArchive,
  type HostTree,
  hostTree,
  packTree,
  parseArchive,
  type TreeEntry,
  unpackTree,
} from './archive.js';

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What node-gyp needs in its environment: Node's own headers, where they are installed beside it, spare a download. */
export function nodeGypEnvironment() {
  const prefix = dirname(dirname(process.execPath));
  if (process.env.npm_config_nodedir !== undefined) return {};
  return existsSync(join(prefix, 'include/node/node_version.h')) ? { npm_config_nodedir: prefix } : {};
}

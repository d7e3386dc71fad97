import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import bindings from 'bindings';
import { NativeLoadError } from '../errors.js';
import type { NativeAddon } from './surface.js';

let root: string | undefined;

/** Folder of this package: the nearest one above this file whose package.json is ours. */
export function packageRoot(): string {
  if (root !== undefined) return root;
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(directory, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'iaa-zswap') break;
    const parent = dirname(directory);
    if (parent === directory) throw new NativeLoadError('the folder of the iaa-zswap package was not found');
    directory = parent;
  }
  root = directory;
  return root;
}

/** Path of one of our own executables, as `usemem`. */
export function helperPath(name: string): string {
  return join(packageRoot(), 'build', 'Release', name);
}

let addon: NativeAddon | undefined;

/** The native addon, loaded at its first use. */
export function native(): NativeAddon {
  if (addon === undefined) {
    try {
      addon = bindings({ bindings: 'iaa_zswap', module_root: packageRoot() }) as NativeAddon;
    } catch (cause) {
      throw new NativeLoadError(`the native addon cannot be loaded from ${packageRoot()}`, {
        cause,
        hint: "build it there with 'npm run build:native' (needs g++ and make)",
      });
    }
  }
  return addon;
}

/** Version of this package. */
export function packageVersion(): string {
  return createRequire(import.meta.url)(join(packageRoot(), 'package.json')).version;
}

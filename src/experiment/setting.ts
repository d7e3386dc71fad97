import { parseDocument } from 'yaml';
import { UsageError } from '../errors.js';
import { findKeys } from './axes.js';
import { withValue } from './cells.js';

/** A key of an experiment that the command line sets, over what the file says. */
export interface Setting {
  readonly keys: readonly string[];
  /** As YAML has it, before it is checked. */
  readonly value: unknown;
}

/** `workload.build.source=/usr/src/linux`: a key by its path, and a value in YAML. Throws UsageError. */
export function parseSetting(text: string): Setting {
  const at = text.indexOf('=');
  const path = text.slice(0, Math.max(at, 0));
  const keys = findKeys(path);
  if (keys === undefined) {
    throw new UsageError(`--set ${text}: there is no such key`, {
      hint: 'expected KEY=VALUE, as workload.build.source=/usr/src/linux; docs/experiments.md lists every key',
    });
  }
  try {
    const document = parseDocument(text.slice(at + 1), { version: '1.2', uniqueKeys: true });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return { keys, value: document.toJS({ maxAliasCount: 0 }) };
  } catch (cause) {
    throw new UsageError(`--set ${text}: the value is not YAML`, { cause, hint: 'as 5, 64M or [lzo, zstd]' });
  }
}

/** A file's value with the settings in it; one that is no map is left for the schema to refuse. */
export function withSettings(value: unknown, settings: readonly Setting[]): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return settings.reduce<unknown>((all, setting) => withValue(all, setting.keys, setting.value), value);
}

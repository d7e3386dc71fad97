/** libaccel-config on the running machine, where it is installed. */
import { AccelConfigError, RequirementError } from '../errors.js';
import { native } from '../native/load.js';
import type { NativeAccelConfig, NativeAccelDevice, NativeRefusal } from '../native/surface.js';
import type { Host } from './host.js';

/** Enables and disables devices and WQs of the dsa bus by libaccel-config. */
export interface AccelConfig {
  /** All devices of the bus, as the library sees them now. Throws AccelConfigError. */
  devices(): Promise<readonly NativeAccelDevice[]>;
  /** Enables a device or WQ, as `iax1`, `wq1.0`. Throws AccelConfigError with the library's words. */
  enable(name: string): Promise<void>;
  /** Disables one, unless it has clients. Throws AccelConfigError. */
  disable(name: string): Promise<void>;
}

/** Why there is no libaccel-config to use. */
export interface NoAccelConfig {
  readonly absent: string;
}

/**
 * The library for a host, or why there is none: it is for the running machine alone, since its paths are compiled
 * in, and need not be installed. It changes nothing on a host that is not writable.
 */
export function findAccelConfig(host: Host): AccelConfig | NoAccelConfig {
  if (host.name !== 'live') return { absent: `${host.name} is not the running machine` };
  const library = native().openAccelConfig();
  return typeof library === 'string' ? { absent: library } : new LiveAccelConfig(library, host.writable);
}

/** The library for a host that cannot do without it. Throws RequirementError. */
export function requireAccelConfig(host: Host): AccelConfig {
  const found = findAccelConfig(host);
  if (!('absent' in found)) return found;
  throw new RequirementError(`libaccel-config cannot be used: ${found.absent}`, {
    hint: 'install libaccel-config1 (accel-config), or leave iaa.backend out: sysfs needs nothing beside the kernel',
  });
}

class LiveAccelConfig implements AccelConfig {
  readonly #library: NativeAccelConfig;
  readonly #writable: boolean;

  constructor(library: NativeAccelConfig, writable: boolean) {
    this.#library = library;
    this.#writable = writable;
  }

  async devices(): Promise<readonly NativeAccelDevice[]> {
    const devices = await this.#library.devices();
    if (Array.isArray(devices)) return devices;
    throw refused('devices cannot be listed', devices as NativeRefusal);
  }

  async enable(name: string): Promise<void> {
    this.#requireWritable();
    const refusal = await this.#library.enable(name);
    if (refusal !== undefined) throw refused(`${name} cannot be enabled`, refusal);
  }

  async disable(name: string): Promise<void> {
    this.#requireWritable();
    const refusal = await this.#library.disable(name);
    if (refusal !== undefined) throw refused(`${name} cannot be disabled`, refusal);
  }

  // The library writes to /sys itself, past the host that would refuse it.
  #requireWritable(): void {
    if (!this.#writable) throw new AccelConfigError('libaccel-config: live is open for reading only');
  }
}

function refused(what: string, { code, said }: NativeRefusal): AccelConfigError {
  const why = [code, said].filter((part) => part !== '').join(': ');
  return new AccelConfigError(`libaccel-config: ${what}: ${why === '' ? 'it gives no reason' : why}`);
}

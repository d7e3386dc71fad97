import type { WriteOptions } from '../../src/host/host.js';
import { type HostPath, hostPath } from '../../src/host/path.js';
import { MemoryHost } from './memory-host.js';

const mount = '/sys/kernel/tracing';

/**
 * tracefs in memory, as far as probes, synthetic events, instances and triggers go: what is truncated loses all that
 * it lists, and what has triggers is busy.
 */
export class TracefsHost extends MemoryHost {
  /** Lines that are refused, with what error_log says of it. */
  refused: Readonly<Record<string, string>> = {};
  /** Probes of somebody else, from before. */
  readonly others = 'p:others/x vfs_read';

  constructor(symbols: readonly string[]) {
    super({
      [`${mount}/kprobe_events`]: 'p:others/x vfs_read\n',
      [`${mount}/synthetic_events`]: '',
      [`${mount}/error_log`]: '',
      [`${mount}/events/others/x/format`]: '',
      '/proc/kallsyms': symbols.map((symbol) => `ffffffff81000000 t ${symbol}\n`).join(''),
    });
    this.directories.add(`${mount}/instances`);
    this.onMkdir = (path) => {
      if (path.startsWith(`${mount}/instances/`)) this.files.set(`${path}/error_log`, '');
    };
  }

  text(file: string): string {
    return this.files.get(`${mount}/${file}`) ?? '';
  }

  override async write(path: HostPath, text: string, options: WriteOptions = {}): Promise<void> {
    if (!this.files.has(path)) throw this.error('write', path, 'ENOENT', text);
    const line = text.trimEnd();
    const why = this.refused[line];
    if (why !== undefined) {
      const log = path.includes('/instances/')
        ? `${mount}/instances/iaa_zswap/error_log`
        : `${mount}/error_log`;
      this.files.set(
        log,
        `[    1.0] old: error: An older one\n[    2.0] x: error: ${why}\n  Command: ${line}\n`,
      );
      throw this.error('write', path, 'EINVAL', text);
    }
    const before = options.append === true ? (this.files.get(path) ?? '') : '';
    const file = path.slice(path.lastIndexOf('/') + 1);
    if (file === 'trigger') this.files.set(path, `${before}${text}`);
    else if (line.startsWith('-:') || line.startsWith('!'))
      this.#remove(path, line.slice(line.startsWith('!') ? 1 : 2));
    else this.#add(path, before, text);
  }

  override async rmdir(path: HostPath): Promise<void> {
    if (this.#triggersIn(path).length > 0) throw this.error('rmdir', path, 'EBUSY');
    for (const file of [...this.files.keys()]) if (file.startsWith(`${path}/`)) this.files.delete(file);
    this.directories.delete(path);
  }

  #triggersIn(folder: string): string[] {
    return [...this.files].flatMap(([path, text]) =>
      path.startsWith(`${folder}/`) && path.endsWith('/trigger') && text !== '' ? [path] : [],
    );
  }

  #add(path: HostPath, before: string, text: string): void {
    this.files.set(path, `${before}${text}`);
    const event = path.endsWith('kprobe_events')
      ? /^[pr]:(\S+)/.exec(text)?.[1]
      : `synthetic/${/^\S+/.exec(text)?.[0]}`;
    this.files.set(`${mount}/events/${event}/format`, '');
    const instance = `${mount}/instances/iaa_zswap`;
    if (!this.directories.has(instance)) return;
    this.files.set(`${instance}/events/${event}/trigger`, '');
    if (event?.startsWith('synthetic/'))
      this.files.set(`${instance}/events/${event}/hist`, `hist of ${event}\n`);
  }

  #remove(path: HostPath, name: string): void {
    const event = path.endsWith('kprobe_events') ? name : `synthetic/${name}`;
    const busy = this.#triggersIn(`${mount}/instances`).some((trigger) => trigger.includes(`/${event}/`));
    if (busy) throw this.error('write', path, 'EBUSY', name);
    const lines = (this.files.get(path) ?? '').split('\n');
    const left = lines.filter((line) => !new RegExp(`^(?:[pr]:)?${name}\\s`).test(line));
    if (left.length === lines.length) throw this.error('write', path, 'ENOENT', name);
    this.files.set(path, left.join('\n'));
    this.files.delete(`${mount}/events/${event}/format`);
    this.files.delete(hostPath(mount, 'instances/iaa_zswap/events', event, 'trigger'));
  }
}

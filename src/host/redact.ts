/**
 * Takes out of a trace what tells the machine or a person, so that it can be shown to others and is still a
 * root: the same value gets the same stand-in wherever it is, and ids keep their form. Stand-ins of one trace
 * say nothing about those of another.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Host } from './host.js';
import { hostPath } from './path.js';

/** Files whose whole content is an identity. */
const identityFiles = [
  '/etc/machine-id',
  '/var/lib/dbus/machine-id',
  '/etc/hostname',
  '/proc/sys/kernel/hostname',
  '/proc/sys/kernel/domainname',
  '/proc/sys/kernel/random/boot_id',
  '/sys/class/dmi/id/product_serial',
  '/sys/class/dmi/id/product_uuid',
  '/sys/class/dmi/id/product_asset_tag',
  '/sys/class/dmi/id/board_serial',
  '/sys/class/dmi/id/board_asset_tag',
  '/sys/class/dmi/id/chassis_serial',
  '/sys/class/dmi/id/chassis_asset_tag',
].map((path) => hostPath(path));

/** Where /sys/class/dmi/id leads, and the raw tables with the same strings. */
const otherIdentityFile =
  /^\/sys\/devices\/virtual\/dmi\/id\/\w+_(serial|uuid|asset_tag)$|^\/sys\/firmware\/dmi\//;

/** Words of the kernel's command line that say how it is configured and nothing about whose it is. */
const plainBootWord =
  /^(ro|rw|quiet|splash|nosmt|nokaslr|(intel_iommu|iommu|idxd[._]\w+|iaa_crypto\.\w+|zswap\.\w+|transparent_hugepage|hugepages|hugepagesz|default_hugepagesz|thp_\w+|mitigations|setcpuid|clearcpuid|psi|cgroup_\w+|systemd\.unified_cgroup_hierarchy|isolcpus|nohz_full|rcu_nocbs|intel_pstate|intel_idle\.\w+|processor\.\w+|numa\w*|mem|maxcpus|nr_cpus|panic|console|clocksource|tsc|lockdown|swapaccount)(=[\w.,:@+-]*)?)$/;

/** What firmware and kernel say when there is no identity. */
const noIdentity =
  /^$|^\(none\)$|^localhost$|^(none|not specified|default string|to be filled by o\.e\.m\.)$/i;

/** A learned value shorter than this is no safe thing to look for in other texts. */
const shortestSought = 4;

export interface Redactor {
  path(path: string): string;
  /** `text` as the content of the file at `path`. */
  content(path: string, text: string): string;
  /** Any other text, as an argument. */
  text(text: string): string;
  /** `name` as an entry of the directory at `path`. */
  name(path: string, name: string): string;
}

/** Changes nothing. */
export const noRedaction: Redactor = {
  path: (path) => path,
  content: (_path, text) => text,
  text: (text) => text,
  name: (_path, name) => name,
};

/** A redactor that knows the identities `host` has; reads them. */
export async function redactorFor(host: Host): Promise<Redactor> {
  const salt = randomBytes(32);
  const standIns = new Map<string, string>();
  const users = new Map<string, string>();

  function standInOf(secret: string): string {
    const known = standIns.get(secret);
    if (known !== undefined) return known;
    const digest = createHmac('sha256', salt).update(secret.toLowerCase()).digest('hex');
    const uuid = digest.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
    const standIn = /^[0-9a-f]{32}$/i.test(secret)
      ? digest.slice(0, 32)
      : /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(secret)
        ? uuid
        : `redacted-${digest.slice(0, 8)}`;
    standIns.set(secret, standIn);
    return standIn;
  }

  function userOf(name: string): string {
    const user = users.get(name) ?? `user-${users.size + 1}`;
    users.set(name, user);
    return user;
  }

  /** The whole of `text` but its newline. */
  function identity(text: string): string {
    const secret = text.trim();
    return noIdentity.test(secret) ? text : `${standInOf(secret)}${text.endsWith('\n') ? '\n' : ''}`;
  }

  function bootWords(text: string): string {
    return text.replace(/\S+/g, (word) => (plainBootWord.test(word) ? word : 'redacted'));
  }

  const path = (text: string): string =>
    text.replace(/\/home\/([^/\s:"',]+)/g, (_all, name: string) => `/home/${userOf(name)}`);

  for (const outcome of await host.probe(identityFiles)) if (outcome.ok) identity(outcome.text);
  const sought = [...standIns.keys()]
    .filter((secret) => secret.length >= shortestSought)
    .sort((a, b) => b.length - a.length)
    .map((secret) => secret.replace(/[^\w]/g, '\\$&'));
  const soughtWord =
    sought.length === 0 ? undefined : new RegExp(`(?<!\\w)(${sought.join('|')})(?!\\w)`, 'g');

  const text = (given: string): string =>
    path(soughtWord === undefined ? given : given.replace(soughtWord, (secret) => standInOf(secret)));

  return {
    path,
    text,
    content(at, given) {
      if (at === '/proc/cmdline') return bootWords(given);
      const whole = identityFiles.some((file) => file === at) || otherIdentityFile.test(at);
      return whole ? identity(given) : text(given);
    },
    name: (at, name) => path(`${at}/${name}`).slice(path(at).length + 1),
  };
}

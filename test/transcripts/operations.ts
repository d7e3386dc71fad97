/** What scripts/transcribe asks of a kernel. */
import type { Operation, Transcript } from '../support/transcript.js';
import { deviceOperations } from './device-operations.js';
import { settingOperations } from './setting-operations.js';

/** Software IAA devices that the guest has. */
export const devices = 4;

/** Whatever is bound to a driver is unbound. */
const unbindAll = (driver: string, kind: string): readonly string[] => [
  'sh',
  '-c',
  `cd /sys/bus/dsa/drivers/${driver} && for at in ${kind}*; do test ! -e $at || echo $at >unbind || exit; done`,
];

/** Devices as probed, whatever a run in this guest has left. */
export const asBooted: Transcript['setUp'] = [
  unbindAll('crypto', 'wq'),
  ['rmmod', 'iaa_crypto', 'idxd'],
  ['modprobe', 'idxd'],
  ['modprobe', 'iaa_crypto'],
];

export const setUp: Transcript['setUp'] = [
  // Enabling it once cannot be undone: in a guest that serves other tests, too, it is so from the start.
  [
    'sh',
    '-c',
    'cd /sys/module/zswap/parameters && echo Y >enabled && echo lzo >compressor && echo 90 >accept_threshold_percent',
  ],
  // A tree does not tell which modules there are to be loaded.
  ['modprobe', 'zstd'],
  ...asBooted,
  // Nothing is enabled.
  unbindAll('crypto', 'wq'),
  unbindAll('idxd', 'iax'),
  ['rmmod', 'iaa_crypto'],
  ['modprobe', 'iaa_crypto'],
];

const driver = '/sys/bus/dsa/drivers/crypto';

/** Words that kstrtobool or a mode may take, and some that neither does; with blanks, newlines and none at all. */
const words = [
  ...['0', '1', '0\n', '1\n', 'y', 'Y', 'n', 'N', 't', 'T', 'f', 'F', 'yes', 'no', 'true', 'false'],
  ...['on', 'ON', 'oN', 'off', 'OFF', 'of', 'o', 'on\n', 'off\n', 'one', 'ox', 'yellow', 'nothing'],
  ...['2', '10', '01', '-1', '+1', ' 1', '1 ', '', '\n', '\n\n', 'x', '\t', 'enabled', 'disabled'],
  ...['sync', 'async', 'async_irq', 'sync\n', 'async\n', 'async_irq\n', 'Sync', 'ASYNC', 'sync ', ' sync'],
  ...['sync\n\n', 'synchronous', 'asyn', 'async_', 'async_irq_', 'irq', 'async irq'],
  'x'.repeat(4095),
];

/** Every word to an attribute of the driver, and what it reads as then. */
function attributeWords(attribute: string): Operation[] {
  const path = `${driver}/${attribute}`;
  return [
    { op: 'read', path },
    ...words.flatMap((text): Operation[] => [
      { op: 'write', path, text },
      { op: 'read', path },
    ]),
  ];
}

/** Names to bind and unbind where there is no device, and to a driver that takes others. */
function noSuchDevices(name: string): Operation[] {
  return ['bind', 'unbind'].flatMap((file): Operation[] => [
    { op: 'read', path: `/sys/bus/dsa/drivers/${name}/${file}` },
    ...['iax1', 'wq1.0', 'iax1\n', 'wq1.0\n', 'engine1.0', 'x', '\n', '', '0000:6a:02.0'].map(
      (text): Operation => ({ op: 'write', path: `/sys/bus/dsa/drivers/${name}/${file}`, text }),
    ),
  ]);
}

const driverOperations: readonly Operation[] = [
  { op: 'list', path: '/sys/bus/dsa/drivers' },
  { op: 'list', path: '/sys/bus/dsa/devices' },
  { op: 'list', path: driver },
  ...attributeWords('verify_compress'),
  ...attributeWords('sync_mode'),
  ...['g_comp_wqs_per_iaa', 'distribute_comps', 'distribute_decomps', 'no_such_attribute'].flatMap(
    (name): Operation[] => [
      { op: 'read', path: `${driver}/${name}` },
      { op: 'write', path: `${driver}/${name}`, text: '1' },
    ],
  ),
  ...noSuchDevices('crypto'),
  ...noSuchDevices('idxd'),
  ...noSuchDevices('user'),
  { op: 'write', path: `${driver}/module`, text: '1' },
  { op: 'read', path: driver },
  { op: 'write', path: driver, text: '1' },
  { op: 'mkdir', path: `${driver}/x` },
  { op: 'rmdir', path: driver },
  { op: 'read', path: '/sys/module/iaa_crypto/refcnt' },
  { op: 'read', path: '/sys/module/iaa_crypto/initstate' },
  { op: 'exec', argv: ['modprobe', 'iaa_crypto'] },
  // A module that comes back has forgotten what it was told.
  { op: 'write', path: `${driver}/verify_compress`, text: '0' },
  { op: 'write', path: `${driver}/sync_mode`, text: 'async_irq' },
  { op: 'exec', argv: ['rmmod', 'iaa_crypto'] },
  { op: 'exec', argv: ['rmmod', 'iaa_crypto'] },
  { op: 'list', path: '/sys/bus/dsa/drivers' },
  { op: 'list', path: driver },
  { op: 'read', path: `${driver}/sync_mode` },
  { op: 'write', path: `${driver}/sync_mode`, text: 'sync' },
  { op: 'read', path: '/sys/module/iaa_crypto/refcnt' },
  { op: 'exec', argv: ['modprobe', '-r', 'iaa_crypto'] },
  { op: 'exec', argv: ['modprobe', 'iaa_crypto'] },
  { op: 'read', path: `${driver}/verify_compress` },
  { op: 'read', path: `${driver}/sync_mode` },
  { op: 'exec', argv: ['modprobe', '-r', 'iaa_crypto'] },
  { op: 'exec', argv: ['modprobe', 'iaa_crypto'] },
];

/** The driver's own last: a `modprobe -r` in them takes idxd along, and its devices come back as probed. */
export const operations: readonly Operation[] = [
  ...deviceOperations,
  ...settingOperations,
  ...driverOperations,
];

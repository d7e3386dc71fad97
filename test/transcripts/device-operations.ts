/** What scripts/transcribe asks of IAA devices, their WQs, engines and groups: right and wrong, in right and wrong order. */
import type { Operation } from '../support/transcript.js';

const bus = '/sys/bus/dsa';
const device = `${bus}/devices/iax3`;
const crypto = `${bus}/drivers/crypto`;
const idxd = `${bus}/drivers/idxd`;

const read = (path: string): Operation => ({ op: 'read', path });
const write = (path: string, text: string): Operation => ({ op: 'write', path, text });

/** Each word to an attribute, and what it reads as then. */
function words(path: string, texts: readonly string[]): Operation[] {
  return [read(path), ...texts.flatMap((text) => [write(path, text), read(path)])];
}

/** A write to a driver's bind or unbind, and what the device then says of it. */
function bind(driver: string, name: string, file: 'bind' | 'unbind' = 'bind'): Operation[] {
  return [
    write(`${driver}/${file}`, name),
    read(`${device}/state`),
    read(`${device}/wq3.0/state`),
    read(`${device}/cmd_status`),
  ];
}

const numbers = [
  '0',
  '1',
  '-1',
  '-2',
  '3',
  '4',
  '15',
  '16',
  '0x1',
  '1 ',
  ' 1',
  '1\n',
  '',
  '\n',
  'x',
  '1x',
  '4294967296',
];

const deviceAttributes = [
  ...['version', 'max_groups', 'max_work_queues', 'max_work_queues_size', 'max_engines', 'numa_node'],
  ...[
    'max_transfer_size',
    'op_cap',
    'gen_cap',
    'configurable',
    'clients',
    'pasid_enabled',
    'state',
    'errors',
  ],
  ...['cmd_status', 'iaa_cap', 'event_log_size', 'max_batch_size', 'max_tokens', 'max_read_buffers'],
  ...['token_limit', 'read_buffer_limit', 'no_such_attribute'],
];
const wqAttributes = [
  ...['state', 'mode', 'size', 'group_id', 'priority', 'type', 'name', 'driver_name', 'threshold'],
  ...['block_on_fault', 'max_transfer_size', 'max_batch_size', 'ats_disable', 'prs_disable', 'op_config'],
  ...['enqcmds_retries', 'occupancy', 'clients', 'cdev_minor'],
];

const asFound: readonly Operation[] = [
  { op: 'list', path: `${bus}/devices` },
  ...deviceAttributes.map((name) => read(`${device}/${name}`)),
  ...wqAttributes.map((name) => read(`${device}/wq3.0/${name}`)),
  read(`${device}/engine3.0/group_id`),
  ...['work_queues', 'engines', 'traffic_class_a', 'traffic_class_b', 'desc_progress_limit'].map((name) =>
    read(`${device}/group3.0/${name}`),
  ),
];

const wq = `${device}/wq3.0`;
const whileDisabled: readonly Operation[] = [
  ...words(`${wq}/mode`, ['dedicated', 'shared', 'Dedicated', 'dedicated\n', 'x', '', '\n', 'shared']),
  ...words(`${wq}/size`, ['64', '128', '129', '0', '-1', 'x', '', '\n', '0x10', '64\n']),
  ...words(`${device}/wq3.1/size`, ['64', '65', '64\n', '0']),
  ...words(`${wq}/group_id`, numbers),
  ...words(`${wq}/priority`, numbers),
  ...words(`${wq}/threshold`, ['1', '64', '65', '0', '0x10', 'x', '', '\n']),
  write(`${wq}/mode`, 'dedicated'),
  ...words(`${wq}/threshold`, ['1']),
  ...words(`${wq}/type`, ['kernel', 'user', 'none', 'Kernel', 'kernel\n', '', '\n', 'x']),
  ...words(`${wq}/name`, ['iaa_crypto', ' a ', 'a b', '', '\n', 'x'.repeat(1024), 'x'.repeat(1025)]),
  ...words(`${wq}/driver_name`, ['crypto', ' crypto ', 'x', '', '\n', 'x'.repeat(128), 'x'.repeat(129)]),
  // Another type takes the name away.
  write(`${wq}/name`, 'iaa_crypto'),
  ...words(`${wq}/type`, ['user']),
  read(`${wq}/name`),
  ...words(`${wq}/block_on_fault`, ['1', '0', 'y', 'n', 'on', '2', 'x', '']),
  ...words(`${wq}/max_transfer_size`, [
    '0',
    '1',
    '3',
    '4096',
    '4097',
    '0x1000',
    '2147483648',
    '2147483649',
    '-1',
    'x',
  ]),
  ...words(`${wq}/ats_disable`, ['1', '0', 'x', '2']),
  ...words(`${wq}/prs_disable`, ['1']),
  ...words(`${wq}/enqcmds_retries`, ['1']),
  write(`${wq}/mode`, 'shared'),
  ...words(`${wq}/enqcmds_retries`, ['0', '1', '64', '65', '-1', 'x', '']),
  ...words(`${device}/engine3.0/group_id`, numbers),
  read(`${device}/group3.0/engines`),
  ...words(`${device}/group3.0/traffic_class_a`, ['0', '1', '7', '8', '-1', 'x']),
  ...words(`${device}/group3.0/traffic_class_b`, ['0', '8']),
  ...words(`${device}/cmd_status`, ['1', 'x', '']),
  ...['state', 'clients', 'size '].map((name) => write(`${wq}/${name}`, '1')),
];

const off: readonly Operation[] = [
  write(`${wq}/type`, 'none'),
  write(`${wq}/group_id`, '-1'),
  write(`${wq}/size`, '0'),
  write(`${wq}/priority`, '0'),
  write(`${wq}/mode`, 'dedicated'),
  write(`${device}/engine3.0/group_id`, '-1'),
];

const bindInAnyOrder: readonly Operation[] = [
  ...off,
  ...bind(crypto, 'wq3.0'),
  // No WQ, then no engine, then a shared WQ, then an engine without a WQ beside it.
  ...bind(idxd, 'iax3'),
  write(`${wq}/size`, '64'),
  ...bind(idxd, 'iax3'),
  write(`${wq}/group_id`, '0'),
  ...bind(idxd, 'iax3'),
  write(`${device}/engine3.0/group_id`, '1'),
  ...bind(idxd, 'iax3'),
  write(`${device}/engine3.0/group_id`, '0'),
  write(`${wq}/mode`, 'shared'),
  ...bind(idxd, 'iax3'),
  write(`${wq}/mode`, 'dedicated'),
  ...bind(idxd, 'iax3'),
  ...bind(idxd, 'iax3'),
  // The device is enabled; the WQ lacks name, driver_name, priority, one after the other.
  write(`${wq}/size`, '128'),
  write(`${wq}/name`, '\n'),
  write(`${wq}/type`, 'kernel'),
  ...bind(crypto, 'wq3.0'),
  write(`${wq}/name`, 'iaa_crypto'),
  write(`${wq}/driver_name`, '\n'),
  ...bind(crypto, 'wq3.0'),
  write(`${wq}/driver_name`, 'other'),
  ...bind(crypto, 'wq3.0'),
  write(`${wq}/driver_name`, 'crypto'),
  ...bind(crypto, 'wq3.0'),
  write(`${wq}/priority`, '10'),
  ...bind(crypto, 'wq3.1'),
  ...bind(crypto, 'wq3.0'),
  ...bind(crypto, 'wq3.0'),
];

const whileEnabled: readonly Operation[] = [
  ...wqAttributes.map((name) => read(`${wq}/${name}`)),
  read(`${device}/clients`),
  ...[
    ['mode', 'shared'],
    ['size', '32'],
    ['group_id', '1'],
    ['priority', '5'],
    ['type', 'user'],
    ['name', 'other'],
    ['driver_name', 'other'],
    ['threshold', '1'],
    ['block_on_fault', '1'],
    ['max_transfer_size', '4096'],
    ['ats_disable', '1'],
    ['enqcmds_retries', '1'],
  ].flatMap(([name, text]) => [write(`${wq}/${name}`, text ?? ''), read(`${wq}/${name}`)]),
  ...words(`${device}/engine3.1/group_id`, ['0', '-1']),
  ...words(`${crypto}/verify_compress`, ['0']),
  ...words(`${crypto}/sync_mode`, ['async_irq']),
  { op: 'exec', argv: ['rmmod', 'iaa_crypto'] },
  read('/sys/module/iaa_crypto/refcnt'),
];

const unbindAgain: readonly Operation[] = [
  ...bind(crypto, 'wq3.1', 'unbind'),
  ...bind(idxd, 'wq3.0', 'unbind'),
  ...bind(crypto, 'wq3.0', 'unbind'),
  ...wqAttributes.map((name) => read(`${wq}/${name}`)),
  // The algorithm stays registered until the module goes: it cannot be registered again.
  ...bind(crypto, 'wq3.0'),
  write(`${wq}/mode`, 'dedicated'),
  write(`${wq}/priority`, '10'),
  write(`${wq}/name`, 'iaa_crypto'),
  ...bind(crypto, 'wq3.0'),
  ...bind(idxd, 'iax3', 'unbind'),
  ...wqAttributes.map((name) => read(`${wq}/${name}`)),
  read(`${device}/engine3.0/group_id`),
  read(`${device}/group3.0/work_queues`),
  { op: 'exec', argv: ['rmmod', 'iaa_crypto'] },
  { op: 'exec', argv: ['modprobe', 'iaa_crypto'] },
];

export const deviceOperations: readonly Operation[] = [
  ...asFound,
  ...whileDisabled,
  ...bindInAnyOrder,
  ...whileEnabled,
  ...unbindAgain,
];

import type { MachineChange, MachineOptions } from '../../../src/testing/index.js';
import { testWriteRules, type WriteRule } from '../../support/mocks.js';

const devices = '/sys/bus/dsa/devices';
const drivers = '/sys/bus/dsa/drivers';
const device = `${devices}/iax0`;
const wq = `${device}/wq0.0`;

const write = (path: string, text: string): MachineChange => ({ write: path, text });
const unbindWq = write(`${drivers}/crypto/unbind`, 'wq0.0');
const unbindDevice = write(`${drivers}/idxd/unbind`, 'iax0');
/** All off, as it has to be for a configuration of one's own. */
const disabled: readonly MachineChange[] = [unbindWq, unbindDevice];
const configured: readonly MachineChange[] = [
  ...disabled,
  write(`${wq}/mode`, 'dedicated'),
  write(`${wq}/size`, '64'),
  write(`${wq}/group_id`, '0'),
  write(`${wq}/priority`, '10'),
  write(`${wq}/type`, 'kernel'),
  write(`${wq}/name`, 'iaa_crypto'),
  write(`${wq}/driver_name`, 'crypto'),
  write(`${device}/engine0.0/group_id`, '0'),
];
/** The configuration without the steps for these files. */
const configuredBut = (...files: string[]): readonly MachineChange[] =>
  configured.filter((each) => !('write' in each && files.some((file) => each.write.endsWith(file))));
const bindDevice = write(`${drivers}/idxd/bind`, 'iax0');
const legacyIommu: MachineOptions = { scalableMode: false };

testWriteRules('WQ attributes', [
  {
    rule: 'mode: dedicated',
    given: disabled,
    write: `${wq}/mode`,
    text: 'dedicated\n',
    reads: { [`${wq}/mode`]: 'dedicated\n' },
  },
  {
    rule: 'mode: dedicated clears the threshold',
    given: [...disabled, write(`${wq}/size`, '8'), write(`${wq}/threshold`, '4')],
    write: `${wq}/mode`,
    text: 'dedicated',
    reads: { [`${wq}/threshold`]: '0\n' },
  },
  {
    rule: 'mode: another word is EINVAL',
    given: disabled,
    write: `${wq}/mode`,
    text: 'exclusive',
    errno: 'EINVAL',
  },
  { rule: 'mode: EPERM while the WQ is enabled', write: `${wq}/mode`, text: 'shared', errno: 'EPERM' },
  {
    rule: 'size: EPERM while the device is enabled, though the WQ is not',
    given: [unbindWq],
    write: `${wq}/size`,
    text: '64',
    errno: 'EPERM',
  },
  {
    rule: 'size: the sum over all WQs may reach the device maximum',
    given: [...disabled, write(`${device}/wq0.1/size`, '64')],
    write: `${wq}/size`,
    text: '64',
    reads: { [`${wq}/size`]: '64\n' },
  },
  {
    rule: 'size: a sum beyond the device maximum is EINVAL',
    given: [...disabled, write(`${device}/wq0.1/size`, '64')],
    write: `${wq}/size`,
    text: '65',
    errno: 'EINVAL',
  },
  {
    rule: 'size: the old size of the WQ itself does not count',
    given: [...disabled, write(`${wq}/size`, '100')],
    write: `${wq}/size`,
    text: '128',
    reads: { [`${wq}/size`]: '128\n' },
  },
  ...['-1', '0x10', '', '6 4', '64\n\n'].map(
    (text): WriteRule => ({
      rule: `size: ${JSON.stringify(text)} is ${text === '' ? 'no write at all' : 'EINVAL'}`,
      given: disabled,
      write: `${wq}/size`,
      text,
      ...(text === '' ? {} : { errno: 'EINVAL' }),
      reads: { [`${wq}/size`]: '0\n' },
    }),
  ),
  {
    rule: 'group_id: shows in the group',
    given: disabled,
    write: `${wq}/group_id`,
    text: '3',
    reads: { [`${wq}/group_id`]: '3\n', [`${device}/group0.3/work_queues`]: 'wq0.0\n' },
  },
  {
    rule: 'group_id: -1 leaves the group',
    given: [...disabled, write(`${wq}/group_id`, '3')],
    write: `${wq}/group_id`,
    text: '-1',
    reads: { [`${device}/group0.3/work_queues`]: '' },
  },
  {
    rule: 'group_id: max_groups is EINVAL',
    given: disabled,
    write: `${wq}/group_id`,
    text: '4',
    errno: 'EINVAL',
  },
  {
    rule: 'group_id: below -1 is EINVAL',
    given: disabled,
    write: `${wq}/group_id`,
    text: '-2',
    errno: 'EINVAL',
  },
  { rule: 'group_id: EPERM while the WQ is enabled', write: `${wq}/group_id`, text: '1', errno: 'EPERM' },
  {
    rule: 'priority: 15 is the highest',
    given: disabled,
    write: `${wq}/priority`,
    text: '15',
    reads: { [`${wq}/priority`]: '15\n' },
  },
  { rule: 'priority: 16 is EINVAL', given: disabled, write: `${wq}/priority`, text: '16', errno: 'EINVAL' },
  { rule: 'priority: EPERM while the WQ is enabled', write: `${wq}/priority`, text: '5', errno: 'EPERM' },
  {
    rule: 'type: a change clears the name',
    given: [...disabled, write(`${wq}/name`, 'mine')],
    write: `${wq}/type`,
    text: 'user',
    reads: { [`${wq}/type`]: 'user\n', [`${wq}/name`]: '\n' },
  },
  {
    rule: 'type: the same type keeps the name',
    given: [...disabled, write(`${wq}/type`, 'user'), write(`${wq}/name`, 'mine')],
    write: `${wq}/type`,
    text: 'user',
    reads: { [`${wq}/name`]: 'mine\n' },
  },
  {
    rule: 'type: another word is EINVAL',
    given: disabled,
    write: `${wq}/type`,
    text: 'mdev',
    errno: 'EINVAL',
  },
  { rule: 'type: EPERM while the WQ is enabled', write: `${wq}/type`, text: 'user', errno: 'EPERM' },
  {
    rule: 'name: blanks around it go',
    given: disabled,
    write: `${wq}/name`,
    text: ' mine \n',
    reads: { [`${wq}/name`]: 'mine\n' },
  },
  {
    rule: 'name: no bytes change nothing',
    given: [...disabled, write(`${wq}/name`, 'mine')],
    write: `${wq}/name`,
    text: '',
    reads: { [`${wq}/name`]: 'mine\n' },
  },
  {
    rule: 'name: a lone newline empties it',
    given: [...disabled, write(`${wq}/name`, 'mine')],
    write: `${wq}/name`,
    text: '\n',
    reads: { [`${wq}/name`]: '\n' },
  },
  { rule: 'name: 1024 characters fit', given: disabled, write: `${wq}/name`, text: 'x'.repeat(1024) },
  {
    rule: 'name: 1025 are EINVAL',
    given: disabled,
    write: `${wq}/name`,
    text: 'x'.repeat(1025),
    errno: 'EINVAL',
  },
  { rule: 'name: EPERM while the WQ is enabled', write: `${wq}/name`, text: 'mine', errno: 'EPERM' },
  {
    rule: 'driver_name: a lone newline empties it',
    given: disabled,
    write: `${wq}/driver_name`,
    text: '\n',
    reads: { [`${wq}/driver_name`]: '\n' },
  },
  {
    rule: 'driver_name: 129 are EINVAL',
    given: disabled,
    write: `${wq}/driver_name`,
    text: 'x'.repeat(129),
    errno: 'EINVAL',
  },
  {
    rule: 'threshold: up to the size, in any base',
    given: [...disabled, write(`${wq}/size`, '16')],
    write: `${wq}/threshold`,
    text: '0x10',
    reads: { [`${wq}/threshold`]: '16\n' },
  },
  {
    rule: 'threshold: above the size is EINVAL',
    given: [...disabled, write(`${wq}/size`, '16')],
    write: `${wq}/threshold`,
    text: '17',
    errno: 'EINVAL',
  },
  {
    rule: 'threshold: 0 is EINVAL',
    given: [...disabled, write(`${wq}/size`, '16')],
    write: `${wq}/threshold`,
    text: '0',
    errno: 'EINVAL',
  },
  {
    rule: 'threshold: EINVAL on a dedicated WQ',
    given: [...disabled, write(`${wq}/size`, '16'), write(`${wq}/mode`, 'dedicated')],
    write: `${wq}/threshold`,
    text: '4',
    errno: 'EINVAL',
  },
  { rule: 'threshold: ENXIO while the WQ is enabled', write: `${wq}/threshold`, text: '4', errno: 'ENXIO' },
  {
    rule: 'block_on_fault: ENXIO while the WQ is enabled',
    write: `${wq}/block_on_fault`,
    text: '1',
    errno: 'ENXIO',
  },
  {
    rule: 'block_on_fault: any word for true',
    given: disabled,
    write: `${wq}/block_on_fault`,
    text: 'on',
    reads: { [`${wq}/block_on_fault`]: '1\n' },
  },
  {
    rule: 'max_transfer_size: rounded up to a power of two',
    given: disabled,
    write: `${wq}/max_transfer_size`,
    text: '4097',
    reads: { [`${wq}/max_transfer_size`]: '8192\n' },
  },
  {
    rule: 'max_transfer_size: a power of two stays',
    given: disabled,
    write: `${wq}/max_transfer_size`,
    text: '0x1000',
    reads: { [`${wq}/max_transfer_size`]: '4096\n' },
  },
  {
    rule: 'max_transfer_size: 0 is EINVAL',
    given: disabled,
    write: `${wq}/max_transfer_size`,
    text: '0',
    errno: 'EINVAL',
  },
  {
    rule: 'max_transfer_size: beyond the device is EINVAL',
    given: disabled,
    write: `${wq}/max_transfer_size`,
    text: '2147483649',
    errno: 'EINVAL',
  },
  {
    rule: 'op_config: some of the operations',
    given: disabled,
    write: `${wq}/op_config`,
    text: '00000008,00000000,00000001',
    reads: {
      [`${wq}/op_config`]: '00000000,00000000,00000000,00000000,00000000,00000008,00000000,00000001\n',
    },
  },
  {
    rule: 'op_config: an operation that the device lacks is EINVAL',
    given: disabled,
    write: `${wq}/op_config`,
    text: '2',
    errno: 'EINVAL',
  },
  {
    rule: 'enqcmds_retries: EOPNOTSUPP on a dedicated WQ',
    write: `${wq}/enqcmds_retries`,
    text: '1',
    errno: 'EOPNOTSUPP',
  },
  {
    rule: 'enqcmds_retries: at most 64',
    given: disabled,
    write: `${wq}/enqcmds_retries`,
    text: '100',
    reads: { [`${wq}/enqcmds_retries`]: '64\n' },
  },
  { rule: 'state: nobody writes it', write: `${wq}/state`, text: 'disabled', errno: 'EACCES' },
]);

testWriteRules('engines, groups and devices', [
  {
    rule: 'engine group_id: also while the device is enabled',
    write: `${device}/engine0.7/group_id`,
    text: '1',
    reads: { [`${device}/engine0.7/group_id`]: '1\n', [`${device}/group0.1/engines`]: 'engine0.7\n' },
  },
  {
    rule: 'engine group_id: max_groups is EINVAL',
    write: `${device}/engine0.7/group_id`,
    text: '4',
    errno: 'EINVAL',
  },
  {
    rule: 'traffic_class_a: EPERM on hardware up to version 2',
    given: disabled,
    write: `${device}/group0.0/traffic_class_a`,
    text: '1',
    errno: 'EPERM',
  },
  {
    rule: 'cmd_status: any write clears it',
    given: disabled,
    write: `${device}/cmd_status`,
    text: 'x',
    reads: { [`${device}/cmd_status`]: '0x0\n' },
  },
]);

const statusAfter = (code: string): Record<string, string> => ({
  [`${device}/cmd_status`]: code,
  [`${device}/state`]: 'disabled\n',
});

testWriteRules('binding a device', [
  {
    rule: 'a whole configuration',
    given: configured,
    write: `${drivers}/idxd/bind`,
    text: 'iax0\n',
    reads: {
      [`${device}/state`]: 'enabled\n',
      [`${device}/cmd_status`]: '0x0\n',
      [`${wq}/state`]: 'disabled\n',
    },
  },
  { rule: 'EBUSY when it is bound', write: `${drivers}/idxd/bind`, text: 'iax0', errno: 'EBUSY' },
  { rule: 'ENODEV for a name the bus has not', write: `${drivers}/idxd/bind`, text: 'iax9', errno: 'ENODEV' },
  {
    rule: 'ENODEV for a WQ',
    given: configured,
    write: `${drivers}/idxd/bind`,
    text: 'wq0.0',
    errno: 'ENODEV',
  },
  {
    rule: 'ENXIO without a WQ in a group',
    given: configuredBut('wq0.0/group_id'),
    write: `${drivers}/idxd/bind`,
    text: 'iax0',
    errno: 'ENXIO',
    reads: statusAfter('0x800d0000\n'),
  },
  {
    rule: 'ENXIO without an engine in a group, which cmd_status says nothing about',
    given: configuredBut('engine0.0/group_id'),
    write: `${drivers}/idxd/bind`,
    text: 'iax0',
    errno: 'ENXIO',
    reads: statusAfter('0x0\n'),
  },
  {
    rule: 'ENXIO with the engines in another group: the hardware refuses',
    given: [...configured, write(`${device}/engine0.0/group_id`, '1')],
    write: `${drivers}/idxd/bind`,
    text: 'iax0',
    errno: 'ENXIO',
    reads: statusAfter('0x15\n'),
  },
  {
    rule: 'ENXIO for a shared WQ without PASIDs',
    machine: legacyIommu,
    given: configuredBut('wq0.0/mode'),
    write: `${drivers}/idxd/bind`,
    text: 'iax0',
    errno: 'ENXIO',
    reads: statusAfter('0x800c0000\n'),
  },
  {
    rule: 'a WQ with a type and no size gets 16 entries',
    given: configuredBut('wq0.0/size'),
    write: `${drivers}/idxd/bind`,
    text: 'iax0',
    reads: { [`${wq}/size`]: '16\n' },
  },
]);

testWriteRules('unbinding a device', [
  {
    rule: 'clears WQs, engines and groups but driver_name',
    given: [...configured, bindDevice],
    write: `${drivers}/idxd/unbind`,
    text: 'iax0',
    reads: {
      [`${device}/state`]: 'disabled\n',
      [`${device}/engine0.0/group_id`]: '-1\n',
      [`${device}/group0.0/work_queues`]: '',
      [`${device}/group0.0/engines`]: '',
      [`${wq}/size`]: '0\n',
      [`${wq}/group_id`]: '-1\n',
      [`${wq}/type`]: 'none\n',
      [`${wq}/name`]: '\n',
      [`${wq}/mode`]: 'shared\n',
      [`${wq}/priority`]: '0\n',
      [`${wq}/driver_name`]: 'crypto\n',
    },
  },
  {
    rule: 'takes WQs that are still bound along',
    write: `${drivers}/idxd/unbind`,
    text: 'iax0',
    reads: {
      [`${wq}/state`]: 'disabled\n',
      [`${drivers}/crypto/wq0.0/state`]: undefined,
      [`${wq}/driver/bind`]: undefined,
      '/sys/module/iaa_crypto/refcnt': '0\n',
    },
  },
  {
    rule: 'ENODEV when it is not bound',
    given: disabled,
    write: `${drivers}/idxd/unbind`,
    text: 'iax0',
    errno: 'ENODEV',
  },
  { rule: 'ENODEV from another driver', write: `${drivers}/user/unbind`, text: 'iax0', errno: 'ENODEV' },
]);

const wqStatusAfter = (code: string): Record<string, string> => ({
  [`${device}/cmd_status`]: code,
  [`${wq}/state`]: 'disabled\n',
  [`${wq}/type`]: 'none\n',
});

testWriteRules('binding a WQ', [
  {
    rule: 'to crypto, the first time since its module was loaded',
    machine: { iaaCrypto: 'absent' },
    given: [
      { exec: ['modprobe', 'iaa_crypto'] },
      unbindWq,
      { exec: ['rmmod', 'iaa_crypto'] },
      { exec: ['modprobe', 'iaa_crypto'] },
      write(`${wq}/mode`, 'dedicated'),
      write(`${wq}/priority`, '1'),
      write(`${wq}/type`, 'kernel'),
      write(`${wq}/name`, 'again'),
    ],
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    reads: {
      [`${wq}/state`]: 'enabled\n',
      [`${wq}/driver_name`]: 'crypto\n',
      '/sys/module/iaa_crypto/refcnt': '1\n',
    },
  },
  { rule: 'EBUSY when it is bound', write: `${drivers}/crypto/bind`, text: 'wq0.0', errno: 'EBUSY' },
  {
    rule: 'ENODEV for a name the bus has not',
    write: `${drivers}/crypto/bind`,
    text: 'wq9.0',
    errno: 'ENODEV',
  },
  {
    rule: 'ENODEV for a device',
    given: disabled,
    write: `${drivers}/crypto/bind`,
    text: 'iax0',
    errno: 'ENODEV',
  },
  {
    rule: 'ENXIO while the device is disabled',
    given: configured,
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    errno: 'ENXIO',
    reads: { [`${wq}/type`]: 'kernel\n' },
  },
  {
    rule: 'ENODEV for another driver_name',
    given: [...configured, write(`${wq}/driver_name`, 'user'), bindDevice],
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    errno: 'ENODEV',
    reads: wqStatusAfter('0x80200000\n'),
  },
  {
    rule: 'driver_name matches by its beginning',
    given: [...configured, write(`${wq}/driver_name`, 'username'), bindDevice],
    write: `${drivers}/user/bind`,
    text: 'wq0.0',
    reads: { [`${wq}/state`]: 'enabled\n', [`${wq}/type`]: 'user\n' },
  },
  {
    rule: 'ENXIO without a group',
    given: [...configured, bindDevice, write(`${wq}/group_id`, '-1')],
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    errno: 'ENXIO',
    reads: wqStatusAfter('0x80030000\n'),
  },
  {
    rule: 'ENXIO without a name',
    given: [...configuredBut('wq0.0/name'), bindDevice],
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    errno: 'ENXIO',
    reads: wqStatusAfter('0x80040000\n'),
  },
  {
    rule: 'ENXIO again right after it was unbound: its name went',
    given: [unbindWq],
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    errno: 'ENXIO',
    reads: wqStatusAfter('0x80040000\n'),
  },
  {
    rule: 'ENXIO for a shared one without a threshold',
    given: [...configuredBut('wq0.0/mode'), bindDevice],
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    errno: 'ENXIO',
    reads: wqStatusAfter('0x80060000\n'),
  },
  {
    rule: 'ENXIO for priority 0: the hardware refuses',
    given: [...configuredBut('wq0.0/priority'), bindDevice],
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    errno: 'ENXIO',
    reads: wqStatusAfter('0x23\n'),
  },
  {
    rule: 'ENXIO for size 0: the hardware refuses',
    given: [...configuredBut('wq0.0/size', 'wq0.0/type'), bindDevice],
    write: `${drivers}/crypto/bind`,
    text: 'wq0.0',
    errno: 'ENXIO',
    reads: wqStatusAfter('0x22\n'),
  },
  {
    rule: 'EOPNOTSUPP to user without PASIDs',
    machine: legacyIommu,
    given: [...configured, write(`${wq}/driver_name`, 'user'), bindDevice],
    write: `${drivers}/user/bind`,
    text: 'wq0.0',
    errno: 'EOPNOTSUPP',
    reads: { [`${device}/cmd_status`]: '0x80110000\n' },
  },
]);

testWriteRules('unbinding a WQ', [
  {
    rule: 'resets all but size, group and driver_name',
    write: `${drivers}/crypto/unbind`,
    text: 'wq0.0',
    reads: {
      [`${wq}/state`]: 'disabled\n',
      [`${wq}/mode`]: 'shared\n',
      [`${wq}/type`]: 'none\n',
      [`${wq}/name`]: '\n',
      [`${wq}/priority`]: '0\n',
      [`${wq}/enqcmds_retries`]: '32\n',
      [`${wq}/size`]: '128\n',
      [`${wq}/group_id`]: '0\n',
      [`${wq}/driver_name`]: 'crypto\n',
      [`${device}/state`]: 'enabled\n',
    },
  },
  {
    rule: 'ENODEV when it is not bound',
    given: [unbindWq],
    write: `${drivers}/crypto/unbind`,
    text: 'wq0.0',
    errno: 'ENODEV',
  },
  { rule: 'ENODEV from another driver', write: `${drivers}/user/unbind`, text: 'wq0.0', errno: 'ENODEV' },
]);

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attributeLines } from '../../../src/report/restored.js';

test('attributes that were put back: one line each, a device and all of cpufreq one', () => {
  const device = '/sys/bus/dsa/devices/iax1';
  assert.deepEqual(
    attributeLines({
      '/sys/module/zswap/parameters/compressor': 'lzo\n',
      [`${device}/wq1.0/size`]: '128\n',
      [`${device}/engine1.0/group_id`]: '0\n',
      '/sys/bus/dsa/drivers/crypto/sync_mode': 'sync\n',
      '/sys/bus/dsa/devices/iax3/wq3.0/size': '0\n',
      '/sys/devices/system/cpu/cpufreq/policy0/scaling_governor': 'powersave\n',
      '/sys/devices/system/cpu/cpufreq/policy1/scaling_governor': 'powersave\n',
    }),
    [
      '/sys/module/zswap/parameters/compressor: lzo',
      `${device}: 2 attributes of device, WQs, engines and groups`,
      '/sys/bus/dsa/drivers/crypto/sync_mode: sync',
      '/sys/bus/dsa/devices/iax3: 1 attributes of device, WQs, engines and groups',
      '/sys/devices/system/cpu/cpufreq: 2 attributes of its policies',
    ],
  );
});

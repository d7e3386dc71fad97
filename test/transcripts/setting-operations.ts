/** What scripts/transcribe asks of zswap, THP, memory cgroups and sysctls. */
import type { Operation } from '../support/transcript.js';

const read = (path: string): Operation => ({ op: 'read', path });
const write = (path: string, text: string): Operation => ({ op: 'write', path, text });
function words(path: string, texts: readonly string[]): Operation[] {
  return [read(path), ...texts.flatMap((text) => [write(path, text), read(path)])];
}

const zswap = '/sys/module/zswap/parameters';
const thp = '/sys/kernel/mm/transparent_hugepage';
const group = '/sys/fs/cgroup/iaa-zswap-transcript';
const booleans = ['Y', 'N', '1', '0', 'y', 'on', 'off', 'x', '', '\n', '2'];
const choices = [
  'always',
  'madvise',
  'never',
  'inherit',
  'never\n',
  'Always',
  'alway',
  'never ',
  '',
  '\n',
  'x',
];
const percents = ['0', '1', '20', '99', '100', '101', '-1', 'x', '', '0x10', '4294967296', '20\n'];
const bytes = [
  '0',
  '1',
  '4096',
  '4097',
  '1M',
  '1m',
  '1G',
  'max',
  'max\n',
  'Max',
  '-1',
  'x',
  '',
  '\n',
  '1.5M',
  '1 M',
];

export const settingOperations: readonly Operation[] = [
  ...words(`${zswap}/enabled`, ['1', 'N', 'Y', ...booleans, 'Y']),
  ...words(`${zswap}/compressor`, [
    ...[
      'lzo',
      'zstd',
      'lz4',
      'deflate',
      'no-such',
      'lzo\n',
      ' lzo',
      '',
      '\n',
      'deflate-iaa',
      'x'.repeat(200),
      'lzo',
    ],
  ]),
  ...words(`${zswap}/max_pool_percent`, percents),
  ...words(`${zswap}/accept_threshold_percent`, percents),
  ...words(`${zswap}/shrinker_enabled`, booleans),
  read(`${zswap}/zpool`),
  ...words(`${thp}/enabled`, choices),
  ...words(`${thp}/hugepages-64kB/enabled`, choices),
  ...words(`${thp}/hugepages-2048kB/enabled`, choices),
  ...words(`${thp}/defrag`, [...choices, 'defer', 'defer+madvise']),
  write(`${thp}/enabled`, 'always'),
  write(`${thp}/hugepages-64kB/enabled`, 'never'),
  write(`${thp}/hugepages-2048kB/enabled`, 'inherit'),
  write(`${thp}/defrag`, 'madvise'),
  ...words('/proc/sys/vm/page-cluster', ['0', '3', '31', '32', '-1', 'x', '', '\n', '0 ', '3']),
  ...words('/proc/sys/vm/swappiness', ['0', '100', '200', '201', '-1', 'x', '', '60']),
  ...words('/sys/fs/cgroup/cgroup.subtree_control', [
    '+memory',
    '-memory',
    'memory',
    '+no_such',
    '',
    '\n',
    '+memory',
  ]),
  { op: 'mkdir', path: group },
  { op: 'mkdir', path: group },
  ...words(`${group}/memory.high`, bytes),
  ...words(`${group}/memory.max`, bytes),
  ...words(`${group}/memory.swap.max`, bytes),
  ...words(`${group}/memory.zswap.max`, bytes),
  ...words(`${group}/memory.zswap.writeback`, ['0', '1', '2', 'x', '']),
  { op: 'mkdir', path: `${group}/child` },
  { op: 'rmdir', path: group },
  { op: 'rmdir', path: `${group}/child` },
  { op: 'rmdir', path: group },
  { op: 'rmdir', path: group },
  write('/sys/fs/cgroup/cgroup.subtree_control', '-memory'),
];

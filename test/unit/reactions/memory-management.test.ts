import { testWriteRules, type WriteRule } from '../../support/mocks.js';

const thp = '/sys/kernel/mm/transparent_hugepage';
const vm = '/proc/sys/vm';

const rule = (path: string, text: string, result: { errno: string } | { reads: string }): WriteRule => ({
  rule: `${path.split('/').slice(-2).join('/')}: ${JSON.stringify(text)} ${'errno' in result ? `is ${result.errno}` : `reads ${JSON.stringify(result.reads)}`}`,
  write: path,
  text,
  ...('errno' in result ? { errno: result.errno } : { reads: { [path]: result.reads } }),
});

testWriteRules('transparent huge pages', [
  rule(`${thp}/enabled`, 'always\n', { reads: '[always] madvise never\n' }),
  rule(`${thp}/enabled`, 'inherit', { errno: 'EINVAL' }),
  rule(`${thp}/hugepages-64kB/enabled`, 'inherit', { reads: 'always [inherit] madvise never\n' }),
  rule(`${thp}/hugepages-64kB/enabled`, ' always', { errno: 'EINVAL' }),
  rule(`${thp}/defrag`, 'defer+madvise', { reads: 'always defer [defer+madvise] madvise never\n' }),
  rule(`${thp}/shrink_underused`, '0', { reads: '0\n' }),
  rule(`${thp}/shrink_underused`, '2', { errno: 'EINVAL' }),
  rule(`${thp}/khugepaged/pages_to_scan`, '0', { errno: 'EINVAL' }),
  rule(`${thp}/khugepaged/max_ptes_none`, '511', { reads: '511\n' }),
  rule(`${thp}/khugepaged/max_ptes_none`, '512', { errno: 'EINVAL' }),
  rule(`${thp}/khugepaged/scan_sleep_millisecs`, '4294967296', { errno: 'EINVAL' }),
  rule(`${thp}/hpage_pmd_size`, '4096', { errno: 'EACCES' }),
  rule(`${thp}/hugepages-64kB/stats/zswpout`, '0', { errno: 'EACCES' }),
]);

testWriteRules('vm sysctls', [
  rule(`${vm}/page-cluster`, '0', { reads: '0\n' }),
  rule(`${vm}/page-cluster`, '31 rest\n', { reads: '31\n' }),
  rule(`${vm}/page-cluster`, '32', { errno: 'EINVAL' }),
  rule(`${vm}/page-cluster`, '-1', { errno: 'EINVAL' }),
  rule(`${vm}/swappiness`, '200', { reads: '200\n' }),
  rule(`${vm}/swappiness`, '201', { errno: 'EINVAL' }),
  rule(`${vm}/swappiness`, 'sixty', { errno: 'EINVAL' }),
  rule(`${vm}/swappiness`, '6x', { errno: 'EINVAL' }),
  rule(`${vm}/swappiness`, '0x10', { reads: '16\n' }),
  rule(`${vm}/swappiness`, '010', { reads: '8\n' }),
  rule(`${vm}/overcommit_memory`, '3', { errno: 'EINVAL' }),
  rule(`${vm}/compaction_proactiveness`, '101', { errno: 'EINVAL' }),
  rule(`${vm}/watermark_scale_factor`, '0', { errno: 'EINVAL' }),
  rule(`${vm}/watermark_scale_factor`, '3000', { reads: '3000\n' }),
  rule(`${vm}/min_free_kbytes`, '2147483648', { errno: 'EINVAL' }),
]);

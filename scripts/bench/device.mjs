// Stored pages a second through the kernel's own drivers and a software IAA device, in a guest of its own: two processes
// page out and read again (test/vm/programs/store_pages.cc). Beside it the same with the shim writing descriptors by
// value, and with compressors of the kernel's, which the guest's translated CPU has to execute itself.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output, table, takeTurns } from '../measure.mjs';

const cli = 'dist/cli.js';
const pages = 8000;
const processes = 2;
const rounds = 3;
const setting = `name: bench
matrix: { compressor: [deflate-iaa], folio: [64kB] }
zswap: { max_pool_percent: 50, shrinker_enabled: false }
iaa:
  wqs:
    - size: 128
  driver: { verify_compress: false, sync_mode: sync }
cgroup: { memory.high: 4M, memory.swap.max: max }
workload: { usemem: { processes: 1, size: 1M } }
`;

export async function run() {
  const top = mkdtempSync(join(tmpdir(), 'iaa-zswap-bench-'));
  const guest = ['--dir', join(top, 'guest')];
  const share = join(top, 'guest', 'share');
  const inGuest = (...argv) => output(cli, 'vm', 'exec', ...guest, '--', ...argv);
  const devices = () => JSON.parse(output(cli, 'vm', 'device', ...guest, 'stats'));
  try {
    output(cli, 'vm', 'start', '--devices', '4', ...guest);
    output('c++', '-std=c++20', '-O2', 'test/vm/programs/store_pages.cc', '-o', join(share, 'store_pages'));
    writeFileSync(join(share, 'setting.yaml'), setting);
    inGuest(
      process.execPath,
      join(process.cwd(), cli),
      'apply',
      '--yes',
      '--state',
      '/run/bench',
      '/share/setting.yaml',
    );
    const store = (compressor, byValue) => async () => {
      const set = `echo ${compressor} >/sys/module/zswap/parameters/compressor; echo ${byValue} >/sys/module/iaa_shim/parameters/by_value`;
      inGuest('sh', '-c', set);
      const said = JSON.parse(inGuest('/share/store_pages', String(processes), String(pages), '1'));
      if (said.wrong_words !== 0 || said.zswpout !== processes * pages) throw new Error(JSON.stringify(said));
      return said.zswpout / said.out_seconds;
    };
    const before = devices();
    const values = await takeTurns(
      {
        'deflate-iaa': store('deflate-iaa', 0),
        'deflate-iaa, by value': store('deflate-iaa', 1),
        zstd: store('zstd', 0),
        lzo: store('lzo', 0),
      },
      rounds,
    );
    console.log(table(values, 'pages a second'));
    const after = devices();
    const grown = (field, of) =>
      after.flatMap(of).reduce((sum, one) => sum + one[field], 0) -
      before.flatMap(of).reduce((sum, one) => sum + one[field], 0);
    const engines = ({ engines: all }) => all;
    const perDescriptorUs = grown('busy_ns', engines) / grown('descriptors', engines) / 1000;
    const perPageUs = (processes * 1e6) / Math.max(...values['deflate-iaa']);
    console.log(
      `a page takes a CPU of the guest ${perPageUs.toFixed(0)} us at best; its descriptor takes an engine ` +
        `${perDescriptorUs.toFixed(1)} us: the rest is the guest's own work and the way to the device and back`,
    );
  } finally {
    output(cli, 'vm', 'stop', ...guest);
    rmSync(top, { recursive: true, force: true });
  }
}

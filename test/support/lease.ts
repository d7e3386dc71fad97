/**
 * A write that hangs in the kernel, on an ordinary file: while another process holds a lease on it, open(2) for
 * writing waits, up to /proc/sys/fs/lease-break-time (45 s by default).
 */
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';

// Python, which node-gyp needs anyhow: Node has no fcntl. SIGIO tells of the wish to break the lease; not to react
// is the point.
const holder = `
import fcntl, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(sys.argv[1])
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
print("held", flush=True)
sys.stdin.read()
`;

/** Takes the lease; writes to `path` hang until `release` is called or the test is over. */
export async function holdLease(t: TestContext, path: string): Promise<{ release(): Promise<void> }> {
  const child = spawn('python3', ['-c', holder, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const release = (): Promise<void> => {
    child.stdin.end();
    return gone;
  };
  t.after(release);
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.on('error', reject);
    void gone.then(() => reject(new Error('no lease could be taken')));
  });
  return { release };
}

// Runs inside the guest: SIGKILL to a run when it has begun to run cell NUMBER.
//   killed.js PROGRAM FILE STATE NUMBER
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const [program = '', file = '', state = '', number = ''] = process.argv.slice(2);
const child = spawn(process.execPath, [program, 'run', '--yes', '--state', state, file], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
let stderr = '';
child.stderr.setEncoding('utf8').on('data', (text: string) => {
  stderr += text;
  if (new RegExp(`: cell ${number} of .*: running$`, 'm').test(stderr)) child.kill('SIGKILL');
});
const [code, signal] = await once(child, 'close');
if (signal !== 'SIGKILL') throw new Error(`not killed (code ${code}): ${stderr}`);

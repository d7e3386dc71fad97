import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/errors.js';
import { packageRoot, packageVersion } from '../../src/native/load.js';
import { iaaZswap } from '../support/program.js';

const commands = [
  'topology',
  'doctor',
  'status',
  'plan',
  'apply',
  'verify',
  'restore',
  'run',
  'report',
  'estimate',
  'vm',
];
const vmCommands = ['start', 'exec', 'run', 'status', 'stop', 'fetch'];

describe('help', () => {
  const { code, stdout, stderr } = iaaZswap(['--help']);

  it('goes to the output, with exit code 0', () => {
    assert.equal(code, 0);
    assert.equal(stderr, '');
    assert.match(stdout, /^Usage: iaa-zswap /);
  });

  it('names every command', () => {
    for (const command of commands) assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
  });

  it('names every exit code', () => {
    const [, codes = ''] = stdout.split('Exit codes:');
    for (const exitCode of Object.values(ExitCode)) assert.match(codes, new RegExp(`\\b${exitCode}\\b`));
  });

  it('ends quietly when its reader goes away', async () => {
    const child = spawn(process.execPath, [join(packageRoot(), 'dist/cli.js'), 'run', '--help']);
    child.stdout.destroy();
    const said: string[] = [];
    child.stderr.on('data', (chunk) => said.push(String(chunk)));
    const [code] = await once(child, 'close');
    assert.deepEqual([code, said.join('')], [0, '']);
  });

  it('is there for each command', () => {
    const all = [...commands.map((name) => [name]), ...vmCommands.map((name) => ['vm', name])];
    for (const words of all) {
      const help = iaaZswap([...words, '--help']);
      assert.equal(help.code, 0, help.stderr);
      assert.ok(help.stdout.startsWith(`Usage: iaa-zswap ${words.join(' ')} `), help.stdout);
    }
  });
});

describe('the words of the command line', () => {
  it('tells its version', () => {
    assert.deepEqual(iaaZswap(['--version']), { code: 0, stdout: `${packageVersion()}\n`, stderr: '' });
  });

  for (const words of [
    ['plam'],
    ['--hots', 'live', 'status'],
    ['plan'],
    ['status', 'too', 'many'],
    ['vm', 'begin'],
  ]) {
    it(`answers '${words.join(' ')}' with exit code 2 and one error`, () => {
      const { code, stdout, stderr } = iaaZswap(words);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.match(stderr, /^error: /);
    });
  }
});

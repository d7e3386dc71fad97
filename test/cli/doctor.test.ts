import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../src/native/load.js';
import { hostTree } from '../../src/testing/index.js';
import { iaaZswap } from '../support/program.js';

const archive = (name: string): string =>
  readFileSync(join(packageRoot(), 'test/hosts', `${name}.host`), 'utf8');
const experiment = join(packageRoot(), 'experiments/usemem30-64k.yaml');

test('without IAA, and whatever it finds, doctor ends well', () => {
  for (const name of ['no-iaa', 'no-zswap', 'garbage']) {
    using tree = hostTree(archive(name));
    const { code, stdout, stderr } = iaaZswap(['--host', `root:${tree.root}`, 'doctor', '--shared']);
    assert.equal(stderr, '', name);
    assert.equal(code, 0, name);
    assert.match(stdout, /^\d+ problems?, \d+ warnings?, \d+ notes?$/m);
    assert.match(stdout, /^[\n\x20-\x7e]+$/);
  }
});

test('an experiment that this machine can run', () => {
  using tree = hostTree(archive('iaa-spr-2s'));
  const { code, stdout } = iaaZswap(['--host', `root:${tree.root}`, 'doctor', '--shared', experiment]);
  assert.equal(code, 0);
  assert.match(stdout, /^cell 1 \(deflate-iaa, 64kB\): can be run here$/m);
  assert.match(stdout, /^ {2}\/sys\/bus\/dsa\/devices\/iax1: unbind wq1\.0, iax1$/m);
  assert.match(stdout, /^cell 2 \(zstd, 64kB\): can be run here$/m);
  assert.match(stdout, /^ {4}felt by: /m);
});

test('one that it cannot run is exit 3, with what is missing', () => {
  using tree = hostTree(archive('no-zswap'));
  const { code, stdout, stderr } = iaaZswap(['--host', `root:${tree.root}`, 'doctor', experiment]);
  assert.equal(code, 3);
  assert.equal(stderr, '');
  assert.match(stdout, /^cell 1 \(deflate-iaa, 64kB\): cannot be run here\n {2}missing: /m);
});

test('a file that is none is a usage error', () => {
  const { code, stdout } = iaaZswap(['doctor', '/nonexistent.yaml']);
  assert.equal(code, 2);
  assert.equal(stdout, '');
});

test('--json has all of it', () => {
  using tree = hostTree(archive('iaa-spr-2s'));
  const { code, stdout } = iaaZswap([
    '--host',
    `root:${tree.root}`,
    '--json',
    'doctor',
    '--shared',
    experiment,
  ]);
  assert.equal(code, 0);
  const { schemaVersion, source, diagnoses, shared, cells } = JSON.parse(stdout);
  assert.deepEqual([schemaVersion, source], [1, 'hardware']);
  assert.ok(diagnoses.length > 10);
  assert.equal(shared.iaa.wqs.length, 8);
  assert.deepEqual(
    cells.map(({ missing }: { missing: unknown[] }) => missing.length),
    [0, 0],
  );
});

test('topology for people and as JSON', () => {
  using tree = hostTree(archive('iaa-spr-2s-v9'));
  const text = iaaZswap(['--host', `root:${tree.root}`, 'topology']);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /^package 0 {2}node 0 {2}cpu 0-55,112-167$/m);
  assert.match(text.stdout, /^ {2}cpu 0-55,112-167 -> wq1\.0 wq3\.0 wq5\.0 wq7\.0$/m);
  const json = iaaZswap(['--host', `root:${tree.root}`, '--json', 'topology']);
  assert.equal(json.code, 0);
  const { places, iaa, mapping } = JSON.parse(json.stdout);
  assert.equal(places.length, 2);
  assert.equal(iaa.devices.length, 8);
  assert.equal(mapping.variant, 'package');
  assert.equal(mapping.cpus.length, 224);
});

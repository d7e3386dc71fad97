import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../../../src/native/load.js';
import { falseAlarms, held, power } from '../../support/power-tables.js';

/** The tables of docs/statistics.md by their titles: rows by their labels, texts by n. */
function tables(): Map<string, Map<string, Map<number, string>>> {
  const text = readFileSync(join(packageRoot(), 'docs/statistics.md'), 'utf8');
  return new Map(
    [...text.matchAll(/^\*\*(.*):\*\*\n\n((?:\|.*\n)+)/gm)].map(([, title = '', body = '']) => {
      const [head = [], , ...rows] = body
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(2, -2).split(' | '));
      const sizes = head.slice(1).map((label) => Number(label.replace('n = ', '')));
      return [
        title,
        new Map(
          rows.map(([label = '', ...cells]) => [
            label,
            new Map(cells.map((cell, index) => [sizes[index] ?? 0, cell])),
          ]),
        ),
      ];
    }),
  );
}

describe('docs/statistics.md', () => {
  const documented = tables();
  const shown = (title: string, row: string, n: number) => documented.get(title)?.get(row)?.get(n);

  it('has the tables that scripts/power-curve.mjs writes', () => {
    assert.deepEqual(
      [...documented].map(([title, rows]) => [
        title,
        rows.size,
        [...(rows.values().next().value ?? [])].length,
      ]),
      [
        ['One check, normal', 7, 6],
        ['One check, skewed', 7, 6],
        ['16 checks, normal', 7, 6],
        ['16 checks, skewed', 7, 6],
        ['Nothing has changed, yet the gate fires', 4, 6],
        ['The interval holds the median', 2, 6],
      ],
    );
  });

  // The quick ones of all: what the code gives now is what the document says.
  for (const distribution of ['normal', 'skewed'] as const) {
    it(`shows the power of one check, ${distribution}`, () => {
      for (const effect of [0.5, 1, 2, 3, 4]) {
        for (const n of [5, 6]) {
          const text = shown(`One check, ${distribution}`, `${effect} sd`, n);
          assert.equal(power(distribution, 1, effect, n), text);
        }
      }
    });

    it(`shows the power of 16 checks, ${distribution}`, () => {
      for (const n of [5, 6, 8]) {
        assert.equal(power(distribution, 16, 2, n), shown(`16 checks, ${distribution}`, '2 sd', n));
      }
    });

    it(`shows how often the gate fires where nothing has changed, ${distribution}`, () => {
      const row = (cells: number, n: number) =>
        shown('Nothing has changed, yet the gate fires', `${cells}, ${distribution}`, n);
      assert.equal(falseAlarms(distribution, 1, 6), row(1, 6));
      assert.equal(falseAlarms(distribution, 16, 6), row(16, 6));
    });

    it(`shows how often the interval holds the median, ${distribution}`, () => {
      for (const n of [5, 6, 10]) {
        assert.equal(held(distribution, n), shown('The interval holds the median', distribution, n));
      }
    });
  }
});

// Several sources in one log; tests/web/test_javascript_logs.py runs these.

import assert from 'node:assert/strict';

import { contrast, LEAST, SOURCES, THEMES } from '../../streamrelay/web/log/colors.js';
import { NOTE, REACH } from '../../streamrelay/web/log/kinds.js';
import { Lines } from '../../streamrelay/web/log/lines.js';
import { pattern } from '../../streamrelay/web/log/matches.js';
import { Shown } from '../../streamrelay/web/log/shown.js';
import { Sieve } from '../../streamrelay/web/log/sieve.js';
import { OneLog } from './one-log.mjs';

const random = (seed) => () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
};
const PARTS = [
  ...[
    'text',
    '\n',
    '\n',
    '\n',
    '\r\n',
    '\r',
    '\b',
    'ERROR: failed\n',
    '\x1b[31m',
    '\x1b[m',
    '\x1b[1A',
    '\x1b[2A\x1b[2K\r',
  ],
  ...[
    '\x1b[2B',
    '\x1b[J',
    'Traceback (most recent call last)\n',
    '  File "a.py", line 3\n',
    '    at a.b(c.js:1)\n',
    '10%',
  ],
];
const numbers = (lines) => Array.from({ length: lines.count }, (_, at) => lines.first + at);

/** What is shown of the lines of a source: pieces with their colours, level, and whether it belongs to one before. */
function looks(lines, source) {
  const shown = new Shown(lines);
  return numbers(lines)
    .filter((number) => lines.source(number) === source && shown.has(number))
    .map((number) => [lines.kind(number), shown.pieces(number), lines.level(number), lines.behind(number) > 0]);
}

/** However the texts of several sources come between each other, each looks as it does alone, also without its end. */
export function sources_own() {
  const next = random(11);
  for (let round = 0; round < 400; round += 1) {
    const merged = new Lines();
    const all = Array.from({ length: 3 }, () => [merged.writer(), new OneLog()]);
    for (let step = 0; step < 60; step += 1) {
      const [one, alone] = all[Math.floor(next() * all.length)];
      const ends = next() < 0.3;
      const part = PARTS[Math.floor(next() * PARTS.length)];
      const mark = next() < 0.05;
      for (const writer of [one, alone.own]) {
        if (mark) writer.mark(NOTE, 'note', step, ends);
        else writer.append(part, step);
      }
    }
    for (const [writer, alone] of all) assert.deepEqual(looks(merged, writer.source), looks(alone, 0), String(round));
    assert.equal(
      merged.count,
      all.reduce((sum, [, alone]) => sum + alone.count, 0),
    );
  }
}

/** Lines stand in the order in which they were whole; behind them those without an end, in that in which they began. */
export function sources_order() {
  const lines = new Lines();
  const [a, b] = [lines.writer(), lines.writer()];
  const texts = () => numbers(lines).map((number) => lines.text(number));
  a.append('a 1', 1);
  b.append('b 1\nb', 2);
  assert.deepEqual([texts(), lines.whole], [['b 1', 'a 1', 'b'], 1]);
  b.append(' 2\n', 3);
  a.append('st\n', 4);
  assert.deepEqual(texts(), ['b 1', 'b 2', 'a 1st']);
  assert.deepEqual([lines.time(1), lines.time(2)], [2, 1]); // when they began
  assert.deepEqual(
    numbers(lines).map((number) => lines.source(number)),
    [1, 1, 0],
  );
}

/** A folded trace is found and copied in its place, though lines of others stand between; a hidden source isn't. */
export function sources_folded() {
  const lines = new Lines();
  const [a, b] = [lines.writer(), lines.writer()];
  a.append('ERROR: x\n', 0);
  b.append('one\n', 0);
  a.append('    at a.b(c.js:1)\n', 0);
  b.append('two\n', 0);
  a.append('    at d.e(f.js:1)\n', 0);
  b.append('three\n', 0);
  const sieve = new Sieve(lines, new Shown(lines));
  const through = () => numbers(lines).filter((number) => sieve.through(number));
  const rows = () => ({ count: through().length, at: (row) => through()[row] });
  assert.deepEqual(
    [through(), lines.followers(0)],
    [
      [0, 1, 3, 5],
      [2, 4],
    ],
  );
  assert.deepEqual(sieve.withFolded(rows()), [0, 1, 2, 3, 4, 5]);
  sieve.toggle(0);
  assert.deepEqual([through(), sieve.withFolded(rows())], [numbers(lines), numbers(lines)]);
  sieve.hidden.add(1);
  assert.deepEqual([through(), sieve.idle, sieve.finds(1, pattern({ text: 'o' }))], [[0, 2, 4], false, false]);
  a.append('ERROR: y\n', 0);
  b.append('b\n'.repeat(REACH + 1), 0);
  a.append('    at g.h(i.js:1)\n', 0);
  assert.deepEqual([lines.followers(6), lines.behind(lines.whole - 1)], [[], 0]); // too far to be looked for
}

/** Memory is shared: what a burst of one source has pushed out is counted by whose it was. */
export function sources_dropped() {
  const lines = new Lines(5000);
  const [quiet, burst] = [lines.writer(), lines.writer()];
  quiet.append('of the quiet one\n'.repeat(100), 0);
  quiet.append('unfinished', 0);
  burst.append('x\n'.repeat(50_000), 0);
  assert.deepEqual([quiet.count, quiet.dropped, lines.text(lines.end - 1)], [0, 100, 'unfinished']);
  assert.deepEqual([burst.count + burst.dropped, lines.dropped], [50_000, lines.first]);
  assert(lines.count < 5000 + 1024 + 1);
  lines.clear();
  assert.deepEqual([lines.count, lines.dropped, burst.count], [0, 0, 0]);
}

/** A log that moves up again and again doesn't look through the lines of others each time. */
export function sources_hostile() {
  const lines = new Lines();
  const [a, b] = [lines.writer(), lines.writer()];
  a.append('a\n', 0);
  b.append('b\n'.repeat(100_000), 0);
  let looks = 0;
  const { source } = lines;
  lines.source = (number) => {
    looks += 1;
    return source.call(lines, number);
  };
  a.append('\x1b[1A'.repeat(10_000), 0);
  assert(looks < 2 * REACH, String(looks));
}

/** A source's name can be read in both themes, also where the pointer is; the first ones differ. */
export function sources_colours() {
  const hover = { light: '#edf0f5', dark: '#1f2530' };
  for (const theme of ['light', 'dark']) {
    for (const color of SOURCES[theme])
      for (const ground of [THEMES[theme].ground, hover[theme]])
        assert(contrast(color, ground) >= LEAST, `${color} in ${theme}: ${contrast(color, ground)}`);
    assert.equal(new Set(SOURCES[theme]).size, 8);
  }
}

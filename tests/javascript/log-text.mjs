// How <stream-log> shows texts; tests/web/test_javascript_logs.py runs these.

import assert from 'node:assert/strict';

import { pieces, plain } from '../../streamrelay/web/log/ansi.js';
import { several } from '../../streamrelay/web/log/several.js';

/** No character that can't be seen hides in a line: not in a word, not as a whole sentence of tags. */
export function unseen_shown() {
  for (const [line, wanted] of [
    ['pass\u200bword', 'pass<200B>word'],
    ['so\u00adft', 'so<00AD>ft'],
    ['a\u3164b\uffa0c', 'a<3164>b<FFA0>c'],
    ['x\u{e0041}\u{e0062}', 'x<E0041><E0062>'],
    ['x\u{e0100}', 'x<E0100>'],
    ['\u{1d173}', '<1D173>'],
    ['ad\u200dmin\u200c.\ufe0f', 'ad<200D>min<200C>.<FE0F>'],
    ['\u034fa\u115f\u1160\u17b4\u180e', '<034F>a<115F><1160><17B4><180E>'],
    ['\ufff9a', '<FFF9>a'],
  ])
    assert.equal(plain(line), wanted, JSON.stringify(line));
}

/** What scripts and emoji are made with stays as it is. */
export function unseen_needed() {
  for (const line of ['👩‍👩‍👧 ❤️ 1️⃣ ©️ 👍🏽', 'می‌خواهم', 'क्‍ष', 'plain é 💡\t']) assert.equal(plain(line), line);
}

/** The characters that are shown as symbols by themselves, for a comparison with the native client. */
export function unseen_all() {
  const found = [];
  for (let code = 0; code < 0x110000; code += 1) {
    if (code === 10 || code === 27 || (code >= 0xd800 && code < 0xe000)) continue;
    const text = `a${String.fromCodePoint(code)}`;
    if (plain(text) !== text) found.push(code);
  }
  return found;
}

/** How lines look, for a comparison with the native client; with its sign where something was written over. */
export function drawn_all(lines) {
  return (lines ?? []).map((line) => plain(line) + (pieces(line).over ? ' \u21ba' : ''));
}

/** One of what is counted is told in the singular, and none or more in the plural. */
export function singular() {
  assert.deepEqual(
    [0, 1, 1200].map((number) => several(number, 'line')),
    ['0 lines', '1 line', '1,200 lines'],
  );
}

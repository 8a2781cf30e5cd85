// Lines that were written over, as a terminal would have ended them; tests/web/test_javascript_logs.py runs these.

import assert from 'node:assert/strict';

import { penAfter, pieces, plain } from '../../streamrelay/web/log/ansi.js';

/** Progress bars, spinners and sections are shown as a terminal would end with them, in one line. */
export function drawn_ends() {
  for (const [line, wanted] of [
    ['\rDownloading   0% [   ]\rDownloading  50% [#  ]\rDownloading 100% [###]', 'Downloading 100% [###]'],
    ['section_start:1560896352:my_first_section\r\x1b[0KHeader of the section', 'Header of the section'],
    ['pty line with crcrlf\r', 'pty line with crcrlf'],
    ['spinner |\b/\b-\b\\\bdone', 'spinner done'],
    ['N\bNA\bAM\bME\bE overstrike', 'NAME overstrike'],
    ['long text\rshort', 'shorttext'],
    ['grep \x1b[01;31m\x1b[Kmatch\x1b[m\x1b[K end', 'grep match end'],
    ['a\tb\rcd', 'cd      b'],
    ['abc\x1b[2Dx', 'axc'],
    ['abc\x1b[1Gx\x1b[5Cy', 'xbc   y'],
    ['abcdef\r\x1b[2Px', 'xdef'],
    ['abcdef\r\x1b[2X', '  cdef'],
    ['abcdef\r\x1b[2@x', 'x abcdef'],
    ['abc\x1b[1Kd', '   d'],
    ['abc\x1b[2Kd', '   d'],
    ['日本語\rab', 'ab本語'],
    ['👍🏽é\u0301x\b\b\bok', ' okx'],
    ['a\x1b[99999999Cb', `a${' '.repeat(999)}b`],
    ['bell\x07\rB', 'Bell␇'],
  ])
    assert.equal(plain(line), wanted, JSON.stringify(line));
}

/** No line takes long, whatever it is made of. */
export function drawn_hostile() {
  const times = {};
  for (const bit of [
    'x\r',
    '\x1b[P',
    '\x1b[9@',
    'x\x1b[999999999X',
    '日\b',
    '\x1b[2K',
    '\t\x1b[65535D',
    'e\u0301',
    '\x1b[999Cx',
  ])
    for (const length of [4000, 32_768]) {
      const began = performance.now();
      plain(`${'y'.repeat(length)}\r${bit.repeat(32_768 / bit.length)}`);
      times[`${JSON.stringify(bit)} ${length}`] = performance.now() - began;
    }
  assert(Math.max(...Object.values(times)) < 5000, JSON.stringify(times));
  return times;
}

/** It is told where something that could be read was written over. */
export function drawn_over() {
  for (const [line, over] of [
    ['evil\rgood', true],
    ['evil\r\x1b[Kgood', true],
    ['evil\b \b', true],
    ['same\rsame', false],
    ['crcrlf\r', false],
    ['\rbegins', false],
    ['ends\x1b[K', false],
    ['plain', false],
  ])
    assert.equal(Boolean(pieces(line).over), over, JSON.stringify(line));
}

/** What is written over has the colours of what was written last. */
export function drawn_colours() {
  const found = pieces('\x1b[31mred text\r\x1b[32mgreen\x1b[m');
  assert.deepEqual(
    found.map(({ text, style }) => [text, style?.classes[0]]),
    [
      ['green', 'front-2'],
      ['ext', 'front-1'],
    ],
  );
}

/** Colours go on in the lines that follow, until they are reset. */
export function pens_go_on() {
  let pen = 0;
  const classes = ['\x1b[1;31mTraceback', '  File "a.py"', 'ValueError\x1b[0m', 'plain'].map((line) => {
    const first = pieces(line, pen)[0].style?.classes ?? [];
    pen = penAfter(line, pen);
    return first.join(' ');
  });
  assert.deepEqual(classes, ['bold front-1', 'bold front-1', 'bold front-1', '']);
  assert.equal(penAfter('\x1b[38;2;1;2;3mx', 0), penAfter('\x1b[38;2;1;2;3my', 0));
  for (let at = 0; at < 70_000; at += 1) pen = penAfter(`\x1b[38;2;${at % 256};${(at >> 8) & 255};${at >> 16}mx`, 0);
  assert.equal(pen, 0); // so many states aren't remembered
}

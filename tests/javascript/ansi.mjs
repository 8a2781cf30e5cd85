// How <stream-log> reads the escapes of a line; tests/live/viewers/test_log_viewer.py runs these.

import assert from 'node:assert/strict';

import { pieces, plain } from '../../streamrelay/web/log/ansi.js';

/** Escapes go, colours don't, and what can't be seen or turns the order of letters around is shown. */
export function ansi_plain() {
  for (const [line, wanted] of [
    ['plain \t text é 💡', 'plain \t text é 💡'],
    ['\x1b[31mred\x1b[0m', 'red'],
    ['\x9b31mred\x9b0m', 'red'],
    ['\x1b]0;title\x07after', 'after'],
    ['\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\', 'link'],
    ['\x1b]52;c;b3duZWQ=\x07', ''],
    ['\x1bP$q"p\x1b\\x', 'x'],
    ['\x1b]0;no end, so what follows is shown', '0;no end, so what follows is shown'],
    ['\x1b[2J\x1b[H\x1b(B\x1b=\x1bM', ''],
    ['\x1b[31', '31'],
    ['a\x1b', 'a␛'],
    ['a\x00b\x07c\x0bd\x7f', 'a␀b␇c␋d␡'],
    ['\x85\u202etxt.exe\u2066', '<0085><202E>txt.exe<2066>'],
    ['\uFEFF\x1b[1mfirst\uFEFF', 'first<FEFF>'],
    ['<b>&amp;</b>', '<b>&amp;</b>'],
  ]) {
    assert.equal(plain(line), wanted, JSON.stringify(line));
    assert.equal(
      pieces(line)
        .map(({ text }) => text)
        .join(''),
      wanted,
      JSON.stringify(line),
    );
  }
}

/** The 16 colours are classes, all others colours; attributes come and go; inverse turns both around. */
export function ansi_colours() {
  const style = (codes) => pieces(`\x1b[${codes}mx`)[0].style;
  const of = (classes, color = '', background = '') => ({ classes, color, background });
  for (const [codes, wanted] of [
    ['0', null],
    ['', null],
    ['31', of(['front-1'])],
    ['97', of(['front-15'])],
    ['42', of(['back-2'])],
    ['103', of(['back-11'])],
    ['1;3;4;9;2', of(['bold', 'italic', 'underline', 'struck', 'faint'])],
    ['1;4;22;24', null],
    ['38;5;9', of(['front-9'])],
    ['38;5;16', of([], 'rgb(0 0 0)')],
    ['38;5;208', of([], 'rgb(255 135 0)')],
    ['38;5;255', of([], 'rgb(238 238 238)')],
    ['48;2;1;2;3', of([], '', 'rgb(1 2 3)')],
    ['38:2::1:2:3', of([], 'rgb(1 2 3)')],
    ['38:2:1:2:3', of([], 'rgb(1 2 3)')],
    ['4:3', of(['underline'])],
    ['4:0', null],
    ['38;2;300;0;0', null],
    ['38;5', null],
    ['38;2;1', null],
    ['38;5;1;1', of(['bold', 'front-1'])],
    ['31;39', null],
    ['8', null],
    ['999', null],
    ['7;31', of(['inverse', 'back-1', 'front-ground'])],
    ['7', of(['inverse', 'front-ground', 'back-text'])],
    ['7;27', null],
  ])
    assert.deepEqual(style(codes), wanted, codes);
}

/** A line is in pieces where its colours change. */
export function ansi_pieces() {
  assert.deepEqual(
    pieces('a\x1b[1mb\x1b[31mc\x1b[md').map(({ text, style: each }) => [text, each?.classes ?? null]),
    [
      ['a', null],
      ['b', ['bold']],
      ['c', ['bold', 'front-1']],
      ['d', null],
    ],
  );
}

/** No line takes long, whatever it is made of: half a megabyte of the worst is done in a moment. */
export function ansi_hostile() {
  const began = performance.now();
  for (const bit of [
    '\x1b',
    '\x1b[',
    '\x1b]',
    '\x9d',
    '\x90',
    '\x9b',
    '\x1b[1;',
    '\x1bP\x1b',
    '\x1b[;:',
    '\x1b[0m',
    '\x1b ',
  ]) {
    const line = bit.repeat(65_536 / bit.length);
    plain(line);
    pieces(line);
  }
  return performance.now() - began;
}

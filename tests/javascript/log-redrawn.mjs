// Rows that later lines write over; tests/web/test_javascript_logs.py runs these.

import assert from 'node:assert/strict';

import { LOST, RESUMED, TEXT } from '../../streamrelay/web/log/kinds.js';
import { Matches, pattern } from '../../streamrelay/web/log/matches.js';
import { Shown } from '../../streamrelay/web/log/shown.js';
import { Sieve } from '../../streamrelay/web/log/sieve.js';
import { OneLog } from './one-log.mjs';

const rows = (lines, shown = new Shown(lines)) =>
  Array.from({ length: lines.count }, (_, at) => lines.first + at)
    .filter((number) => shown.has(number))
    .map((number) => shown.plain(number));

/** The rows of a text, whatever pieces it comes in. */
function ends(text, wanted) {
  for (const size of [1, 2, 3, 7, 100, text.length]) {
    const lines = new OneLog();
    for (let at = 0; at < text.length; at += size) lines.append(text.slice(at, at + size), 0);
    assert.deepEqual(rows(lines), wanted, `in pieces of ${size}`);
    assert.equal(rows(lines, Object.assign(new Shown(lines), { raw: true })).length, lines.count);
  }
}

/** What `docker pull` draws, by moves up and down within one line that has no end. */
export function redrawn_docker() {
  const step = (up, text) => `\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`;
  ends(
    `latest: Pulling\na1: Waiting\nb2: Waiting\n${step(2, 'a1: Downloading 10%')}${step(1, 'b2: Downloading 5%')}` +
      `${step(2, '\x1b[32ma1: Pull complete\x1b[m')}${step(1, 'b2: Pull complete')}Digest: sha256:77\nStatus: done\n`,
    ['latest: Pulling', 'a1: Pull complete', 'b2: Pull complete', 'Digest: sha256:77', 'Status: done'],
  );
}

/** What draws all its lines again and again, as `docker compose` and builds do: fewer and more of them. */
export function redrawn_again() {
  ends('begin\none 1\ntwo 1\n\x1b[2Aone 2\ntwo 2\n\x1b[2A\x1b[Jone 3\n\x1b[1A\x1b[2Kone\ntwo\nthree\nafter', [
    'begin',
    'one',
    'two',
    'three',
    'after',
  ]);
  ends('x\n\x1b[2K\x1b[1A\x1b[2K\x1b[Gy\nz\n', ['y', 'z']);
  ends('a\nb\x1b[Fc\x1b[Ed\n', ['c', 'd']);
  ends('above\n\x1b[9Aup\x1b[9Bdown\n', ['upove', '  down']);
}

/** A progress bar of megabytes stays one row; a long line that nothing writes over goes on in the next one. */
export function redrawn_long() {
  const lines = new OneLog();
  for (let at = 0; at < 20_000; at += 1) lines.append(`\rDownloading ${String(at).padStart(30)}`, 0);
  lines.append('\ndone\n', 0);
  assert.deepEqual(rows(lines), [`Downloading ${'19999'.padStart(30)}`, 'done']);
  assert(lines.count > 10);
  const endless = new OneLog();
  endless.append(`${'z'.repeat(100_000)}\n`, 0);
  assert.equal(rows(endless).length, 2);
}

/** Words of ours between don't move what is written over; where lines are missing nothing goes up beyond. */
export function redrawn_marks() {
  const lines = new OneLog();
  lines.append('one\ntwo\n\x1b[1Atw', 0);
  lines.mark(RESUMED, 'again', 0, false);
  lines.append('in\n\x1b[2AONE\n', 0);
  assert.deepEqual(rows(lines), ['ONE', 'twin', 'again']);
  lines.mark(LOST, 'lost', 0, true);
  lines.append('\x1b[31mthree\n\x1b[5AFOUR\n', 0);
  assert.deepEqual(rows(lines), ['ONE', 'twin', 'again', 'lost', 'FOURe']);
  lines.mark(LOST, 'lost', 0, true);
  lines.append('five\n', 0);
  assert.equal(new Shown(lines).pieces(lines.end - 1)[0].style, null);
  assert.equal(lines.kind(lines.end - 1), TEXT);
}

/** What was found stands for what is there now. */
export function redrawn_found() {
  const lines = new OneLog();
  const shown = new Shown(lines);
  const [sieve, searched] = [new Sieve(lines, shown), pattern({ text: 'wait' })];
  const matches = new Matches(
    lines,
    (number) => sieve.finds(number, searched),
    () => {},
  );
  const update = () => {
    matches.back(lines.takeTouched());
    matches.update();
    return Array.from({ length: matches.count }, (_, at) => matches.at(at));
  };
  lines.append('a wait\nb wait\nc wait\n', 0);
  assert.deepEqual(update(), [0, 1, 2]);
  lines.append('\x1b[2Ab done\n', 0);
  assert.deepEqual(update(), [0, 2]);
  lines.append('c wait\nlast wait\n', 0);
  assert.deepEqual(update(), [0, 2, 3]);
}

/** Old rows go with the oldest lines, and moves up end at those that are there. */
export function redrawn_dropped() {
  const lines = new OneLog(2000);
  for (let at = 0; at < 20_000; at += 1) lines.append(`line ${at}\n${at % 5 ? '' : '\x1b[1AL\n'}`, 0);
  assert.equal(rows(lines).at(-1), 'line 19999');
  assert.equal(rows(lines).at(-5), 'Line 19995');
  lines.append('\x1b[9999999999Atop\n', 0);
  assert.equal(rows(lines).filter((row) => row.startsWith('top')).length, 1);
}

/** What is drawn again and again for longer than lines are kept goes on with new rows, none of them twice. */
export function redrawn_for_days() {
  const lines = new OneLog(2000);
  lines.append('a\nb\n', 0);
  for (let at = 0; at < 20_000; at += 1) lines.append(`\x1b[2A\x1b[Ka ${at}\n\x1b[Kb ${at}\n`, 0);
  assert.deepEqual(rows(lines).slice(-2), ['a 19999', 'b 19999']);
  assert(rows(lines).length < 10, String(rows(lines)));
  lines.append('\x1b[9Aend\n', 0);
}

/** No text takes long, whatever it is made of. */
export function redrawn_hostile() {
  const times = {};
  for (const bit of [
    '\x1b[A',
    '\x1b[999A\n',
    'x\n\x1b[2A',
    '\x1b[99A\x1b[J\x1b[99B',
    '\x1b[A\x1b[',
    '\x1b[A\x1b]0;',
    '\x1b[A\x1b',
    'x\x1b[A\r',
  ]) {
    const lines = new OneLog();
    for (let at = 0; at < 300; at += 1) lines.append(`${'y'.repeat(300)}\n`, 0);
    const began = performance.now();
    const all = bit.repeat(131_072 / bit.length);
    for (let at = 0; at < all.length; at += 4001) lines.append(all.slice(at, at + 4001), 0);
    rows(lines);
    times[JSON.stringify(bit)] = performance.now() - began;
  }
  assert(Math.max(...Object.values(times)) < 5000, JSON.stringify(times));
  return times;
}

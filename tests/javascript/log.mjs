// The modules of <stream-log> that need no page; tests/live/viewers/test_log_viewer.py runs these.

import assert from 'node:assert/strict';

import { plain } from '../../streamrelay/web/log/ansi.js';
import { Feed } from '../../streamrelay/web/log/feed.js';
import { LOST, RESUMED, SKIPPED, TEXT } from '../../streamrelay/web/log/kinds.js';
import { Matches, pattern } from '../../streamrelay/web/log/matches.js';
import { Shown } from '../../streamrelay/web/log/shown.js';
import { Sieve } from '../../streamrelay/web/log/sieve.js';
import { OneLog } from './one-log.mjs';

const all = (lines) => Array.from({ length: lines.count }, (_, at) => lines.text(lines.first + at));
const random = (seed) => () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
};

/** Lines come out as they went in, however the text was cut, with their times, and the last one without its end. */
export function lines_cut() {
  const next = random(7);
  for (let round = 0; round < 300; round += 1) {
    const wanted = Array.from({ length: Math.floor(next() * 40) }, () => 'x'.repeat(Math.floor(next() * 20)));
    const text = wanted.join('\n');
    const lines = new OneLog();
    for (let at = 0; at < text.length; ) {
      const size = 1 + Math.floor(next() * 30);
      lines.append(text.slice(at, at + size), at);
      at += size;
    }
    if (wanted.at(-1) === '') wanted.pop();
    assert.deepEqual(all(lines), wanted);
    assert.equal(lines.end - lines.whole, text && !text.endsWith('\n') ? 1 : 0);
  }
}

/** The oldest go, in blocks, and the others keep their numbers; no more than was said stay, but for one block. */
export function lines_dropped() {
  const lines = new OneLog(10_000);
  for (let number = 0; number < 100_000; number += 1) lines.append(`line ${number}\n`, number);
  assert(lines.count >= 10_000 && lines.count < 10_000 + 1024, String(lines.count));
  for (let number = lines.first; number < lines.end; number += 1) {
    assert.equal(lines.text(number), `line ${number}`);
    assert.equal(lines.time(number), number);
  }
  const long = new OneLog(1e6, 1 << 20);
  for (let number = 0; number < 5000; number += 1) long.append(`${'y'.repeat(1000)}\n`, 0);
  assert(long.count < 1024 * 3, String(long.count));
  assert.equal(long.end, 5000);
  lines.clear();
  assert.equal(lines.count, 0);
  lines.append('again\n', 1);
  assert.deepEqual(all(lines), ['again']);
}

/** CRLF is an end of line; a line that never ends goes on in further ones, and none of it is missing. */
export function lines_odd() {
  const lines = new OneLog();
  lines.append('one\r\ntwo\r', 0);
  lines.append('\nthree', 0);
  assert.deepEqual(all(lines), ['one', 'two', 'three']);
  const endless = new OneLog();
  for (let at = 0; at < 100; at += 1) endless.append('z'.repeat(3000), 0);
  endless.append('end\n', 0);
  assert.equal(all(endless).join(''), `${'z'.repeat(300_000)}end`);
  assert(all(endless).every((line) => line.length <= 65_536));
}

/** Words of ours stand where they belong: before a line without its end, or behind it. */
export function lines_marks() {
  const lines = new OneLog();
  lines.append('one\ntw', 0);
  lines.mark(RESUMED, 'again', 1, false);
  lines.append('o\nthr', 2);
  lines.mark(SKIPPED, '5', 3, true);
  lines.append('six\n', 4);
  assert.deepEqual(all(lines), ['one', 'again', 'two', 'thr', '5', 'six']);
  assert.deepEqual(
    Array.from({ length: 6 }, (_, at) => lines.kind(at)),
    [TEXT, RESUMED, TEXT, TEXT, SKIPPED, TEXT],
  );
}

/** A million lines of 100 characters cost little more than their characters. */
export function lines_memory() {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed + process.memoryUsage().external;
  const lines = new OneLog();
  const chunk = `${'m'.repeat(99)}\n`.repeat(640);
  for (let number = 0; number < 1_000_000; number += 640) lines.append(chunk, number);
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return { lines: lines.count, bytes: heapUsed + external - before };
}

const settled = async (matches) => {
  while (!matches.done)
    await new Promise((awake) => {
      setTimeout(awake, 1);
    });
  return Array.from({ length: matches.count }, (_, at) => matches.at(at));
};

/** Matches are those that a plain search finds, also of lines that come later, and none that was dropped. */
export async function matches_exact() {
  const lines = new OneLog(5000);
  const next = random(3);
  const found = pattern({ text: 'B.b', expression: true });
  const sieve = sieved(lines, { expression: pattern({ text: 'no' }), inverse: true });
  const matches = new Matches(
    lines,
    (number) => sieve.finds(number, found),
    () => {},
  );
  for (let number = 0; number < 40_000; number += 1) {
    lines.append(`${['bab', 'BxB', '\x1b[1mb\x1b[0mob', 'no bab', 'other'][Math.floor(next() * 5)]}\n`, 0);
    if (number % 777 === 0) matches.update();
  }
  lines.mark(LOST, 'bab', 0, true);
  matches.update();
  const numbers = await settled(matches);
  const wanted = [];
  for (let number = lines.first; number < lines.end; number += 1) {
    if (lines.kind(number) === TEXT && ['bab', 'BxB', 'bob'].includes(plain(lines.text(number)))) wanted.push(number);
  }
  matches.update();
  assert.deepEqual(
    numbers.filter((number) => number >= lines.first),
    wanted,
  );
  assert.deepEqual(
    wanted.slice(0, 50).map((number) => matches.rank(number)),
    wanted.slice(0, 50).map((_, at) => at),
  );
}

const sieved = (lines, settings) => Object.assign(new Sieve(lines, new Shown(lines)), settings);

/** Which of these lines are found, and whether a word of ours behind them is. */
function found(texts, searched, filter) {
  const lines = new OneLog();
  for (const text of texts) lines.append(`${text}\n`, 0);
  lines.mark(LOST, 'a', 0, true);
  const sieve = sieved(lines, filter);
  return Array.from({ length: lines.count }, (_, number) =>
    searched ? sieve.finds(number, searched) : sieve.through(number),
  );
}

/** What is typed is plain text unless it is said to be an expression. */
export function matches_patterns() {
  assert.equal(pattern({ text: '' }), null);
  assert.throws(() => pattern({ text: '(', expression: true }), SyntaxError);
  for (const [typed, text, fits] of [
    [{ text: 'a.c' }, 'xA.Cx', true],
    [{ text: 'a.c' }, 'abc', false],
    [{ text: '(' }, '(', true],
    [{ text: 'A', exact: true }, 'a', false],
    [{ text: '^a+$', expression: true }, 'AA', true],
  ])
    assert.equal(found([text], pattern(typed), null)[0], fits, JSON.stringify(typed));
  const inverse = { expression: pattern({ text: 'a' }), inverse: true };
  assert.deepEqual(found(['a', 'b'], null, inverse), [false, true, true]);
}

/** A million lines are searched in slices: how long all of it took, and how long nothing else had its turn at most. */
export async function matches_million() {
  const lines = new OneLog();
  const text = Array.from({ length: 1000 }, (_, at) => `${at} GET /some/path 200 in ${at} ms ${'-'.repeat(60)}\n`).join(
    '',
  );
  for (let at = 0; at < 1000; at += 1) lines.append(text, 0);
  const [sieve, searched] = [sieved(lines, {}), pattern({ text: 'in 77 ms' })];
  const matches = new Matches(
    lines,
    (number) => sieve.finds(number, searched),
    () => {},
  );
  const began = performance.now();
  let [last, longest] = [began, 0];
  matches.update();
  while (!matches.done) {
    await new Promise((awake) => {
      setTimeout(awake, 0);
    });
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return { count: matches.count, all: last - began, longest };
}

/** Streams in a row: one that goes on at its place is one text with the first, also within a character. */
export async function feed_places() {
  const lines = new OneLog();
  const feed = new Feed(lines.own, () => {});
  const light = new TextEncoder().encode('💡 one\ntwo');
  const stream = (items) => ({
    place: { place: 'p', after: 3 },
    items: new ReadableStream({
      start(sink) {
        for (const item of items) sink.enqueue(item);
        sink.close();
      },
    }),
  });
  await feed.read(stream([{ place: 'p' }, light.subarray(0, 2)]));
  assert.deepEqual(feed.place, { place: 'p', after: 3 });
  await feed.read(stream([{ place: 'p' }, light.subarray(2)]));
  await feed.read(stream([{ place: 'q', lost: true }, new TextEncoder().encode('last\n')]));
  await feed.read(stream([{ place: 'q' }, { skipped: 1234 }, { place: 'r' }, new TextEncoder().encode('newest')]));
  await feed.read(stream([new TextEncoder().encode('raw\n')]));
  return Array.from({ length: lines.count }, (_, at) => [lines.kind(at), lines.text(at)]);
}

/** What the agent says of a log stands between the lines as one line of text, and cuts no line or character in two. */
export async function feed_notes() {
  const lines = new OneLog();
  const feed = new Feed(lines.own, () => {});
  const light = new TextEncoder().encode('💡 one\n');
  const items = new ReadableStream({
    start(sink) {
      const note = 'waiting for the log: \u001b[2Jit\ndoes <b>not</b> exist';
      for (const item of [{ place: 'p' }, light.subarray(0, 2), { note }, { note: '' }, { note: 7 }])
        sink.enqueue(item);
      for (const item of [light.subarray(2), { note: 'x'.repeat(4000) }, { place: 'q', nuls: 5000000 }])
        sink.enqueue(item);
      sink.close();
    },
  });
  await feed.read({ place: null, items });
  return Array.from({ length: lines.count }, (_, at) => [lines.kind(at), lines.text(at)]);
}

/** UTF-16 is decoded where the agent tells it, and UTF-8 again behind it, also by a stream that goes on. */
export async function feed_encodings() {
  const lines = new OneLog();
  const feed = new Feed(lines.own, () => {});
  const wide = utf16('\uFEFFGrün \u{1F4A1}\nnext\n');
  const stream = (given) => ({
    place: null,
    items: new ReadableStream({
      start(sink) {
        for (const item of given) sink.enqueue(item);
        sink.close();
      },
    }),
  });
  const place = { place: 'p', encoding: 'utf-16le' };
  await feed.read(stream([{ place: 'o' }, new TextEncoder().encode('€\n'), place, wide.subarray(0, 13)]));
  await feed.read(stream([place, wide.subarray(13), { place: 'q' }, new TextEncoder().encode('€uro\n')]));
  await feed.read(stream([{ place: 'r', encoding: 'ibm866' }, new TextEncoder().encode('€nd\n')]));
  return Array.from({ length: lines.count }, (_, at) => lines.text(at)).filter((_, at) => lines.kind(at) === 0);
}

function utf16(text) {
  return new Uint8Array(Uint16Array.from(text.split(''), (unit) => unit.charCodeAt(0)).buffer);
}

/** On a page in the background, whose timers come once a second or a minute, a log waits for none of them. */
export async function feed_unseen() {
  const lines = new OneLog();
  const feed = new Feed(lines.own, () => {});
  const { setTimeout: prompt } = globalThis;
  Object.assign(globalThis, { document: { hidden: true }, setTimeout: () => {} });
  const began = performance.now();
  let [number, late] = [0, 0];
  const pull = (sink) => {
    sink.enqueue(new TextEncoder().encode(`line ${number++}\n`));
    if (number < 100 || performance.now() - began < 50) return; // longer than several of its slices
    late = number;
    sink.close();
  };
  await feed.read({ place: null, items: new ReadableStream({ pull }) });
  Object.assign(globalThis, { document: undefined, setTimeout: prompt });
  assert.equal(lines.count, late);
  return late;
}

// What docs/protocol.rst, "Channels", says of the client, by the page's own one. The agent is the test.

import assert from 'node:assert/strict';

import { Channels } from '../../streamrelay/web/viewers/spice-channels.js';
import { DATA, END, EOF, FrameReader, frame, OPEN, WINDOW } from '../../streamrelay/web/viewers/spice-frames.js';

const START = 128 << 10;
const text = (words) => new TextEncoder().encode(words);
const finished = (code, words = '') => Uint8Array.from([code >> 8, code & 255, ...text(words)]);

/** Until what is under way has come. */
async function turn() {
  await new Promise((later) => setTimeout(later));
}

/** A stream that carries channels: what its page says, and what its agent does. */
function carrying({ channels = 3 } = {}) {
  const said = [];
  const frames = new FrameReader((kind, number, content) => said.push([kind, number, content]));
  const about = { left: 0, said, say: null, raw: null, end: null };
  const stream = {
    ticket: { channels },
    writable: new WritableStream({ write: (bytes) => frames.take(bytes) }),
    readable: new ReadableStream({
      start: (agent) => {
        about.say = (...all) => agent.enqueue(frame(...all));
        about.raw = (bytes) => agent.enqueue(bytes);
      },
    }),
    closed: new Promise((settle) => {
      about.end = settle;
    }),
    close: () => {
      about.left += 1;
    },
  };
  return { ...about, about, all: new Channels(stream) };
}

function heard(channel) {
  const pieces = [];
  channel.onmessage = ({ data }) => pieces.push(new TextDecoder().decode(data));
  return pieces;
}

/** What has come before anybody takes it isn't lost: a server may speak first. */
export async function channels_keep_what_comes_early() {
  const { all, say } = carrying();
  say(DATA, 1, text('early, '));
  await turn();
  const pieces = heard(all.open());
  say(DATA, 1, text('late'));
  await turn();
  assert.deepEqual(pieces, ['early, ', 'late']);
}

/** The first channel is there, others are opened, each has what is its own. */
export async function channels_are_apart() {
  const { all, said, say } = carrying();
  const [one, two] = [all.open(), all.open()];
  const [first, second] = [heard(one), heard(two)];
  one.send(text('to one').buffer);
  two.send(text('to two').buffer);
  say(DATA, 2, text('second'));
  say(DATA, 1, text('first'));
  await turn();
  assert.deepEqual([first, second], [['first'], ['second']]);
  const told = said.map(([kind, number, content]) => [kind, number, new TextDecoder().decode(content)]);
  assert.deepEqual(told, [
    [OPEN, 2, ''],
    [DATA, 1, 'to one'],
    [DATA, 2, 'to two'],
  ]);
}

/** Frames may come in any pieces. */
export async function channels_take_any_pieces() {
  for (const size of [1, 7, 8, 9, 100]) {
    const { all: own, about } = carrying();
    const pieces = heard(own.open());
    const bytes = [
      frame(DATA, 1, text('hello')),
      frame(WINDOW, 1, Uint8Array.of(0, 0, 0, 9)),
      frame(DATA, 1, text('!')),
    ];
    const whole = Uint8Array.from(bytes.flatMap((one) => [...one]));
    for (let at = 0; at < whole.length; at += size) about.raw(whole.slice(at, at + size));
    await turn();
    assert.equal(pieces.join(''), 'hello!', `${size} bytes at once`);
  }
}

/** No more is sent than the agent takes, and the rest once it takes more. */
export async function channels_keep_to_the_window() {
  const { all, said, say } = carrying();
  const sent = () => said.reduce((sum, [kind, , content]) => sum + (kind === DATA ? content.byteLength : 0), 0);
  const channel = all.open();
  channel.send(new Uint8Array(START + 1000));
  await turn();
  assert.equal(sent(), START);
  say(WINDOW, 1, Uint8Array.of(0, 0, 3, 232));
  await turn();
  assert.equal(sent(), START + 1000);
}

/** What was taken is given back, and a window that passes quickly grows. */
export async function channels_give_windows_back() {
  const { all, said, say } = carrying();
  const pieces = heard(all.open());
  for (let sent = 0; sent < START; sent += 32768) say(DATA, 1, new Uint8Array(32768));
  await turn();
  const given = said
    .filter(([kind]) => kind === WINDOW)
    .map(([, , content]) => new DataView(content.buffer).getUint32(0));
  assert.deepEqual([pieces.length, given], [4, [START / 2, START / 2 + START]]);
}

/** An end has its outcome, is answered, and ends no other channel. */
export async function channels_end_alone() {
  const { all, said, say } = carrying();
  const [one, two] = [all.open(), all.open()];
  say(END, 2, finished(4001, 'nothing listens'));
  const ended = await two.closed;
  assert.deepEqual([ended.code, ended.reason], [4001, 'nothing listens']);
  one.close();
  assert.equal((await one.closed).code, 1000);
  say(DATA, 1, text('late'));
  say(END, 1, finished(1000));
  await turn();
  const ends = said.filter(([kind]) => kind === END).map(([, number, content]) => [number, [...content]]);
  assert.deepEqual(ends, [
    [2, [15, 161]],
    [1, [3, 232]],
  ]);
}

/** An end of file is answered by ours, behind what is unsent. */
export async function channels_answer_an_end_of_file() {
  const { all, said, say } = carrying();
  all.open().send(new Uint8Array(START + 1));
  say(EOF, 1);
  await turn();
  assert.ok(said.every(([kind]) => kind === DATA));
  say(WINDOW, 1, Uint8Array.of(0, 0, 0, 9));
  say(WINDOW, 1, Uint8Array.of(0, 0, 0, 9));
  await turn();
  const kinds = said.slice(-2).map(([kind]) => kind);
  assert.deepEqual(kinds, [DATA, EOF]);
}

/** With the stream all channels end, by its outcome; and the stream is left once their ends are said. */
export async function channels_end_with_the_stream() {
  const { all, end } = carrying();
  const channel = all.open();
  end({ code: 4006, reason: 'so', clean: false });
  assert.equal((await channel.closed).code, 4006);
  const left = carrying();
  const own = left.all.open();
  await left.all.close();
  assert.deepEqual([left.about.left, (await own.closed).code, left.said.length], [1, 1000, 1]);
}

/** A channel too many, and an agent that breaks the protocol, are said. */
export async function channels_say_faults() {
  const { all } = carrying({ channels: 1 });
  all.open();
  assert.equal((await all.open().closed).code, 1013);
  for (const bytes of [frame(9, 1, text('x')), frame(DATA, 7, text('x')), frame(OPEN, 1), frame(DATA, 1)]) {
    const { all: own, about } = carrying();
    const channel = own.open();
    about.raw(bytes);
    assert.deepEqual([(await channel.closed).code, about.left], [1002, 1]);
  }
}

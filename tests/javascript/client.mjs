// Scenarios of the JavaScript client against a real chain; tests/live/javascript/test_javascript.py runs them and is the target.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

import { ask, connect, open, outcome, Refused } from '../../streamrelay/web/streamrelay.js';

/** Bytes that look random and are the same in every run (xorshift). */
export function* seeded(size, seed, step) {
  let state = seed;
  for (let sent = 0; sent < size; sent += step) {
    const words = new Uint32Array(Math.min(step, size - sent) / 4);
    for (let index = 0; index < words.length; index += 1) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[index] = state;
    }
    yield new Uint8Array(words.buffer);
  }
}

async function digest(readable, size = Infinity) {
  const sum = createHash('sha256');
  let count = 0;
  for await (const bytes of readable.values({ preventCancel: true })) {
    assert(bytes instanceof Uint8Array);
    sum.update(bytes);
    count += bytes.byteLength;
    if (count >= size) break;
  }
  return { count, sum: sum.digest('hex') };
}

/** Much both ways at once, with a hash of each; then both ends end. */
export async function both_ways({ wanted, size }) {
  const stream = await open(wanted);
  const sum = createHash('sha256');
  const writing = (async () => {
    const writer = stream.writable.getWriter();
    for (const bytes of seeded(size, 7, 300_000)) {
      sum.update(bytes);
      await writer.write(bytes);
    }
    await writer.close();
  })();
  const [got] = await Promise.all([digest(stream.readable), writing]);
  return { got, sent: sum.digest('hex'), outcome: await stream.closed, ticket: { ...stream.ticket, url: '' } };
}

/** An error as it is told. */
const told = ({ name, message, status, code, transient, retryAfter, outcome: end }) => ({
  name,
  message,
  status,
  code,
  transient,
  retryAfter,
  outcome: end,
});

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return told(error);
  }
  throw new Error('it was not refused');
}

/** Our end of file comes first: the target still has something to say. */
export async function half_close_here({ wanted }) {
  const stream = await open(wanted);
  const writer = stream.writable.getWriter();
  await writer.write('grüße');
  await writer.close();
  const got = await new Response(stream.readable).text();
  return { got, outcome: await stream.closed };
}

/** The target's end of file comes first: we still have something to say. */
export async function half_close_there({ wanted }, { next }) {
  const stream = await open(wanted);
  const got = await new Response(stream.readable).text();
  await next();
  const writer = stream.writable.getWriter();
  for (const bytes of seeded(1 << 20, 3, 65536)) await writer.write(bytes);
  await writer.close();
  return { got, outcome: await stream.closed };
}

/** A reader that doesn't read until it is told to. */
export async function slow_reader({ wanted, size }, { next, tell }) {
  const stream = await open(wanted);
  tell('open');
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 100);
  const before = process.memoryUsage().rss;
  await next();
  clearInterval(timer);
  const got = await digest(stream.readable, size);
  stream.close();
  return { got, grown: (most - before) / (1 << 20), outcome: await stream.closed };
}

/** A writer whose target doesn't read until later. */
export async function slow_target({ wanted, size }, { tell }) {
  const sockets = [];
  class Watched extends WebSocket {
    constructor(...given) {
      super(...given);
      sockets.push(this);
    }
  }
  const stream = await open({ ...wanted, WebSocket: Watched });
  const writer = stream.writable.getWriter();
  const sum = createHash('sha256');
  let sent = 0;
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, sockets[0].bufferedAmount);
  }, 20);
  const still = setTimeout(() => tell({ sent, most }), 3000);
  for (const bytes of seeded(size, 11, 200_000)) {
    sum.update(bytes);
    await writer.write(bytes);
    sent += bytes.byteLength;
  }
  await writer.close();
  clearInterval(timer);
  clearTimeout(still);
  return { sum: sum.digest('hex'), most, outcome: await stream.closed };
}

/** A terminal: its size, and the status of its end. */
export async function terminal({ wanted }) {
  const stream = await open(wanted);
  const writer = stream.writable.getWriter();
  let shown = '';
  const seen = [];
  const reading = (async () => {
    for await (const item of stream.items) {
      if (item instanceof Uint8Array) shown += new TextDecoder().decode(item);
      else seen.push(item);
    }
  })();
  const until = async (text) => {
    while (!shown.includes(text)) await new Promise((awake) => setTimeout(awake, 20));
  };
  await until('ready>');
  for (let columns = 50; columns <= 117; columns += 1) stream.resize(columns, 43); // as when a window is dragged
  await new Promise((awake) => setTimeout(awake, 600));
  await writer.write('stty size\r');
  await until('43 117');
  assert.throws(() => stream.resize(0, 24), RangeError);
  assert.throws(() => stream.resize(80, NaN), RangeError);
  await writer.write('exit 3\r');
  await reading;
  stream.writable.abort().catch(() => {});
  return { seen, outcome: await stream.closed };
}

/** Why there is no stream. */
export async function refused({ cases }) {
  const answers = [];
  for (const wanted of cases) {
    const error = await ask(wanted).then(
      () => null,
      (why) => why,
    );
    assert(error instanceof Refused && error instanceof Error);
    answers.push(told(error));
  }
  return answers;
}

/** A stream until its end: how it ended, and what its reader and its writer were told. */
export async function ended({ wanted, url }, { tell }) {
  const stream = url ? await connect(url) : await open(wanted);
  const writer = stream.writable.getWriter();
  await writer.write('here');
  tell('open');
  const read = await new Response(stream.readable).text().then((text) => ({ text }), told);
  const end = await stream.closed;
  return { outcome: end, read, written: await refusal(writer.write('more')) };
}

/** Websockets that can't be opened. */
export async function unopened({ urls }) {
  const errors = [];
  for (const url of urls) errors.push(await refusal(connect(url)));
  return errors;
}

/** A signal ends asking, opening and the stream; each rejects with its reason. */
export async function aborted({ wanted, silent }) {
  const reason = new Error('enough');
  const soon = () => {
    const stopping = new AbortController();
    setTimeout(() => stopping.abort(reason), 200);
    return stopping.signal;
  };
  const before = AbortSignal.abort(reason);
  await assert.rejects(ask({ ...wanted, signal: before }), reason);
  await assert.rejects(connect(`ws://127.0.0.1:${silent}/client/x`, { signal: before }), reason);
  await assert.rejects(open({ ...wanted, platform: `http://127.0.0.1:${silent}`, signal: soon() }), reason);
  await assert.rejects(connect(`ws://127.0.0.1:${silent}/client/x`, { signal: soon() }), reason);
  const stopping = new AbortController();
  const stream = await open({ ...wanted, signal: stopping.signal });
  const [writer, reader] = [stream.writable.getWriter(), stream.readable.getReader()];
  await writer.write('here');
  await reader.read(); // the target has it
  stopping.abort(reason);
  await assert.rejects(reader.read(), reason);
  await assert.rejects(writer.write('more'), reason);
  return stream.closed;
}

/** Cancelling the reader closes the stream, and so does leaving its loop. */
export async function cancelled({ wanted }) {
  const first = await open(wanted);
  for await (const bytes of first.readable) if (bytes.byteLength) break;
  const second = await open(wanted);
  assert.throws(() => [second.readable, second.items], TypeError);
  await second.readable.cancel();
  const third = await open(wanted);
  third.close();
  third.close();
  third.resize(80, 24);
  assert.deepEqual(await third.readable.getReader().read(), { done: true, value: undefined });
  return [await first.closed, await second.closed, await third.closed];
}

/** What the agent says between the bytes: handed on in order, and nothing of it breaks the stream. */
export async function controls({ url }) {
  const stream = await connect(url);
  const items = [];
  const places = [];
  for await (const item of stream.items) {
    items.push(item instanceof Uint8Array ? new TextDecoder().decode(item) : item);
    places.push(stream.place);
  }
  stream.close();
  return { items, places, outcome: await stream.closed };
}

/** A reader that takes 700 KiB each 50 ms. */
export async function steady({ url, size }) {
  const stream = await connect(url);
  const reader = stream.readable.getReader();
  let count = 0;
  let due = 0;
  while (count < size) {
    const { value, done } = await reader.read();
    assert(!done);
    count += value.byteLength;
    if (count < due + 700 * 1024) continue;
    due = count;
    await new Promise((awake) => setTimeout(awake, 50));
  }
  stream.close();
  return { count };
}

/** The table of outcomes. */
export const outcomes = ({ codes }) => codes.map((code) => outcome(code));

/** A reader that never reads, until the stream is over. */
export async function unread({ url }) {
  const stream = await connect(url);
  const end = await stream.closed;
  return { outcome: end, read: await refusal(new Response(stream.readable).text()) };
}

/** A log that is read in pieces of so many bytes, each by a stream of its own that goes on where the last one stopped. */
export async function goes_on({ wanted, sizes }, { tell }) {
  let text = '';
  let where = {};
  for (const size of sizes) {
    const stream = await open({ ...wanted, ...where });
    let count = 0;
    tell('open');
    for await (const bytes of stream.readable) {
      text += new TextDecoder().decode(bytes);
      count += bytes.byteLength;
      if (count >= size) break;
    }
    where = stream.place;
    assert(where.place);
  }
  return { text };
}

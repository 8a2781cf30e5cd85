// Scenarios of the JavaScript client against a real chain; tests/live/test_javascript.py runs them and is the target.

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

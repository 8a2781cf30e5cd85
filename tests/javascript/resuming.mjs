// A world for streams that resume: a clock, a platform, and the ends of resuming-ends.mjs. A seed decides over all that is
// random.

import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { open } from '../../streamrelay/web/streamrelay.js';
import '../../streamrelay/web/streamrelay-resume.js';
import { Agent, Near } from './resuming-ends.mjs';

const STILL = 10_000; // ms in which nothing happens, about

/** Numbers from 0 to 1 that a seed decides over (mulberry32). */
export function chances(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes as positions: each a number. */
export const units = (text) => [...new TextEncoder().encode(text)];

/** Timers that come when the world has nothing else to do. */
class Clock {
  now = 1_000_000;
  #timers = new Map();
  #count = 0;

  constructor() {
    Date.now = () => this.now;
    globalThis.setTimeout = (act, wait = 0) => this.#add(act, wait, 0);
    globalThis.setInterval = (act, every) => this.#add(act, every, every);
    globalThis.clearTimeout = globalThis.clearInterval = (number) => this.#timers.delete(number);
  }

  get count() {
    return this.#timers.size;
  }

  /** The machine sleeps, and timers with it. */
  sleep(ms) {
    this.now += ms;
    for (const timer of this.#timers.values()) timer.at += ms;
  }

  /** The next timer, however late it comes. */
  step() {
    const [next] = [...this.#timers].sort(([one, a], [other, b]) => a.at - b.at || one - other);
    if (!next) return false;
    const [number, timer] = next;
    this.now = Math.max(this.now, timer.at);
    if (timer.every) timer.at = this.now + timer.every;
    else this.#timers.delete(number);
    timer.act();
    return true;
  }

  #add(act, wait, every) {
    this.#timers.set(++this.#count, { act, at: this.now + wait, every });
    return this.#count;
  }
}

export class World {
  up = true; // the relay
  protocol = 'streamrelay.v1'; // that it speaks
  legs = [];
  view = false; // streams are looked at only
  asked = []; // requests to resume, and when
  answers = []; // of the platform, in place of the agent's: [status, body, headers]
  taken = 0; // positions that the page's reader has been given
  holds = 0; // as many were asked for
  eofs = 0;
  left = []; // paths of streams that the platform is to end
  stopped = 0; // so many scripts that would have it do so are stopped by the browser
  early = ''; // a URL that is told before the host has answered
  answers_pings = false; // the relay lives
  confirmations = []; // positions, as the page says them
  cuts = []; // { way, after }: positions from the last one on, of that way
  heard = (_heard) => {};

  constructor({ seed = 1, hold = 120 } = {}) {
    this.clock = new Clock();
    this.chance = chances(seed);
    Math.random = this.chance;
    this.hold = hold;
    this.agent = new Agent(this);
    const world = this;
    this.Socket = class extends Near {
      constructor(url) {
        super(world, url);
      }
    };
  }

  /** Positions of those that come now which still arrive: Infinity if all do. */
  allowed(way, size) {
    const [cut] = this.cuts;
    if (cut?.way !== way) return Infinity;
    if (size <= cut.after) {
      cut.after -= size;
      return Infinity;
    }
    this.cuts.shift();
    return cut.after;
  }

  fetch = (url, { method, body, signal, keepalive, headers: { Accept } }) => {
    if (method === 'DELETE') {
      if (this.stopped-- > 0) throw new Error('stopped');
      assert(keepalive); // the page isn't there for long
      this.left.push(new URL(url).pathname);
      return Promise.resolve({ status: 204 });
    }
    const [status, answer, headers] = this.#answer(new URL(url).pathname, JSON.parse(body));
    if (this.early && Accept.startsWith('application/x-ndjson')) return Promise.resolve(this.#lines(status, answer));
    if (status === 'hangs')
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const text = () => Promise.resolve(JSON.stringify(answer));
    return Promise.resolve({ status, headers: new Headers(headers), text });
  };

  /** An answer whose first line comes at once, and the last one a second later. */
  #lines(status, answer) {
    const [first, last] = [{ stream: 'a/b', url: this.early }, status === 201 ? answer : { status, ...answer }];
    const say = (told, line) => told.enqueue(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
    const start = (told) => {
      say(told, first);
      setTimeout(() => {
        say(told, last);
        told.close();
      }, 1000);
    };
    return { status: 200, headers: new Headers(), body: new ReadableStream({ start }) };
  }

  #answer(path, body) {
    const url = `ws://relay/client/${this.legs.length}`;
    if (path === '/v1/streams') {
      this.first = body;
      return [201, { stream: 'a/b', url, kind: 'pty', viewer: 'terminal', resume: this.hold, view: this.view }, {}];
    }
    assert.equal(path, '/v1/streams/a%2Fb/resume');
    this.asked.push({ ...body, at: this.clock.now });
    if (this.answers.length) return this.answers.shift();
    const [status, answer] = this.agent.resume(body);
    return [status, { ...answer, url, stream: 'a/b' }, {}];
  }

  /** Until something is so; time passes only where nothing is under way. What reads a file first has its time for that. */
  async run(until, most = 100_000) {
    for (let [steps, still] = [0, 0]; steps < most && still < STILL; steps += 1) {
      await (still < 5 ? new Promise(setImmediate) : pause(1));
      if (until()) return;
      const busy = this.legs.find((leg) => !leg.idle);
      if (busy) busy.step();
      still = busy || this.clock.step() ? 0 : still + 1;
    }
    assert.fail('nothing happens any more, or too much');
  }

  /** How a stream ended, once it has. */
  async ended(stream) {
    let outcome = null;
    void stream.closed.then((end) => {
      outcome = end;
    });
    await this.run(() => outcome);
    return /** @type {any} */ (outcome);
  }

  /** So many milliseconds. */
  async pass(ms) {
    let over = false;
    setTimeout(() => {
      over = true;
    }, ms);
    await this.run(() => over);
  }

  async open(wanted = {}) {
    const asked = { host: 'h', target: 't', platform: 'https://p', key: 'k', resume: true, fetch: this.fetch };
    const opening = open({ ...asked, WebSocket: this.Socket, ...wanted });
    let stream = null;
    opening.then(
      (opened) => {
        stream = opened;
      },
      () => {
        stream = opening;
      },
    );
    await this.run(() => stream);
    return opening;
  }

  /** Read all of a stream's items, and why there are no more. */
  async readAll(stream) {
    const got = [];
    const error = await this.read(stream, got).catch((why) => why);
    return [got, error];
  }

  /** Read a stream's items; counts what the reader was given. */
  async read(stream, got = []) {
    const reader = stream.items.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return got;
      this.taken += value instanceof Uint8Array ? value.byteLength : 1;
      if (value instanceof Uint8Array) for (const byte of value) got.push(byte);
      else got.push(JSON.stringify(value));
    }
  }
}

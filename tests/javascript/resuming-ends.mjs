// The ends of streams that resume: an agent that keeps all it ever said and heard, so that it sees whatever is lost, doubled
// or changed, and a page's websocket, whose relay splits bytes and whose network is cut.

import assert from 'node:assert/strict';

export const WINDOW = 1 << 20;
const UNCOUNTED = ['ack', 'hold', 'met', 'ping', 'pong'];
const LOST = [1000, 1001, 1005, 1006, 1012, 1013, 4004, 4005]; // closes that are no end

/** The other end, which forgets nothing. */
export class Agent {
  said = []; // positions: bytes, or texts
  heard = [];
  told = 0; // what the page knows that we have
  acked = 0; // what it has confirmed
  tries = 0;
  over = null; // the end that it has heard
  ended = false; // it has said its own
  near = null; // its leg

  constructor(world) {
    this.world = world;
  }

  say(positions) {
    for (const position of positions) this.said.push(position);
    this.#send(positions);
  }

  /** The end, for which the page needn't wait for its reader. */
  end(code, reason) {
    this.ended = true;
    this.say([JSON.stringify({ end: { code, reason } })]);
  }

  confirm(position = this.heard.length) {
    this.told = Math.max(this.told, position);
    this.near?.down(`{"ack":${position}}`);
  }

  hear(message) {
    if (typeof message !== 'string') {
      assert(!this.heard.includes('{"fin":true}'), 'bytes after a fin');
      for (const byte of message) this.#take(byte);
    } else {
      const control = JSON.parse(message);
      if (control.hold) this.world.holds += 1;
      if (control.eof) this.world.eofs += 1;
      if (control.ping && this.world.answers_pings) this.near?.down(`{"pong":${control.ping}}`); // as the relay does
      if ('ack' in control) this.#acked(control.ack);
      else if (!UNCOUNTED.some((name) => name in control)) this.#take(message);
      if (control.end) {
        this.over = control.end;
        this.confirm();
      }
    }
    assert(this.heard.length - this.told <= WINDOW + 4, 'more than a window');
  }

  #take(position) {
    assert(!this.over, 'something after an end');
    this.heard.push(position);
    this.world.heard(this.heard);
  }

  #acked(position) {
    this.world.confirmations.push(position);
    assert(position > this.acked, 'an ack that says nothing');
    if (!this.ended) assert(position <= this.world.taken, `${position} of ${this.world.taken} are confirmed`);
    this.acked = position;
  }

  /** As the platform hands it on. */
  resume({ received, try: number }) {
    if (number <= this.tries) return [409, { code: 'stale' }];
    this.tries = number;
    if (this.over) return [410, { code: 'stream_over', detail: 'the stream has ended' }];
    assert(Number.isInteger(received) && received >= this.acked && received <= this.said.length, `no ${received}`);
    this.near?.cut(1006);
    this.told = this.heard.length;
    this.from = received;
    return [201, { received: this.heard.length, resume: this.world.hold }];
  }

  attach(near) {
    this.near = near;
    if (this.from !== undefined) this.#send(this.said.slice(this.from));
  }

  #send(positions) {
    let bytes = [];
    const flush = () => {
      if (bytes.length) this.near?.down(Uint8Array.from(bytes));
      bytes = [];
    };
    for (const position of positions) {
      if (typeof position === 'number') bytes.push(position);
      else flush();
      if (typeof position === 'string') this.near?.down(position);
    }
    flush();
  }
}

/** A page's websocket, and the relay behind it, which splits bytes as it likes. */
export class Near extends EventTarget {
  protocol = '';
  readyState = 0;
  bufferedAmount = 0;
  #ways = { up: [], down: [] };

  constructor(world, url) {
    super();
    Object.assign(this, { world, url, protocol: world.protocol });
    world.legs.push(this);
  }

  send(message) {
    assert.equal(this.readyState, 1);
    this.#ways.up.push(typeof message === 'string' ? message : message.slice());
  }

  close(code = 1005) {
    assert(code === 1000 || code === 1005 || (code >= 3000 && code < 5000), `browsers say no ${code}`);
    if (this.readyState < 2) this.closed = code;
    if (this.readyState < 2) this.readyState = 2;
  }

  down(message) {
    this.#ways.down.push(message);
  }

  opened() {
    if (this.readyState !== 0) return;
    if (!this.world.up) {
      this.cut(1006, 'error');
      return;
    }
    this.readyState = 1;
    this.world.agent.attach(this);
    this.dispatchEvent(new Event('open'));
  }

  get idle() {
    return this.readyState === 3 || (this.readyState === 1 && !this.#ways.up.length && !this.#ways.down.length);
  }

  /** One piece of what is under way; perhaps it is the last one. */
  step() {
    if (this.readyState === 0) return this.opened();
    if (this.readyState === 2) return this.goodbye();
    const way = this.#ways.up.length && (!this.#ways.down.length || this.world.chance() < 0.5) ? 'up' : 'down';
    const message = this.#ways[way].shift();
    if (message === undefined) return;
    const [piece, rest] = this.#split(message);
    const allowed = this.world.allowed(way, typeof piece === 'string' ? 1 : piece.byteLength);
    if (rest) this.#ways[way].unshift(rest);
    if (allowed === Infinity) this.#deliver(way, piece);
    else {
      if (typeof piece === 'string' ? allowed : allowed > 0) this.#deliver(way, piece.slice(0, allowed || undefined));
      this.cut(LOST[Math.floor(this.world.chance() * LOST.length)]);
    }
  }

  #split(message) {
    if (typeof message === 'string' || message.byteLength < 2 || this.world.chance() < 0.5) return [message, null];
    const at = 1 + Math.floor(this.world.chance() * (message.byteLength - 1));
    return [message.subarray(0, at), message.subarray(at)];
  }

  #deliver(way, piece) {
    if (way === 'up') this.world.agent.near === this && this.world.agent.hear(piece);
    else if (this.readyState === 1)
      this.dispatchEvent(
        Object.assign(new Event('message'), { data: typeof piece === 'string' ? piece : piece.slice().buffer }),
      );
  }

  /** The connection is lost, with all that was under way. */
  cut(code, ...before) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#ways = { up: [], down: [] };
    if (this.world.agent.near === this) this.world.agent.near = null;
    for (const type of before) this.dispatchEvent(new Event(type));
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason: '' }));
  }

  /** The page has closed it; what it had said before has arrived. */
  goodbye() {
    while (this.#ways.up.length) this.#deliver('up', this.#ways.up.shift());
    this.cut(this.closed);
  }
}

/**
 * Streams that resume (docs/protocol.rst, "Streams that resume"), for streamrelay.js, which loads this file where one is
 * wanted. No sockets here: legs are given, and so is who asks the platform for them.
 * @module
 */

const WINDOW = 1 << 20; // bytes that we keep for the other end
const CONFIRM = 256 << 10; // bytes after which we confirm
const CONFIRM_TIME = 1000; // ms after which we confirm anything
const BLOCK = 4096; // bytes that are kept as one, however small they came
const OUTCOMES = [4001, 4002, 4003, 4006, 4008, 4009, 4011]; // closes that are the stream's end; others are a lost leg
const FINISHED = 1000;
const MOVED = 1012; // a relay stops, which says so to many pages at once
const LOST = 4005;
const NEVER = [400, 401, 403, 404, 405, 410, 411, 413, 415]; // no later request would be answered otherwise
const FIRST = 200; // ms between two requests, longer each time, up to
const MOST = 10_000;
const LONGER = 1.25; // so an outage is outlasted by some third of its length
const USELESS = 1.6; // beside that, behind a leg that is lost at once
const STEADY = 5000; // ms after which a leg has stood, and the next request is the first one, as if it had brought something
const HANGS = 1000; // ms after which a request may be one that the network has lost
const LAST_WORDS = 60_000; // ms that our end may take to be confirmed by a leg that is there
const DROPS = /Firefox\//.test(globalThis.navigator?.userAgent ?? ''); // what websockets are told as their page goes
const UNCOUNTED = ['ack', 'hold', 'met', 'ping', 'pong'];

/** Positions that something takes: bytes, or an object that a text message held. */
export function sizeOf(item) {
  if (item instanceof Uint8Array) return item.byteLength;
  return UNCOUNTED.some((name) => Object.hasOwn(Object(item), name)) ? 0 : 1;
}

/** What was said to the other end, from what it has confirmed on. */
export class Outgoing {
  /** Behind all that was said. */
  position = 0;
  /** The other end has all before it. */
  confirmed = 0;
  /** All before it has left the other end's hands, as an ack has said: a window counts from there. */
  taken = 0;

  #kept = []; // { begin, item, block }, as they follow each other

  get kept() {
    return this.position - this.confirmed;
  }

  /** Keep bytes, of which a copy is made, or a control message as it is sent. */
  say(item) {
    if (typeof item === 'string') this.#kept.push({ begin: this.position, item, block: null });
    else if (item.byteLength && !this.#fill(item)) this.#append(item);
    this.position += typeof item === 'string' ? 1 : item.byteLength;
  }

  /** Forget what is before a position. False if it isn't one that was said; one that goes back changes nothing. */
  confirm(position) {
    if (!Number.isSafeInteger(position) || position > this.position) return false;
    this.confirmed = Math.max(this.confirmed, position);
    while (this.#kept.length && endOf(this.#kept[0]) <= position) this.#kept.shift();
    return true;
  }

  /** The same, of an ack. */
  acknowledge(position) {
    const known = this.confirm(position);
    if (known) this.taken = Math.max(this.taken, position);
    return known;
  }

  /** Whether the other end may stand there. */
  reaches(position) {
    return Number.isSafeInteger(position) && position >= this.confirmed && position <= this.position;
  }

  /** What is to be sent from a position on, in order. */
  *from(position) {
    for (const { begin, item } of this.#kept) {
      const skipped = Math.max(0, position - begin);
      if (typeof item !== 'string' && skipped < item.byteLength) yield item.subarray(skipped);
      else if (typeof item === 'string' && !skipped) yield item;
    }
  }

  /** Keep few bytes behind the last ones. */
  #fill(bytes) {
    const last = this.#kept.at(-1);
    const used = last?.item.byteLength;
    if (!last?.block || used + bytes.byteLength > last.block.byteLength) return false;
    last.block.set(bytes, used);
    last.item = last.block.subarray(0, used + bytes.byteLength);
    return true;
  }

  #append(bytes) {
    const block = new Uint8Array(Math.max(BLOCK, bytes.byteLength));
    block.set(bytes);
    this.#kept.push({ begin: this.position, item: block.subarray(0, bytes.byteLength), block });
  }
}

const endOf = ({ begin, item }) => begin + (typeof item === 'string' ? 1 : item.byteLength);

/** How far what the other end says has come: here, to its reader, and as it was told. */
export class Incoming {
  received = 0;
  taken = 0;
  confirmed = 0;

  /** Positions of which the other end isn't told yet that they have left our hands. */
  get due() {
    return this.taken - this.confirmed;
  }
}

/**
 * One stream's legs, which come and go, and what both ends have of it.
 *
 * `ways.ask({ stream, received, try, view, signal, early })` asks the platform, which says `{ url, received, resume }`, and
 * perhaps the URL before, by `early(url)`; `ways.reach(url, signal)` opens a leg; `ways.leave(stream)` has the platform end
 * it; functions in `ways.waking` are called when there may be a network again.
 */
export class Resumption {
  /**
   * While there is no leg: since when, and until when one is asked for, in ms since the epoch; why there is none.
   * @type {{ since: number, until: number, why: string } | null}
   */
  detached = null;

  #ways;
  #stream; // whom it tells: listen(leg), plain(), over(code, reason, how), changed(name); words(code, reason) are its own
  #outgoing = new Outgoing();
  #incoming = new Incoming();
  #leg;
  #name = ''; // the stream's
  #view = false; // it is looked at only
  #since = 0; // when it came
  #reached = 0; // how far both directions were then
  #hold = -1; // ms; -1 until it is known
  /** @type {[number, string] | null} */
  #unheld = null; // why the first leg was lost before
  #over = false;
  #ending = false; // our end was said
  #left = false; // the platform was told so
  #tries = 0;
  #wait = 0; // ms until the next request
  #spread = 0; // ms within which the first one is made
  #took = 0; // ms of the last one, in vain: a platform with much to do is left as much time again
  #asking = new AbortController();
  #asked = 0; // when it was begun; 0: no request is under way
  #wake = () => {};
  #waiters = []; // who waits for room
  #timers = { confirm: 0, words: 0 };

  constructor(ways) {
    this.#ways = ways;
  }

  /** The first leg, on which nothing but what comes is counted until `decide` is called. */
  begin(leg, stream) {
    this.#leg = leg;
    this.#stream = stream;
    this.#since = Date.now();
    alive.add(this);
    lookOut();
  }

  /** Which stream it is, and for how many seconds the host holds it; 0: it doesn't resume. */
  decide({ stream, resume, view }) {
    const unheld = this.#unheld;
    this.#unheld = null;
    if (this.#over) return;
    this.#name = stream;
    this.#view = view;
    this.#hold = resume > 0 ? resume * 1000 : 0;
    if (!this.#hold) {
      this.#stop();
      this.#stream.plain();
      if (unheld) this.#stream.over(...unheld, {});
    } else if (unheld) {
      this.#detach(...unheld);
    } else {
      this.#confirmSoon();
    }
  }

  /** Bytes that were said and aren't confirmed. */
  get unconfirmed() {
    return this.#outgoing.kept;
  }

  // -- what goes out -------------------------------------------------------------------------------------------

  say(message) {
    if (this.#over || this.#ending) return;
    this.#outgoing.say(message);
    this.#leg?.send(message);
  }

  /** Until so many bytes more may be said. */
  async room(size) {
    while (!this.#over && !this.#ending && this.#outgoing.position - this.#outgoing.taken + size > WINDOW) {
      await new Promise((room) => this.#waiters.push(room));
    }
  }

  /** Say the end, behind all that was said before; the stream is over once the other end has it. */
  end(code, reason = '') {
    if (this.#over || this.#ending) return;
    if (this.#hold < 0) {
      this.#finish(code, reason);
      return;
    }
    this.say(JSON.stringify({ end: { code, reason } }));
    this.#ending = true;
    this.#roomy();
    if (this.#leg) this.#lastWords();
  }

  /** The page goes. Its last word may not arrive. To be called twice. */
  leave() {
    const unheard = DROPS || !this.#leg;
    this.end(FINISHED);
    if (!unheard || this.#hold <= 0 || this.#left) return;
    this.#ways.leave(this.#name);
    this.#left = true;
  }

  // -- what comes in -------------------------------------------------------------------------------------------

  /** Count bytes, or a control message, and do what the other end says of itself. Returns the positions it takes. */
  came(item) {
    const size = sizeOf(item);
    this.#incoming.received += size;
    const { ack, end } = item instanceof Uint8Array ? /** @type {any} */ ({}) : Object(item);
    if (ack !== undefined) this.#confirmed(ack);
    else if (end !== undefined && size) this.#ended(Object(end));
    return size;
  }

  /** Something that came has left our hands. */
  took(size) {
    if (!size) return;
    this.#incoming.taken += size;
    this.#confirmSoon();
  }

  #confirmSoon() {
    const { due } = this.#incoming;
    if (!this.#leg || this.#hold <= 0 || due <= 0) return;
    if (due >= CONFIRM) this.#confirm(this.#incoming.taken);
    else this.#timers.confirm ||= setTimeout(() => this.#confirm(this.#incoming.taken), CONFIRM_TIME);
  }

  #confirm(position) {
    clearTimeout(this.#timers.confirm);
    this.#timers.confirm = 0;
    this.#incoming.confirmed = position;
    this.#leg?.send(`{"ack":${position}}`);
  }

  #confirmed(position) {
    if (!this.#outgoing.acknowledge(position)) this.#fault('the other end confirms more than it was sent');
    else if (this.#ending && !this.#outgoing.kept) this.#finish(1000, '');
    else this.#roomy();
  }

  #ended({ code, reason }) {
    this.#confirm(this.#incoming.received);
    if (Number.isInteger(code)) this.#finish(code, typeof reason === 'string' ? reason : '');
    else this.#finish(1002, 'an end without a code');
  }

  /** The other end is none that can be understood. */
  #fault(reason) {
    this.end(1002, reason);
    this.#finish(1002, reason);
  }

  // -- legs ----------------------------------------------------------------------------------------------------

  /** The leg is lost, or has ended with the stream. */
  lost(code, reason) {
    this.#leg = null;
    this.#quiet();
    if (this.#over) return;
    if (OUTCOMES.includes(code)) this.#finish(code, reason);
    else if (this.#hold < 0) this.#unheld = [code, reason];
    else this.#detach(code, reason);
  }

  /** It grows while a leg is of use. */
  get #progress() {
    return this.#incoming.received + this.#outgoing.confirmed;
  }

  /** Ask for a leg now, as there may be a network again. */
  hurry = () => {
    const hangs = this.#asked > 0 && Date.now() - this.#asked >= HANGS;
    this.#wait = hangs ? 0 : FIRST;
    this.#took = 0;
    if (hangs) this.#asking.abort();
    this.#wake();
  };

  #detach(code, reason) {
    const now = Date.now();
    const stood = now - this.#since >= STEADY || this.#progress > this.#reached;
    this.#wait = stood ? 0 : Math.min(MOST, USELESS * this.#wait);
    this.#took = 0;
    this.#spread = code === MOVED ? FIRST : 0;
    this.detached = { since: now, until: now + this.#hold, why: this.#stream.words(code, reason) };
    this.#ways.waking.add(this.hurry);
    this.#stream.changed('detached');
    void this.#resume();
  }

  /** Ask until there is a leg, or there will be none: the last time when the hold has passed. */
  async #resume() {
    for (let least = 0; this.detached; ) {
      const { until } = this.detached;
      await this.#pause(least, until);
      const last = Date.now() >= until;
      const problem = least > Date.now() ? new Error('the platform is busy') : await this.#attempt();
      if (last) this.#giveUp(problem);
      least = Date.now() + (problem?.retryAfter ?? 0) * 1000;
    }
  }

  /** Until the next request is due, or somebody is in a hurry; not before `least`, but when the hold has passed. */
  #pause(least, until) {
    const now = Date.now();
    const most = this.#wait && Math.min(MOST, Math.max(this.#wait, this.#took));
    const wait = this.#spread * Math.random() + most * (1 - Math.random() / 2);
    this.#spread = 0;
    this.#wait = Math.min(MOST, LONGER * this.#wait || FIRST);
    return new Promise((resolve) => {
      const awake = () => resolve(null);
      let timer = setTimeout(awake, Math.max(0, Math.min(Math.max(wait, least - now), until - now)));
      this.#wake = () => {
        clearTimeout(timer);
        if (least > Date.now()) timer = setTimeout(awake, least - Date.now());
        else awake();
      };
    });
  }

  /**
   * Ask once. Returns why there is no leg; null if there is, or there will be none.
   * @returns {Promise<any>}
   */
  async #attempt() {
    this.#asked = Date.now();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const early = new EarlyLeg((url, leaving) => this.#ways.reach(url, AbortSignal.any([signal, leaving])));
    try {
      this.#tries += 1;
      const [stream, { received }] = [this.#name, this.#incoming];
      const position = { stream, received, try: this.#tries, view: this.#view, signal, early: early.told };
      const answer = await this.#ways.ask(position);
      if (!Number.isSafeInteger(answer.received)) throw new Error('the platform gave an invalid answer');
      const leg = this.#reachable(answer) && (await early.leg(answer.url));
      if (leg) this.#attach(leg, answer);
      else early.drop();
      return null;
    } catch (/** @type {any} */ error) {
      early.drop();
      this.#took = Date.now() - this.#asked;
      if (NEVER.includes(error.status)) this.#giveUp(error);
      else if (!signal.aborted) this.#tried(error.message);
      return error;
    } finally {
      this.#asked = 0;
    }
  }

  #tried(why) {
    if (!this.detached || why === this.detached.why) return;
    this.detached = { ...this.detached, why };
    this.#stream.changed('tried');
  }

  #reachable({ received }) {
    const reachable = this.#outgoing.reaches(received);
    if (!reachable) this.#giveUp(new Error('the two ends differ in what was sent'));
    return reachable;
  }

  #attach(leg, { received, resume }) {
    if (resume > 0) this.#hold = resume * 1000;
    this.detached = null;
    this.#ways.waking.delete(this.hurry);
    this.#leg = leg;
    this.#since = Date.now();
    this.#outgoing.confirm(received);
    this.#reached = this.#progress;
    for (const message of this.#outgoing.from(received)) leg.send(message);
    this.#roomy();
    this.#incoming.confirmed = 0; // what was said last may be lost with its leg
    this.#confirmSoon();
    if (this.#ending) this.#lastWords();
    this.#stream.changed('attached');
    this.#stream.listen(leg); // what has come by it already
  }

  // -- the end -------------------------------------------------------------------------------------------------

  /** There will be no leg. The host may remember how the stream has ended; who has missed an end in order has not all. */
  #giveUp(problem) {
    const { code, reason, exit } = problem?.ended ?? {};
    if (code !== undefined && code !== FINISHED && code !== LOST) this.#finish(code, reason, { exit });
    else if (problem) this.#finish(LOST, `not resumed: ${problem.message}`, { exit, final: code === FINISHED });
  }

  #lastWords() {
    clearTimeout(this.#timers.words);
    this.#timers.words = setTimeout(() => this.#finish(LOST, 'the other end did not confirm'), LAST_WORDS);
  }

  #finish(code, reason, how = {}) {
    if (this.#over) return;
    const leg = this.#leg;
    this.#stop();
    this.#leg = null;
    leg?.close(code);
    this.#stream.over(code, reason, how);
  }

  /** Nothing more is asked for, confirmed or waited for. */
  #stop() {
    this.#over = true;
    alive.delete(this);
    this.detached = null;
    this.#ways.waking.delete(this.hurry);
    this.#quiet();
    this.#roomy();
  }

  #quiet() {
    for (const name of Object.keys(this.#timers)) {
      clearTimeout(this.#timers[name]);
      this.#timers[name] = 0;
    }
  }

  #roomy() {
    for (const room of this.#waiters.splice(0)) room();
  }
}

/** A leg that is opened while the platform waits for the host, and is of use only if the host comes there. */
class EarlyLeg {
  #reach;
  #url = '';
  /** @type {Promise<any> | null} */
  #coming = null;
  #leaving = new AbortController();

  constructor(reach) {
    this.#reach = reach;
  }

  told = (url) => {
    this.#url = url;
    this.#coming = this.#reach(url, this.#leaving.signal);
    this.#coming?.catch(() => {}); // what the platform says comes first
  };

  /** The leg of the answer's URL, which may be another one. */
  leg(url) {
    if (this.#coming && url === this.#url) return this.#coming;
    this.drop();
    return this.#reach(url, new AbortController().signal);
  }

  drop() {
    this.#leaving.abort();
    void this.#coming?.then(
      (leg) => leg.close(),
      () => {},
    );
  }
}

/** @type {Set<Resumption>} */
const alive = new Set(); // of this page
let listens = false;

/** A page that is left for good says so, as it can't come back for what its hosts would hold. */
function lookOut() {
  if (listens) return;
  listens = true;
  const leave = ({ persisted }) => {
    if (!persisted) for (const one of alive) one.leave();
  };
  globalThis.addEventListener?.('pagehide', leave);
  globalThis.addEventListener?.('pagehide', (event) => leave(event)); // Firefox stops what runs as somebody goes elsewhere
}

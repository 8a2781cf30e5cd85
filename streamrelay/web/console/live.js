// The streams that live, and the relays, as the platform tells of them while somebody looks: all pages of the list, again and
// again. No DOM.

import { request } from './request.js';

const FIRST = 200; // streams of the first answer: as many as anybody sees at once, and these are there soon
const NEXT = 2000; // the most that the platform gives
export const MOST = 20_000; // that are asked for
const EACH = 5000; // ms from an answer to the next question
const RARELY = 15_000; // the same where there are many
const MANY = 1000;
const LONGEST = 30_000; // ms between questions that fail, unless the platform says more
const OVER = 'Your session is over. Sign in to see streams again; what is open stays open.';

/** Event: `change`, whenever anything of it is another. */
export class Live extends EventTarget {
  list = null; // streams in the platform's order (protocol.rst), each with `began`, in ms by this clock; null: not known yet
  found = 0; // as many as there are; more than are in the list, while it is loaded or if there are too many
  complete = true; // whether all hosts have answered
  missing = []; // names of hosts that haven't, not all of them perhaps
  missed = 0; // how many these are
  relays = null; // null: this user isn't told of them
  trouble = ''; // why the list is old, in words
  at = 0; // when it was right, in ms

  #session;
  #running = false;
  #turn = 0;
  #timer = 0;
  #failures = 0;
  #denied = 0; // questions in a row that were refused for want of a session
  #gone = new Set(); // streams that were ended here since it was asked for

  constructor(session) {
    super();
    this.#session = session;
    document.addEventListener('visibilitychange', () => this.now());
    addEventListener('online', () => this.now());
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    this.now();
  }

  stop() {
    this.#running = false;
    this.#leave();
  }

  /** Nothing of it is for the next user. */
  forget() {
    this.stop();
    Object.assign(this, { list: null, relays: null, found: 0, complete: true, missing: [], missed: 0, trouble: '' });
    this.#failures = this.#denied = 0;
    this.#tell();
  }

  /** Ask at once. A page that nobody looks at doesn't ask. */
  now() {
    this.#leave();
    if (this.#running && !document.hidden) void this.#round(this.#turn);
  }

  /** End a stream, or raise `Problem`. */
  async end({ stream }) {
    await request('DELETE', `v1/streams/${encodeURIComponent(stream)}`, { csrf: this.#session.csrf });
    this.#gone.add(stream);
    const left = (this.list ?? []).filter((one) => one.stream !== stream);
    this.found -= (this.list?.length ?? 0) - left.length;
    this.list &&= left;
    this.#tell();
  }

  /** Have a relay drained, or undo that, or raise `Problem`. */
  async drain({ relay }, undo) {
    const path = `v1/relays/${encodeURIComponent(relay)}/drain`;
    const now = await request(undo ? 'DELETE' : 'POST', path, { csrf: this.#session.csrf });
    this.relays = (this.relays ?? []).map((one) => (one.relay === relay ? now : one));
    this.#tell();
    this.now();
  }

  #leave() {
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  async #round(turn) {
    this.#gone.clear();
    try {
      const [whole] = await Promise.all([this.#load(turn), this.#loadRelays(turn)]);
      if (turn !== this.#turn) return;
      this.#failures = this.#denied = 0;
      this.#take(whole, whole.streams);
      Object.assign(this, { trouble: '', at: Date.now() });
      this.#later(whole.streams.length > MANY ? RARELY : EACH);
    } catch (problem) {
      if (turn === this.#turn) this.#fail(problem);
    }
    if (turn === this.#turn) this.#tell();
  }

  /** All pages as one answer. Those that have come are shown meanwhile, if nothing was known before. */
  async #load(turn) {
    const isFirst = this.list === null;
    const streams = [];
    for (let after = '', limit = FIRST; ; limit = NEXT) {
      const query = new URLSearchParams({ limit: String(limit), ...(after && { after }) });
      const answer = await request('GET', `v1/streams?${query}`);
      const now = Date.now();
      streams.push(...answer.streams.map((one) => ({ ...one, began: now - 1000 * one.seconds })));
      after = answer.next ?? '';
      if (!after || streams.length >= MOST || turn !== this.#turn) return { ...answer, streams };
      if (isFirst) {
        this.#take(answer, streams);
        this.#tell();
      }
    }
  }

  /** They are few, and there before all streams are. */
  async #loadRelays(turn) {
    const relays = await relaysOf();
    if (turn !== this.#turn) return;
    this.relays = relays;
    this.#tell();
  }

  #take({ found, complete, missing = [], missed = missing.length }, streams) {
    this.list = streams.filter(({ stream }) => !this.#gone.has(stream));
    this.found = Math.max(found ?? 0, streams.length) - (streams.length - this.list.length);
    Object.assign(this, { complete: complete !== false, missing, missed });
  }

  #fail(problem) {
    if (problem.status === 401 && ++this.#denied > 1) {
      this.#session.over(OVER);
      return;
    }
    this.trouble = problem.message;
    const wait = problem.status === 401 ? 0 : Math.min(LONGEST, EACH * 2 ** this.#failures++);
    this.#later(Math.max(wait, (problem.retryAfter ?? 0) * 1000));
  }

  #later(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), wait);
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }
}

/** The relays; null where this user isn't told of them, or the platform has none to tell of. */
async function relaysOf() {
  try {
    return (await request('GET', 'v1/relays')).relays;
  } catch (problem) {
    if ([403, 404].includes(problem.status)) return null;
    throw problem;
  }
}

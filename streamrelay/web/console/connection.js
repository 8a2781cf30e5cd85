// One tab's connection: says in words how it stands, and tries again for as long as that may help. No DOM.

import { whenDetached } from '../log/detached.js';

// Seconds. A relay that restarts loses all its pages in one moment: each comes back at once for who looks, but not in the
// same moment as all others, and waits longer each time that it comes in vain, so that an outage is outlasted by less than
// its own length.
const SPREAD = 0.5;
const FIRST = 0.5;
const MOST = 10;
const STEADY = 3; // after which a stream has stood, and the next try is the first one

/**
 * `opens()` promises what a viewer's `connect` does. Event: `change`.
 *
 * state: idle, opening, open, detached (a stream that resumes has lost its leg), waiting (for the next try) or over. words:
 * why it is waiting or over, or was before it opened again. tone: "" for an end in order, else "bad".
 */
export class Connection extends EventTarget {
  state = 'idle';
  words = '';
  tone = '';
  error = null; // why it could not be opened

  #opens;
  #round = 0; // whatever was begun in an earlier one no longer counts
  #tries = 0;
  #next = 0;
  #timer = 0;
  #link = null;

  constructor(opens) {
    super();
    this.#opens = opens;
  }

  /** Seconds until the next try, rounded up. */
  get seconds() {
    return Math.max(0, Math.ceil((this.#next - performance.now()) / 1000));
  }

  /** Open it, or open it anew, because somebody said so. */
  start() {
    if (this.state === 'opening') return;
    this.#tries = 1;
    void this.#try();
  }

  /** Try now if it is waiting anyway, as there is news. If it comes too early, it needn't wait as long as before. */
  hurry() {
    this.#link?.stream?.hurry?.();
    if (this.state !== 'waiting') return;
    this.#tries = 1;
    void this.#try();
  }

  stop() {
    this.#round += 1;
    clearTimeout(this.#timer);
    this.#link?.close();
    this.#link = null;
    if (this.state !== 'over') this.#show('over', 'closed', '');
  }

  async #try() {
    const round = ++this.#round;
    clearTimeout(this.#timer);
    this.#link?.close();
    this.#link = null;
    this.error = null;
    this.#show('opening', this.words, this.tone);
    let link;
    try {
      link = await this.#opens();
    } catch (error) {
      if (round === this.#round) this.#refused(error);
      return;
    }
    if (round === this.#round) void this.#opened(link, round);
    else link.close();
  }

  async #opened(link, round) {
    const since = performance.now();
    this.#link = link;
    this.#show('open', '', '');
    this.#watch(link.stream, round);
    let outcome;
    try {
      outcome = await link.closed;
    } catch (error) {
      if (round !== this.#round) return;
      this.#link = null;
      link.close(); // the viewer failed, not the stream
      this.#refused(error);
      return;
    }
    if (round !== this.#round) return;
    this.#link = null;
    if (performance.now() - since > STEADY * 1000) this.#tries = 0;
    this.#ended(inWords(outcome), outcome.transient, outcome.clean && !outcome.exit ? '' : 'bad');
  }

  /** A stream that resumes does so by itself; what can't be resumed ends, and is opened anew. */
  #watch(stream, round) {
    const show = (...how) => round === this.#round && this.#show(...how);
    whenDetached(
      stream,
      () => show('detached', 'reconnecting …', ''),
      (outcome) => !outcome && show('open', '', ''),
    );
  }

  #refused(error) {
    this.error = error;
    const words = error.outcome ? inWords(error.outcome) : error.message;
    this.#ended(words, error.outcome?.transient ?? error.transient ?? false, 'bad', error.retryAfter);
  }

  #ended(words, transient, tone, least = 0) {
    // at least so many seconds
    if (!transient) {
      this.#show('over', words, tone);
      return;
    }
    const delay = Math.max(least && least + SPREAD * Math.random(), pause(this.#tries++));
    this.#next = performance.now() + delay * 1000;
    this.#timer = setTimeout(() => this.#try(), delay * 1000);
    this.#show('waiting', words, tone);
  }

  #show(state, words, tone) {
    Object.assign(this, { state, words, tone });
    this.dispatchEvent(new Event('change'));
  }
}

/** Seconds until a try, after so many in vain. */
function pause(tries) {
  if (!tries) return SPREAD * Math.random();
  return Math.min(MOST, FIRST * 2 ** (tries - 1)) * (0.75 + 0.5 * Math.random());
}

function inWords({ words, reason, clean }) {
  return !clean && reason && reason !== words ? `${words} (${reason})` : words;
}

// One tab's connection: says in words how it stands, and tries again for as long as that may help. No DOM.

const FIRST = 1; // seconds until it is tried again
const MOST = 30;
const STEADY = 10_000; // ms after which a connection counts as one that stands

/**
 * `opens()` promises what a viewer's `connect` does. Event: `change`.
 *
 * state: idle, opening, open, waiting (for the next try) or over. words: why it is waiting or over, or was before it
 * opened again. tone: "" for an end in order, else "bad".
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
    this.#tries = 0;
    void this.#try();
  }

  /** Try now if it is waiting anyway. */
  hurry() {
    if (this.state === 'waiting') void this.#try();
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
    if (performance.now() - since > STEADY) this.#tries = 0;
    this.#ended(inWords(outcome), outcome.transient, outcome.clean && !outcome.exit ? '' : 'bad');
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
    const delay = Math.max(least, Math.min(MOST, FIRST * 2 ** this.#tries++) * (0.8 + 0.4 * Math.random()));
    this.#next = performance.now() + delay * 1000;
    this.#timer = setTimeout(() => this.#try(), delay * 1000);
    this.#show('waiting', words, tone);
  }

  #show(state, words, tone) {
    Object.assign(this, { state, words, tone });
    this.dispatchEvent(new Event('change'));
  }
}

function inWords({ words, reason, clean }) {
  return !clean && reason && reason !== words ? `${words} (${reason})` : words;
}

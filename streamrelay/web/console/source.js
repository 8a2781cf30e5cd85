// What a viewer opens its streams by: bound to one target of one host (and to whoever is signed in).

import { ask, connect, open } from '../streamrelay.js';

const FRESH = 20_000; // ms in which a ticket is used, well within the 30 s that it is good for

export class Source {
  view = false; // whether the last ticket was for looking only

  #session;
  #ticket = null; // one that was asked for before the viewer was there
  #until = 0;
  #leave = new AbortController();

  constructor(session, host, target) {
    this.host = host;
    this.target = target;
    this.#session = session;
  }

  /** Ask for a ticket that the viewer's first `open` or `ask` will get: it says which viewer is needed. */
  async first() {
    this.#ticket = await this.#ask({});
    this.#until = performance.now() + FRESH;
    return this.#ticket;
  }

  ask = async (options = {}) => this.#take(options) ?? this.#ask(options);

  open = async (options = {}) => {
    const ticket = this.#take(options);
    if (ticket) return connect(ticket.url, { ticket, signal: this.#leave.signal });
    const stream = await open(this.#wanted(options));
    this.view = stream.ticket?.view ?? this.view;
    return stream;
  };

  /** Give up whatever is being opened. */
  leave() {
    this.#leave.abort();
    this.#leave = new AbortController();
    this.#ticket = null;
  }

  async #ask(options) {
    const ticket = await ask(this.#wanted(options));
    this.view = ticket.view ?? false;
    return ticket;
  }

  /** @param {{ view?: boolean, place?: string, after?: number }} options */
  #take({ view, place, after }) {
    const ticket = this.#ticket;
    this.#ticket = null;
    return ticket && (!view || ticket.view) && !place && !after && performance.now() < this.#until ? ticket : null;
  }

  #wanted(options) {
    const { host, target } = this;
    const platform = new URL('.', document.baseURI).href;
    return { ...options, host, target, platform, csrf: this.#session.csrf, signal: this.#leave.signal };
  }
}

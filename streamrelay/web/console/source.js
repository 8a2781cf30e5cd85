// What a viewer opens its streams by: bound to one target of one host (and to whoever is signed in).

import { ask, connect, open } from '../streamrelay.js';
import '../streamrelay-resume.js'; // before a connection is lost, and with it the way to this file

const GONE =
  "this terminal is no more: its program has ended, or its host's agent was restarted; Reconnect starts a new one";
const FRESH = 20_000; // ms in which a ticket is used, well within the 30 s that it is good for

export class Source {
  view = false; // whether the last ticket was for looking only
  terminal = ''; // the kept terminal that the next stream attaches to; none: a new one

  #session;
  #ticket = null; // one that was asked for before the viewer was there
  #stream = null; // or its stream, which is open
  #until = 0;
  #leave = new AbortController();

  /** One of a kept terminal may be given; `looks`: it is to be looked at only. */
  constructor(session, { host, target, terminal = '', looks = false }) {
    this.host = host;
    this.target = target;
    this.terminal = terminal;
    this.looks = looks;
    this.#session = session;
  }

  /** Who sits here. */
  get user() {
    return this.#session.user;
  }

  /** The terminal's program has ended. */
  ended() {
    this.terminal = '';
  }

  /**
   * Ask for what the viewer's first `open` or `ask` will get; the ticket says which viewer is needed. Where one is `likely`
   * that takes one stream, that is opened as well, while the host is asked.
   */
  async first(likely = '') {
    if (likely) {
      this.#stream = await this.#open({ channels: likely === 'spice' });
      this.#ticket = this.#stream.ticket;
    } else {
      this.#ticket = await this.#ask({});
    }
    this.#until = performance.now() + FRESH;
    return this.#ticket;
  }

  ask = (options = {}) => {
    const [fits, ticket, stream] = this.#take(options);
    if (fits && !stream) return Promise.resolve(ticket);
    this.#giveUp(ticket, stream); // this viewer opens its websockets itself
    return this.#ask(options);
  };

  open = (options = {}) => {
    const [fits, ticket, stream] = this.#take(options);
    if (fits && stream) return Promise.resolve(stream);
    if (!fits) this.#giveUp(ticket, stream);
    else return connect(ticket.url, { ticket, signal: this.#leave.signal, resume: this.#wanted(options) });
    return this.#open(options);
  };

  /** Give up whatever is being opened. */
  leave() {
    this.#leave.abort();
    this.#leave = new AbortController();
    this.#ticket = this.#stream = null;
  }

  async #ask(options) {
    const ticket = await this.#attached(ask(this.#wanted(options)));
    this.view = ticket.view ?? false;
    this.terminal = ticket.terminal ?? '';
    return ticket;
  }

  async #open(options) {
    const stream = await this.#attached(open(this.#wanted(options)));
    this.view = stream.ticket?.view ?? this.view;
    this.terminal = stream.ticket?.terminal ?? '';
    return stream;
  }

  /** Let nothing wait at the host for nobody: of a ticket that doesn't fit the stream is opened and left. */
  #giveUp(ticket, stream) {
    if (stream) stream.close();
    else if (ticket)
      connect(ticket.url, { signal: this.#leave.signal }).then(
        (left) => left.close(),
        () => {},
      );
  }

  /** What is asked for; if its terminal is no more, that is said, and the next one is new. */
  async #attached(asked) {
    try {
      return await asked;
    } catch (error) {
      if (error.status !== 410 || !this.terminal) throw error;
      this.terminal = '';
      throw Object.assign(new Error(GONE, { cause: error }), { status: 410, code: error.code });
    }
  }

  /**
   * Whether the first ticket is what is wanted; the ticket, and its stream, if that is open.
   * @param {{ view?: boolean, place?: string, lines?: number, channels?: boolean }} options
   */
  #take({ view, place, lines, channels }) {
    const [ticket, stream] = [this.#ticket, this.#stream];
    this.#ticket = this.#stream = null;
    const fresh = performance.now() < this.#until;
    const fits = ticket && (!view || ticket.view) && !place && !lines && Boolean(channels) === ticket.channels > 0;
    return [fits && fresh, ticket, stream];
  }

  /** Of which a stream that resumes asks again, by the session that there is then. */
  #wanted(options) {
    const session = this.#session;
    return {
      ...options,
      view: options.view || this.looks,
      terminal: this.terminal,
      host: this.host,
      target: this.target,
      resume: true,
      platform: new URL('.', document.baseURI).href,
      signal: this.#leave.signal,
      get csrf() {
        return session.csrf;
      },
    };
  }
}

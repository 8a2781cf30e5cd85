// The list of kept terminals, of a host or of all: what runs there, be somebody attached or not, and the ways to it.

import { sentence } from '../log/sentence.js';
import { several } from '../log/several.js';
import { element, keepInStep, write } from './dom.js';
import { endTerminal } from './terminal-end.js';
import { Asked, MOST } from './terminals-asked.js';
import { lasting } from './times.js';

const EACH = 3000; // ms from an answer to the next question; longer where many hosts are asked
const FEW = 6; // hosts for which it isn't
const NAMED = 5; // people who are named

/**
 * Show it, as long as somebody looks: that of a host, or of all that are there by now if that is `''`. `attach(one)` shows
 * a terminal in a tab, `isHere(one)` is whether a tab does, `hosts()` are the names of those that keep any.
 * @type {(session: { user: string, csrf: string }, host: string, acts: { attach: (one: object) => void,
 *   isHere: (one: { terminal: string }) => boolean, hosts: () => string[] }) => void}
 */
export function listTerminals(session, host, acts) {
  const list = new List(session, host, acts);
  document.body.append(list.element);
  list.element.showModal();
}

class List {
  element;

  #session;
  #host;
  #acts;
  #rows = element('ul', { class: 'terminals-list' });
  #trouble = element('p', { class: 'trouble', role: 'status', hidden: true });
  #said = element('p', { class: 'muted', role: 'status' }, 'Asking …');
  #shown = new Map();
  #asked = new Asked(() => this.#show());
  #timer = 0;
  #gone = new AbortController();
  #ending = new Set();

  constructor(session, host, acts) {
    this.#session = session;
    this.#host = host;
    this.#acts = acts;
    const form = element(
      'form',
      { method: 'dialog' },
      element('h2', { id: 'terminals-title' }, host ? `Kept terminals on ${host}` : 'Kept terminals on all hosts'),
      this.#said,
      this.#trouble,
      this.#rows,
      element('button', { class: 'primary', autofocus: true }, 'Close'),
    );
    this.element = element('dialog', { 'aria-labelledby': 'terminals-title', class: 'terminals' }, form);
    this.element.addEventListener('close', () => this.#leave());
    const { signal } = this.#gone;
    document.addEventListener('visibilitychange', () => this.#ask(), { signal });
    session.addEventListener('out', () => this.element.close(), { signal }); // nothing of it is for the next user
    void this.#ask();
  }

  #leave() {
    this.#gone.abort();
    clearTimeout(this.#timer);
    this.element.remove();
  }

  /** Ask, and again after a while; not while nobody looks. */
  async #ask() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const { signal } = this.#gone;
    const hosts = this.#host ? [this.#host] : this.#acts.hosts();
    await this.#asked.ask(hosts, signal).catch(() => {}); // nobody looks any more
    clearTimeout(this.#timer);
    if (!signal.aborted) this.#timer = setTimeout(() => this.#ask(), EACH * Math.max(1, hosts.length / FEW));
  }

  #show() {
    const { terminals: all, missing, beyond } = this.#asked;
    const trouble = this.#host ? missing.map(([, words]) => sentence(words)) : troubleOf(missing, beyond);
    if (missing.length) trouble.push('Trying again …');
    this.#trouble.hidden = !trouble.length;
    write(this.#trouble, trouble.join(' '));
    const none = missing.length
      ? ''
      : 'None that you might attach to. A target keeps its terminals if its host’s settings say so (keep).';
    write(this.#said, all.length ? `${several(all.length, 'terminal')}, the oldest first.` : none);
    const focus = this.#rows.contains(document.activeElement);
    keepInStep(
      this.#rows,
      this.#shown,
      all,
      ({ terminal }) => terminal,
      (one) => this.#row(one),
    );
    if (focus && !this.#rows.contains(document.activeElement)) this.element.querySelector('.primary').focus();
  }

  #row(first) {
    let now = first;
    const state = element('span', { class: 'tag' });
    const more = element('p', { class: 'muted small' });
    const attach = button('Attach', () => this.#attach(now, false));
    const look = button('Look', () => this.#attach(now, true));
    const end = button('End …', () => this.#end(now));
    const where = this.#host ? [] : [element('span', { class: 'where' }, first.host), ' '];
    const name = element('p', { class: 'name' }, first.target, ' ', ...where, state);
    const made = element('li', {}, element('div', { class: 'what' }, name, more), attach, look, end);
    const update = (one) => {
      now = one;
      const here = this.#acts.isHere(one);
      write(state, stateOf(one));
      state.classList.toggle('plain', one.detached === undefined);
      write(more, moreOf(one, this.#session.user));
      write(attach, here ? 'Show' : 'Attach');
      attach.hidden = one.view === true && !here;
      look.hidden = here;
      end.hidden = one.end === false;
      end.disabled = this.#ending.has(one.terminal);
      for (const [act, word] of Object.entries({ Attach: attach, Look: look, End: end }))
        word.ariaLabel = `${act === 'Attach' ? attach.textContent : act} ${this.#host ? one.target : `${one.target} on ${one.host}`}, started by ${one.user || 'nobody named'} ${lasting(one.seconds)} ago`;
    };
    return { element: made, update };
  }

  #attach({ host, target, terminal }, looks) {
    this.element.close();
    this.#acts.attach({ host, target, terminal, looks });
  }

  async #end(one) {
    this.#ending.add(one.terminal);
    await endTerminal(this.#session, one);
    this.#ending.delete(one.terminal);
    if (!this.#gone.signal.aborted) await this.#ask();
  }
}

function button(words, onclick) {
  return element('button', { type: 'button', onclick }, words);
}

/** What isn't known of all hosts, in sentences. */
export function troubleOf(missing, beyond) {
  const named = missing.slice(0, NAMED).map(([, words]) => sentence(words));
  const rest = missing.length - named.length;
  const more = rest ? [`${several(rest, 'host')} more can’t be asked.`] : [];
  const left = beyond ? [`Only the first ${MOST} of ${(MOST + beyond).toLocaleString('en')} hosts are asked.`] : [];
  return [...named, ...more, ...left];
}

/** How it stands: "detached, 3 h", or how many are there. */
export function stateOf({ detached, people }) {
  if (detached !== undefined) return `detached, ${lasting(detached)}`;
  return people.length === 1 ? '1 attached' : `${people.length.toLocaleString('en')} attached`;
}

/** Who started it and when, who is there, and its size. */
export function moreOf({ user, seconds, people, size }, me) {
  const who = (name) => (name && name === me ? 'you' : name || 'a user who is not named');
  const named = people.slice(0, NAMED).map((one) => `${who(one.user)}${one.view ? ' (looks only)' : ''}`);
  const rest = people.length - named.length;
  const there = named.length ? ` · there: ${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}` : '';
  const cells = Array.isArray(size) ? ` · ${size.join(' × ')}` : '';
  return `started by ${who(user)} ${lasting(seconds)} ago${cells}${there}`;
}

// The hosts that are up, with the targets that this user may open, asked for again and again while somebody looks.

import { fits } from './patterns.js';
import { request } from './request.js';

const EACH = 3000; // ms from an answer to the next question
const MOST = 5000; // ms between questions that fail, unless the platform says more: one that is back is wanted at once

/** Events: `change`, whenever the list or the trouble is another; `back` with hosts that are up again, all of them once the
    platform is. */
export class Hosts extends EventTarget {
  list = null; // null: not known yet; else { host, targets, away }; away: it didn't answer the last time
  trouble = ''; // why the list may be old, in words

  #session;
  #running = false;
  #round = 0;
  #failures = 0;
  #timer = 0;

  constructor(session) {
    super();
    this.#session = session;
    document.addEventListener('visibilitychange', () => this.now());
    addEventListener('online', () => this.now());
  }

  start() {
    this.#running = true;
    this.now();
  }

  stop() {
    this.#running = false;
    this.#round += 1;
    clearTimeout(this.#timer);
    this.#show(null, '');
  }

  /** Ask at once. A page that nobody looks at doesn't ask, so that its session ends as one that isn't used. */
  now() {
    clearTimeout(this.#timer);
    if (this.#running && !document.hidden) void this.#ask(++this.#round);
  }

  /** What is known of a target: its entry in the list, by its name or by a pattern that it fits. If it fits several the
      host alone knows which it takes, so nothing is known unless they are alike. */
  find(host, name) {
    const targets = this.list?.find((one) => one.host === host)?.targets ?? [];
    const own = targets.find((target) => target.name === name);
    const [first, ...others] = own ? [own] : targets.filter((target) => fits(target.name, name));
    return others.every(({ kind, viewer }) => kind === first.kind && viewer === first.viewer) ? first : undefined;
  }

  isUp(host) {
    return this.list?.some((one) => one.host === host && !one.away) ?? false;
  }

  async #ask(round) {
    let wait = EACH;
    try {
      const { hosts, complete } = await request('GET', 'v1/hosts');
      if (round !== this.#round) return;
      const [before, failed] = [this.list, this.#failures > 0];
      this.#failures = 0;
      this.#show(merge(before ?? [], hosts, complete), complete === false ? 'not all hosts answered.' : '');
      if (before) this.#tellBack(before, failed);
    } catch (problem) {
      if (round !== this.#round) return;
      if (problem.status === 401) {
        this.#session.over('Your session is over. Sign in to see hosts again; what is open stays open.');
        return;
      }
      wait = Math.max(Math.min(MOST, EACH * 2 ** this.#failures++), (problem.retryAfter ?? 0) * 1000);
      this.#show(this.list, problem.message);
    }
    this.#timer = setTimeout(() => this.now(), wait);
  }

  #tellBack(before, failed) {
    const were = failed ? [] : before.filter(({ away }) => !away).map(({ host }) => host);
    const back = this.list.filter(({ host, away }) => !away && !were.includes(host)).map(({ host }) => host);
    if (back.length) this.dispatchEvent(new CustomEvent('back', { detail: back }));
  }

  #show(list, trouble) {
    Object.assign(this, { list, trouble });
    this.dispatchEvent(new Event('change'));
  }
}

/** One that doesn't answer for the first time is kept: a busy host may only have been slow. So are all where it is known
    that not all have answered. */
function merge(before, hosts, complete) {
  const up = new Set(hosts.map(({ host }) => host));
  const missed = before.filter(({ host, away }) => (!away || complete === false) && !up.has(host));
  const all = [...hosts.map((one) => ({ ...one, away: false })), ...missed.map((one) => ({ ...one, away: true }))];
  const order = new Intl.Collator('en', { numeric: true }).compare;
  return all.sort((one, other) => order(one.host, other.host));
}

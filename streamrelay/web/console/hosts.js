// The hosts that this user sees, with the targets that they may open, as the platform tells of them while somebody looks:
// first all, by pages, and what changes from then on. A platform that tells no changes is asked again and again.

import { Changes } from './changes.js';
import { Check } from './check.js';
import { Fleet } from './fleet.js';
import { fits } from './patterns.js';
import { changesOf, first, pages } from './polled.js';
import { keeps } from './rows.js';

const EACH = 3000; // ms from an answer to the next question, where no changes are told
const RARELY = 15_000; // the same where there are many hosts
const MANY = 1000;
const MOST = 5000; // ms between questions that fail, unless the platform says more: one that is back is wanted at once
const SOON = 1000; // ms until the list is asked for though no change could come yet
const OVER = 'Your session is over. Sign in to see hosts again; what is open stays open.';
const UNKNOWN = 'not all hosts are known yet, the platform is hearing of them …';

/** Events: `change`, whenever the list or the trouble is another; `back` with hosts that are up again (a set), all of them
    once the platform is. */
export class Hosts extends EventTarget {
  trouble = ''; // why the list may be old, in words
  up = 0; // hosts, those included that don't answer
  down = 0;
  loading = false; // whether the list has only some of them, as it is loaded for the first time

  #session;
  #fleet = new Fleet();
  #known = false; // whether there is a list at all
  #whole = false; // whether it had all of them once
  #old = false; // a platform that tells no changes
  #running = false;
  #turn = 0;
  #timer = 0;
  #changes = null; // the connection by which they come
  #asks = false; // whether the list is being asked for
  #stale = false; // whether it must be asked for once more after that
  #complete = true; // whether the platform knows all hosts
  #failures = 0;
  #denied = 0; // questions in a row that were refused for want of a session
  #lost = false; // whether the platform, or its NATS, was lost since all was well
  #check = new Check(() => this, { differs: () => this.now(), failed: (problem) => this.#fail(problem) });

  constructor(session) {
    super();
    this.#session = session;
    document.addEventListener('visibilitychange', () => this.now());
    addEventListener('online', () => this.now());
  }

  /** Hosts in their order, each as the platform has it (protocol.rst); null: not known yet. */
  get list() {
    return this.#known ? this.#fleet.list : null;
  }

  /** Whether there is one that may keep terminals, and the names of all those. */
  get keepAny() {
    return this.#fleet.list.some(({ state, targets }) => keeps(state, targets));
  }

  get keeping() {
    return this.#fleet.list.filter(({ state, targets }) => keeps(state, targets)).map(({ host }) => host);
  }

  start() {
    this.#running = true;
    this.now();
  }

  stop() {
    this.#running = false;
    this.#leave();
    this.#fleet = new Fleet();
    Object.assign(this, { up: 0, down: 0, loading: false });
    this.#known = this.#whole = this.#old = this.#lost = false;
    this.#failures = this.#denied = 0;
    this.#show('');
  }

  /** Ask at once. A page that nobody looks at doesn't ask, so that its session ends as one that isn't used. */
  now() {
    this.#leave();
    if (this.#running && !document.hidden) void this.#round(this.#turn);
  }

  /** What is known of a target: its entry in the list, by its name or by a pattern that it fits. If it fits several the
      host alone knows which it takes, so nothing is known unless they are alike. */
  find(host, name) {
    const targets = this.#fleet.get(host)?.targets ?? [];
    const own = targets.find((target) => target.name === name);
    const [first, ...others] = own ? [own] : targets.filter((target) => fits(target.name, name));
    return others.every(({ kind, viewer }) => kind === first.kind && viewer === first.viewer) ? first : undefined;
  }

  /** A host's entry; undefined if it isn't in the list. */
  host(name) {
    return this.#fleet.get(name);
  }

  isUp(host) {
    return this.#fleet.get(host)?.state === 'up';
  }

  #leave() {
    this.#turn += 1;
    this.#asks = this.#stale = false;
    clearTimeout(this.#timer);
    this.#check.stop();
    this.#changes?.close();
    this.#changes = null;
  }

  async #round(turn) {
    if (!this.#known && !(await this.#begin(turn))) return;
    if (!this.#old) await this.#listen();
    if (turn === this.#turn) await this.#load(turn);
  }

  /** What is seen at first is there before all else; whether more is to be asked for at once. */
  async #begin(turn) {
    try {
      const answer = await first();
      if (turn !== this.#turn) return false;
      this.#failures = this.#denied = 0;
      this.#take(answer);
      if (this.#old) this.#later(EACH);
      return !this.#old;
    } catch (problem) {
      if (turn === this.#turn) this.#fail(problem);
      return false;
    }
  }

  /** Until changes come, or can't; not for long. */
  #listen() {
    return new Promise((settle) => {
      let late = false;
      this.#changes = new Changes({
        begin: (told) => {
          this.#count(told);
          if (late) this.#reload();
          settle(null);
        },
        change: (told) => this.#change(told),
        trouble: (problem) => {
          this.#lost = true;
          this.#complete = false;
          this.#show(problem.detail);
        },
        over: (problem) => this.#over(problem),
        broke: () => {
          if (this.#changes.begun) this.#later(EACH * (0.2 + 0.3 * Math.random())); // not all pages at once
          this.#changes = null;
          settle(null);
        },
      });
      setTimeout(() => {
        late = true;
        settle(null);
      }, SOON);
    });
  }

  /** The platform tells no more: as it stops, as nobody is signed in, or as this user may see other hosts from now on. */
  #over(problem) {
    if (problem.status === 409) this.now();
    else this.#fail(problem);
  }

  async #load(turn) {
    clearTimeout(this.#timer);
    this.#check.stop();
    this.#asks = true;
    try {
      do {
        this.#stale = false;
        await this.#ask(turn);
      } while (this.#stale && turn === this.#turn);
      if (turn !== this.#turn) return;
      this.#asks = false;
      if (this.#changes?.begun) this.#check.start();
      else this.#later(this.#fleet.size > MANY ? RARELY : EACH);
    } catch (problem) {
      if (turn === this.#turn) this.#fail(problem);
    }
  }

  async #ask(turn) {
    this.#fleet.beginLoad();
    let complete = true;
    for await (const answer of pages()) {
      if (turn !== this.#turn) return;
      this.#failures = this.#denied = 0;
      complete &&= answer.complete !== false; // each may be of another platform
      this.#take(answer);
      if (this.#old) return;
    }
    this.#fleet.endLoad(complete);
    this.#whole = true;
    this.#lost &&= !complete;
    this.#complete = complete;
    this.#show(complete ? '' : UNKNOWN);
  }

  /** A page of the list. */
  #take(answer) {
    this.#old = answer.up === undefined;
    if (this.#old) {
      this.#polled(answer);
      return;
    }
    this.#count(answer);
    const back = this.#back(answer.hosts, !this.#whole);
    this.#fleet.page(answer.hosts);
    this.#known = true;
    this.loading = !this.#whole && answer.next !== null;
    this.#show(answer.complete === false ? UNKNOWN : '');
    this.#tellBack(back);
  }

  /** The answer of an older platform, which tells no changes. */
  #polled(answer) {
    this.#changes?.close();
    this.#changes = null;
    const { hosts, gone } = changesOf(this.#fleet.list, answer);
    const back = this.#back(hosts, !this.#known);
    this.#fleet.change(hosts, gone);
    this.#known = this.#whole = true;
    this.#lost = false;
    this.up = hosts.filter(({ state }) => state === 'up').length;
    this.#show(answer.complete === false ? 'not all hosts answered.' : '');
    this.#tellBack(back);
  }

  #change(told) {
    this.#check.told = true;
    const again = told.complete && !this.#complete; // hosts may be gone of which it doesn't know
    this.#count(told);
    const back = this.#back(told.hosts, !this.#whole);
    this.#fleet.change(told.hosts, told.gone);
    this.#complete = told.complete;
    if (this.#known) this.#show(told.complete ? '' : this.trouble || UNKNOWN);
    this.#tellBack(back);
    if (again) this.#reload();
  }

  #reload() {
    if (this.#asks) this.#stale = true;
    else void this.#load(this.#turn);
  }

  #count({ up, down }) {
    Object.assign(this, { up, down });
  }

  /** Which of them are up again, as those entries say. */
  #back(entries, first) {
    const isBack = ({ host, state }) => state === 'up' && (this.#lost || !this.isUp(host));
    return first ? [] : entries.filter(isBack).map(({ host }) => host);
  }

  #tellBack(back) {
    if (back.length) this.dispatchEvent(new CustomEvent('back', { detail: new Set(back) }));
  }

  #fail(problem) {
    this.#leave();
    if (problem.status === 401 && ++this.#denied > 1) {
      this.#session.over(OVER);
      return;
    }
    if (problem.status === 401) {
      this.#later(0);
      return;
    }
    this.#lost = true;
    this.#later(Math.max(Math.min(MOST, EACH * 2 ** this.#failures++), (problem.retryAfter ?? 0) * 1000));
    this.#show(problem.message ?? problem.detail);
  }

  #later(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.now(), wait);
  }

  #show(trouble) {
    this.trouble = trouble;
    this.dispatchEvent(new Event('change'));
  }
}

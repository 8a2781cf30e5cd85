// Who is signed in. The session itself is in a cookie that no script can read; the page has its CSRF token alone.

import { sentence } from '../log/sentence.js';
import { request } from './request.js';

const ELSEWHERE = 'You have signed out in another window of this browser.';

/** Events: `in` when somebody has signed in (or needs not), `out` when nobody is any more; `why` says it in words. */
export class Session extends EventTarget {
  user = '';
  csrf = '';
  version = ''; // of the platform
  why = '';
  known = false; // whether it has been found out
  signedIn = false;
  left = false; // whether it is out because somebody has signed out in this browser, or somebody else has signed in

  #windows = new BroadcastChannel(`session ${new URL('.', document.baseURI).pathname}`); // of this console

  constructor() {
    super();
    this.#windows.addEventListener('message', ({ data }) => this.#heard(String(data?.user ?? '')));
    document.addEventListener('visibilitychange', () => document.hidden || this.#check());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#check());
  }

  /** Find out who is signed in already; if nobody is, a key that a link brought signs in, or `why` is said. */
  async look(key, why = '') {
    const found = await request('GET', 'v1/session').catch((problem) => {
      if (problem.status === 401) return { user: null }; // a session that is over
      throw problem;
    });
    if (found.user !== null) this.#in(found);
    else if (key) await this.enter(key);
    else this.over(why);
  }

  /** Sign in by a link's key, or say why that can't be. */
  async enter(key) {
    try {
      await this.begin(key);
    } catch (problem) {
      if (problem.status === 0 && !this.known) throw problem; // the page tries again
      this.known = false; // it may have been known that nobody is signed in, but not why this link doesn't help
      this.over(sentence(problem.message));
    }
  }

  async begin(key) {
    this.#in(await request('POST', 'v1/session', { body: { key } }));
    this.#windows.postMessage({ user: this.user });
  }

  async end() {
    try {
      await request('DELETE', 'v1/session', { csrf: this.csrf });
    } catch (problem) {
      if (problem.status !== 401 && problem.status !== 404) throw problem; // else it was over before
    }
    this.#windows.postMessage({ user: '' });
    this.#leave('');
  }

  /** Another window tells that `user` has signed in; '': that somebody has signed out. */
  #heard(user) {
    if (user) void this.#check();
    else if (this.user) this.#leave(ELSEWHERE);
  }

  /** Find out whose session this browser has by now, as all its windows have one: what is open is of the one before. */
  async #check() {
    if (!this.user) return;
    const found = await request('GET', 'v1/session').catch(() => ({ user: null }));
    if (!this.user || !found.user) return;
    if (found.user !== this.user) this.#leave('');
    if (this.signedIn) this.csrf = found.csrf;
    else this.#in(found);
  }

  /** Somebody has signed out: nothing of it is for the next one here. */
  #leave(why) {
    Object.assign(this, { user: '', left: true, signedIn: true }); // as that of a session that was over before, too
    this.over(why);
  }

  /** It has turned out that the session is over. */
  over(why) {
    const was = this.signedIn || !this.known;
    this.csrf = '';
    this.signedIn = false;
    this.known = true;
    this.why = why;
    if (was) this.dispatchEvent(new Event('out'));
  }

  #in({ user, csrf, version = '' }) {
    const before = this.user;
    Object.assign(this, { user, csrf, version, known: true, signedIn: true, left: false, why: '' });
    this.dispatchEvent(new CustomEvent('in', { detail: { another: before !== '' && before !== user } }));
  }
}

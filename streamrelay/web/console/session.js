// Who is signed in. The session itself is in a cookie that no script can read; the page has its CSRF token alone.

import { sentence } from '../log/sentence.js';
import { request } from './request.js';

/** Events: `in` when somebody has signed in (or needs not), `out` when nobody is any more; `why` says it in words. */
export class Session extends EventTarget {
  user = '';
  csrf = '';
  version = ''; // of the platform
  why = '';
  known = false; // whether it has been found out
  signedIn = false;
  left = false; // whether it is out because somebody here has signed out

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
  }

  async end() {
    try {
      await request('DELETE', 'v1/session', { csrf: this.csrf });
    } catch (problem) {
      if (problem.status !== 401 && problem.status !== 404) throw problem; // else it was over before
    }
    this.user = '';
    this.left = true;
    this.over('');
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

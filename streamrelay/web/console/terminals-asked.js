// What several hosts say of their kept terminals: each is asked by itself, a few at a time, and what is known is told as it comes.

import { terminals } from '../streamrelay.js';

export const MOST = 100; // hosts that are asked, as each of them has to answer
const AT_ONCE = 6;

export class Asked {
  /** Hosts beyond those that are asked. */
  beyond = 0;

  #hosts = []; // those that are asked, in their order
  #answers = new Map(); // by host: its terminals, or why nothing is known of them
  #told;

  /** `told()` is called after each answer. */
  constructor(told) {
    this.#told = told;
  }

  /** All that are known, the oldest first. */
  get terminals() {
    return [...this.#answers.values()].flatMap(({ all }) => all).sort((one, other) => other.seconds - one.seconds);
  }

  /** Why nothing is known of some hosts, or nothing new: `[host, words]` of each. */
  get missing() {
    return this.#hosts.map((host) => [host, this.#answers.get(host)?.problem]).filter(([, problem]) => problem);
  }

  /** Ask all of these once, and forget others. Rejects with the signal's reason. */
  async ask(hosts, signal) {
    this.#hosts = hosts.slice(0, MOST);
    this.beyond = hosts.length - this.#hosts.length;
    for (const host of this.#answers.keys()) if (!this.#hosts.includes(host)) this.#answers.delete(host);
    const left = [...this.#hosts];
    const one = async () => {
      for (let host = left.shift(); host !== undefined; host = left.shift()) await this.#askOne(host, signal);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    this.#told(); // if there was nobody to ask
  }

  async #askOne(host, signal) {
    try {
      const all = await terminals({ platform: new URL('.', document.baseURI).href, host, signal });
      this.#answers.set(host, { all, problem: '' });
    } catch (problem) {
      signal.throwIfAborted();
      const old = problem.code === 'too_old'; // an agent that knows no terminals has none
      const all = old ? [] : (this.#answers.get(host)?.all ?? []);
      this.#answers.set(host, { all, problem: old ? '' : problem.message });
    }
    this.#told();
  }
}

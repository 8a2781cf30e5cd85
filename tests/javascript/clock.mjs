// Time for the promises of the console: it passes when the test says so.

/** Until what is due at once has been done. */
export const turn = () => new Promise(setImmediate);

/** A clock whose timers come when the test says so, and a chance that is always the same. */
export class Clock {
  now = 0;
  waits = []; // each that was begun
  #timers = new Map();

  constructor(chance = 0.5) {
    Object.defineProperty(performance, 'now', { value: () => this.now, configurable: true });
    Math.random = () => chance;
    globalThis.setTimeout = (act, wait) => {
      this.waits.push(wait);
      this.#timers.set(this.waits.length, { act, at: this.now + wait });
      return this.waits.length;
    };
    globalThis.clearTimeout = (number) => this.#timers.delete(number);
  }

  async forward(ms) {
    const until = this.now + ms;
    for (;;) {
      await turn();
      const due = [...this.#timers]
        .filter(([, { at }]) => at <= until)
        .sort((one, other) => one[1].at - other[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = Math.max(this.now, due[1].at);
      due[1].act();
    }
    this.now = until;
  }
}

// A press that was meant: one that may have been for another page, whose place ours has taken meanwhile, doesn't count.

const READ = 700; // ms within which nobody has read what is asked

/** Watches a button while it asks something: it may be pressed once it has been in sight for a moment. */
export class Meant {
  #button;
  #timer = 0;
  #asks = new AbortController();
  #question = '';

  constructor(button) {
    this.#button = button;
    button.addEventListener('click', (event) => this.#click(event), { capture: true });
    button.addEventListener('keydown', (event) => {
      if (this.#question && event.repeat) event.preventDefault(); // it was pressed before the question was here
    });
  }

  /** What the button asks from now on, which begins the moment anew if it is something else; nothing by "". */
  about(question) {
    if (question === this.#question) return;
    this.#question = question;
    this.#asks.abort();
    clearTimeout(this.#timer);
    this.#button.removeAttribute('aria-disabled');
    if (!question) return;
    this.#asks = new AbortController();
    const { signal } = this.#asks;
    addEventListener('focus', () => this.#wait(), { signal });
    document.addEventListener('visibilitychange', () => this.#wait(), { signal });
    this.#wait();
  }

  #wait() {
    this.#button.setAttribute('aria-disabled', 'true');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (document.hasFocus() && !document.hidden) this.#button.removeAttribute('aria-disabled');
    }, READ);
  }

  #click(event) {
    if (!this.#button.hasAttribute('aria-disabled')) return;
    event.stopImmediatePropagation();
    this.#wait();
  }
}

// The clipboard of who sits here, and a machine's. Nothing crosses unless that was switched on for this machine, and then
// the machine gets what is pasted at its screen, nothing else; what it copies is taken at its screen alone, and said.

import { several } from '../log/several.js';
import { copiedText, copyText } from './clipboard.js';
import { choose, chosen } from './terminal-choices.js';

export const MOST = 1 << 20; // bytes of a text, either way
const PACE = 1000; // ms between two texts that are taken; of those between only the last one is
const SETTLED = 100; // ms in which the machine has learned of a text, before it is told to paste it
const LATE = 500; // ms after which the text of a key that is up again will not come: browsers say nothing where there is none
const MODIFIERS = { ctrlKey: 'ControlLeft', shiftKey: 'ShiftLeft', metaKey: 'MetaLeft' };
const SHARED =
  'what is copied in the machine replaces your clipboard while its screen has the focus, and it gets what you paste there';

export class MachineClipboard {
  /**
   * While it is connected.
   * @type {{ takes: () => boolean, give: (text: string) => void, share: (on: boolean) => void,
   *   press: (event: KeyboardEvent, more: string[]) => void } | null}
   */
  machine = null;

  #element;
  #name;
  #text = ''; // what was last copied in the machine
  #pace = 0;
  #waits = false; // to be taken
  #key = null; // a key that pastes, until its text has come
  #late = 0;
  #held = {}; // modifiers, as the last event has them

  /** @param {HTMLElement} element - the viewer's, with the screen in it, and nothing else that could have the focus but forms */
  constructor(element, { host, target }, signal) {
    this.#element = element;
    this.#name = `clipboard:${host}/${target}`; // of this machine alone: others are not to be trusted with it
    const listen = (kind, act) => element.addEventListener(kind, act, { capture: true, signal });
    listen('keydown', (event) => this.#pressed(event));
    listen('keyup', (event) => this.#released(event));
    listen('focusout', () => {
      this.#held = {};
      this.#taken(); // what is pasted elsewhere stays there
    });
    // Firefox pastes where something was last selected, wherever the focus is.
    document.addEventListener('paste', (event) => this.#pasted(event), { capture: true, signal });
    signal.addEventListener('abort', () => {
      clearTimeout(this.#pace);
      clearTimeout(this.#late);
    });
  }

  get shared() {
    return chosen(this.#name);
  }

  get actions() {
    const { shared } = this;
    return [
      ...(shared && this.#text ? [{ label: "Copy the machine's clipboard", run: () => copyText(this.#text) }] : []),
      ...(shared ? [{ label: "Paste to the machine's clipboard", run: () => this.#paste() }] : []),
      { label: `Shared clipboard ${shared ? 'off' : 'on'}`, run: () => this.#share(!shared) },
    ];
  }

  /** The machine has copied a text. */
  came(text) {
    if (!this.shared || !text) return;
    const much = tooMuch(text);
    if (much) {
      this.missed(`what the machine has copied is too much: ${much}`);
      return;
    }
    this.#text = text;
    if (this.#pace) this.#waits = true;
    else void this.#take();
  }

  /** The machine has copied something that isn't taken, for a reason in words. */
  missed(words) {
    if (this.#hasFocus) this.#say(words);
  }

  /** Let the page say something to who sits there. */
  #say(words) {
    this.#element.dispatchEvent(new CustomEvent('said', { detail: words }));
  }

  get #hasFocus() {
    return document.hasFocus() && this.#element.contains(document.activeElement);
  }

  #share(on) {
    choose(this.#name, on);
    if (on && !this.shared) throw new Error('the browser keeps no choices for this page, so it stays off');
    this.machine?.share(on);
    this.#text = '';
    this.#say(on ? SHARED : 'the clipboard is shared no more');
  }

  /** What the machine has copied becomes this browser's, if its screen is where somebody sits. */
  async #take() {
    this.#waits = false;
    this.#pace = setTimeout(() => {
      this.#pace = 0;
      if (this.#waits && this.shared) void this.#take();
    }, PACE);
    if (!this.#hasFocus) return;
    const text = this.#text;
    try {
      await copyText(text);
      this.#say(`copied from the machine: ${count(text)}`);
    } catch ({ message }) {
      this.#say(`the machine has copied ${count(text)}, but ${message}; the menu copies it`);
    }
  }

  async #paste() {
    const text = await copiedText();
    this.#give(text);
    this.#say(`the machine's clipboard has ${count(text)} of yours`);
  }

  #give(text) {
    if (!text) throw new Error('the clipboard has no text');
    const much = tooMuch(text);
    if (much) throw new Error(`nothing was pasted, as it is too much: ${much}`);
    if (!this.machine) throw new Error('nothing was pasted, as the machine is not connected');
    this.machine.give(text);
  }

  // -- keys that paste: the browser gives the text with them, and asks nobody ---------------------------------------

  #pressed(event) {
    this.#held = event;
    if (!pastes(event) || !(event.target instanceof HTMLCanvasElement)) return;
    if (!this.shared || !this.machine?.takes()) return;
    event.stopPropagation(); // it comes to the machine once the text has
    if (event.repeat) {
      event.preventDefault();
      return;
    }
    this.#press(this.#taken());
    this.#key = event;
  }

  #released(event) {
    this.#held = event;
    if (this.#key?.code !== event.code) return;
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#press(this.#taken()), LATE);
  }

  /** The key that waits for its text, which waits no more. */
  #taken() {
    const key = this.#key;
    this.#key = null;
    clearTimeout(this.#late);
    return key;
  }

  async #pasted(event) {
    if (!this.#key) return;
    event.preventDefault();
    event.stopPropagation();
    const key = this.#taken();
    const text = event.clipboardData?.getData('text/plain') ?? '';
    try {
      if (text) this.#give(text);
    } catch ({ message }) {
      this.#say(message);
      return;
    }
    if (text) await new Promise((resolve) => setTimeout(resolve, SETTLED));
    this.#press(key);
  }

  /** Let the machine have a key, with the modifiers that it had and that may be released by now. */
  #press(key) {
    if (!key) return;
    const gone = Object.keys(MODIFIERS).filter((flag) => key[flag] && !this.#held[flag]);
    this.machine?.press(
      key,
      gone.map((flag) => MODIFIERS[flag]),
    );
  }
}

function pastes({ key, code, ctrlKey, metaKey, altKey, shiftKey }) {
  if (altKey) return false;
  return ((ctrlKey || metaKey) && (key === 'v' || key === 'V')) || (shiftKey && !ctrlKey && code === 'Insert');
}

/** How much a text is, if that is more than crosses. */
function tooMuch(text) {
  const size = text.length > MOST ? text.length : new TextEncoder().encode(text).length;
  return size > MOST ? `${size} bytes or more, and at most ${MOST} are taken` : '';
}

const count = (text) => several([...text].length, 'character');

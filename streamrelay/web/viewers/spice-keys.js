// Keys for a machine, by where they are on the keyboard: the machine has a layout of its own. Knows what is held.

import { released, scancode, scancodeAt } from './scancodes.js';

const ALT_GR = 'AltRight';
const AT_ONCE = 50; // milliseconds; nobody presses Ctrl and AltGr within them
const MODIFIERS = {
  // what an event says is held, and by which keys; the first is pressed if none is
  shiftKey: ['ShiftLeft', 'ShiftRight'],
  ctrlKey: ['ControlLeft', 'ControlRight'],
  altKey: ['AltLeft'],
  metaKey: ['MetaLeft', 'MetaRight'],
};
const NAMES = new Set([...Object.values(MODIFIERS).flat(), ALT_GR]);

export class Keys {
  #send;
  #held = new Map(); // codes by the keys' places
  #control = -Infinity; // when the left Ctrl was pressed

  /** @param {(way: 'Down' | 'Up', code: number) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /** Send what an event of a key says. One that no PC has is left to the browser. */
  take(event) {
    const { type, key, timeStamp } = event;
    const place = event.code || key; // keyboards on the screen say no code
    const code = scancodeAt(event.code) || (event.code ? 0 : scancode(key));
    if (!code) return;
    event.preventDefault();
    if (!NAMES.has(place)) this.#agree(event);
    if (type === 'keyup') this.#up(place);
    else this.#down(place, code, timeStamp);
  }

  /** Release what is held, as nobody is told of a key that is released elsewhere. */
  release() {
    for (const place of [...this.#held.keys()]) this.#up(place);
  }

  #down(place, code, time) {
    if (place === 'ControlLeft' && !this.#held.has(place)) this.#control = time;
    if (place === ALT_GR && time - this.#control < AT_ONCE) this.#up('ControlLeft'); // Windows' AltGr
    this.#held.set(place, code);
    this.#send('Down', code);
  }

  #up(place) {
    const code = this.#held.get(place);
    if (!this.#held.delete(place)) return;
    this.#send('Up', released(code));
  }

  /** Press and release modifiers that were pressed or released elsewhere. A key that is released presses none. */
  #agree(event) {
    const third = this.#held.has(ALT_GR) || event.getModifierState('AltGraph'); // some say Ctrl and Alt of it
    for (const [flag, places] of Object.entries(MODIFIERS)) {
      const held = places.filter((place) => this.#held.has(place));
      if (!event[flag]) for (const place of held) this.#up(place);
      else if (!held.length && !third && event.type === 'keydown')
        this.#down(places[0], scancodeAt(places[0]), event.timeStamp);
    }
  }
}

// The screen of a SPICE session: the canvas on which spice-html5 draws, scaled to its frame, with its pointer, keys and
// focus. Several share a page: their surfaces are found by their session and not by an id, no key or pointer reaches more
// than the one that has the focus, and none takes the focus by itself.

import { whenLeft } from './leaving.js';
import { dropPicture, keepPicture } from './picture.js';
import { Keys } from './spice-keys.js';

const SETTLED = 200; // milliseconds in which a size doesn't change before the machine is told
let count = 0;

export class SpiceScreen {
  #frame;
  #inputs;
  #canvas;
  #resized;
  #keys;
  #element = document.createElement('div');
  #focused = false; // also while the machine changes its mode
  #before = null; // what had the focus when ours was wanted, and there was no canvas yet
  #observer = new ResizeObserver(() => this.#fit());
  #resizing = 0;
  #over = new AbortController();

  /**
   * @param {HTMLElement} frame - where the screen goes
   * @param inputs - spice-html5's module of that name
   * @param {{ canvas: () => any, resized: (width: number, height: number) => void,
   *   send: (way: 'Down' | 'Up', code: number) => void }} session - what is drawn on now, if anything; whom to tell a size
   *   and a key
   */
  constructor(frame, inputs, { canvas, resized, send }) {
    this.#frame = frame;
    this.#inputs = inputs;
    this.#canvas = canvas;
    this.#resized = resized;
    this.#keys = new Keys(send);
    this.#element.id = `spice-screen-${++count}`;
    this.#element.className = 'spice-screen';
    frame.append(this.#element);
    whenLeft(this.#element, () => this.#keys.release(), this.#over.signal);
  }

  get id() {
    return this.#element.id;
  }

  /** Take the focus, now or as soon as there is a canvas; then only if nothing else has taken it meanwhile. */
  focus() {
    const canvas = this.#canvas();
    if (canvas) canvas.focus({ preventScroll: true });
    else this.#before = document.activeElement;
  }

  /** Let a display, which is a channel of `main`, find its surfaces by itself, and the pointer and keys by us. */
  contain(display, main) {
    display.hook_events = () => this.#hook(this.#canvas(), main);
    display.unhook_events = () => this.#keys.release();
    display.delete_surface = (id) => {
      if (display.primary_surface === id) {
        display.unhook_events();
        display.primary_surface = undefined;
        display.surfaces[id].canvas.remove();
      }
      delete display.surfaces[id];
    };
  }

  /** Tell the frame's size, unless it isn't seen. */
  tellSize() {
    const { clientWidth, clientHeight } = this.#frame;
    if (clientWidth && clientHeight) this.#resized(clientWidth, clientHeight);
  }

  /** The session ends: nothing more is told, and what was seen last stays as a picture. */
  keep() {
    this.#over.abort();
    this.#observer.disconnect();
    clearTimeout(this.#resizing);
    keepPicture(this.#frame, this.#canvas());
  }

  remove() {
    this.#element.remove();
  }

  #hook(canvas, main) {
    dropPicture(this.#frame);
    canvas.sc = main;
    canvas.removeAttribute('id'); // every session has a surface 0
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', "The machine's screen");
    const inputs = this.#inputs;
    const events = {
      mousemove: inputs.handle_mousemove,
      mouseup: inputs.handle_mouseup,
      wheel: inputs.handle_mousewheel,
      mousedown: inputs.handle_mousedown,
      contextmenu: inputs.handle_contextmenu,
      keydown: (event) => this.#keys.take(event),
      keyup: (event) => this.#keys.take(event),
    };
    for (const [type, act] of Object.entries(events)) canvas.addEventListener(type, act);
    this.#hookFocus(canvas);
    this.#observer.observe(this.#frame);
    this.#fit();
  }

  #hookFocus(canvas) {
    canvas.addEventListener('mousedown', () => canvas.focus({ preventScroll: true }));
    canvas.addEventListener('focus', () => {
      this.#focused = true;
    });
    canvas.addEventListener('blur', () => {
      this.#focused = !canvas.isConnected;
    });
    if (this.#focused || this.#before === document.activeElement) canvas.focus({ preventScroll: true });
    this.#before = null;
  }

  /** Scale the screen to its frame. A transform leaves the pointer's coordinates those of the machine. */
  #fit() {
    const canvas = this.#canvas();
    const { clientWidth, clientHeight } = this.#frame;
    if (!canvas || !clientWidth || !clientHeight) return;
    const scale = Math.min(clientWidth / canvas.width, clientHeight / canvas.height);
    const left = (clientWidth - canvas.width * scale) / 2;
    const top = (clientHeight - canvas.height * scale) / 2;
    this.#element.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    clearTimeout(this.#resizing);
    this.#resizing = setTimeout(() => this.tellSize(), SETTLED);
  }
}

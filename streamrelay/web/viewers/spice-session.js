// One session of spice-html5: its channels, its screen and its outcome, apart from all others on the page.
//
// spice-html5 is made for a page of its own. Here several share one: their screens have ids of their own, surfaces are
// found by their session and not by an id, no key or pointer reaches more than the one that has the focus, none takes
// the focus by itself, and whatever ends one channel ends them all, with that websocket's close code.

import { outcome } from '../streamrelay.js';
import { failure, line, refusal, unseen } from './outcomes.js';
import { dropPicture, keepPicture } from './picture.js';
import { released } from './scancodes.js';
import { Keys } from './spice-keys.js';

const SETTLED = 200; // milliseconds in which a size doesn't change before the machine is told
const TICKET = 128; // bytes
const TLS = 5; // SPICE_LINK_ERR_NEED_SECURED
let count = 0;

export class SpiceSession {
  connected; // rejects with an error that has an outcome
  closed;

  /** Whether the server refused the password. */
  denied = false;

  #library;
  #frame;
  #screen = document.createElement('div');
  #main;
  #channels = new Set();
  #keys = new Keys((way, code) => this.#send(way, code));
  #focused = false; // also while the machine changes its mode
  #before = null; // what had the focus when ours was wanted, and there was no screen yet
  #observer = new ResizeObserver(() => this.#fit());
  #resizing = 0;
  #begun; // tells that it is connected
  #settle; // and how it ended

  /**
   * @param library - spice-html5's modules by name
   * @param {HTMLElement} frame - where the screen goes
   * @param {string} url - good for as many websockets as there are channels
   * @param {AbortSignal} signal - ends it
   */
  constructor(library, frame, url, password, signal) {
    this.#library = library;
    this.#frame = frame;
    this.closed = new Promise((settle) => { this.#settle = settle; });
    this.#screen.id = `spice-screen-${++count}`;
    this.#screen.className = 'spice-screen';
    frame.append(this.#screen);
    this.connected = new Promise((resolve, reject) => {
      this.#begun = resolve;
      this.#begin(url, password);
      this.closed.then((ended) => reject(failure(unseen(ended))));
    });
    this.connected.catch(() => {});
    signal.addEventListener('abort', () => this.close());
    if (signal.aborted) this.close();
  }

  /** Take the focus, now or as soon as there is a screen; then only if nothing else has taken it meanwhile. */
  focus() {
    if (this.#canvas) this.#canvas.focus({ preventScroll: true });
    else this.#before = document.activeElement;
  }

  close() {
    this.#end(outcome(1000));
  }

  /** Press keys, by their scan codes, one upon the other, and release them. */
  press(...codes) {
    for (const code of codes) this.#send('Down', code);
    for (const code of codes.reverse()) this.#send('Up', released(code));
  }

  #send(way, code) {
    const inputs = this.#main?.inputs;
    if (inputs?.state !== 'ready') return;
    const { Constants } = this.#library.enums;
    const key = new this.#library.spicemsg[`SpiceMsgcKey${way}`]();
    const message = new this.#library.spicemsg.SpiceMiniData();
    key.code = code;
    message.build_msg(Constants[`SPICE_MSGC_INPUTS_KEY_${way.toUpperCase()}`], key);
    inputs.send_msg(message);
  }

  // -- channels ------------------------------------------------------------------------------------------------

  #begin(uri, password) {
    const main = this.#main = this.#open(uri, password);
    if (!main) return;
    this.#add(main);
    for (const name of ['inputs', 'cursor', 'display']) {
      let current;
      Object.defineProperty(main, name, {
        get: () => current,
        set: (channel) => {
          current = channel;
          if (channel) this.#add(channel);
        },
      });
    }
    after(main, () => {
      for (const other of [...main.ports, ...(main.extra_channels ?? [])]) if (other) this.#add(other);
    });
  }

  #open(uri, password) {
    const { SpiceMainConn } = this.#library.main;
    try {
      return new SpiceMainConn({ uri, password, screen_id: this.#screen.id, onagent: () => this.#resize() });
    } catch { // its message has the URL
      this.#screen.remove();
      this.#settle(refusal('this page may open no websocket to the relay'));
      return null;
    }
  }

  #add(channel) {
    if (this.#channels.has(channel)) return;
    this.#channels.add(channel);
    channel.ws.addEventListener('close', ({ code, reason }) => this.#end(outcome(code, reason)));
    channel.onerror = (error) => this.#failed(channel, error);
    const { send_ticket: send } = channel;
    channel.send_ticket = (ticket) => send.call(channel, aligned(ticket));
    const { Constants } = this.#library.enums;
    if (channel.type === Constants.SPICE_CHANNEL_DISPLAY) this.#contain(channel);
    // The inputs say first that they are there; a key before that would be lost.
    if (channel.type === Constants.SPICE_CHANNEL_INPUTS) after(channel, () => this.#begun());
    // What a port says would become events of the whole window.
    if (channel.type === Constants.SPICE_CHANNEL_PORT) channel.process_channel_message = () => true;
  }

  /** What was wrong inside of a channel; a websocket's own end comes as its close. */
  #failed(channel, { message = '' }) {
    const code = channel.reply_link?.error;
    if (message === 'Permission denied.') this.denied = true;
    if (this.denied) this.#end(refusal('the SPICE server refused the password'));
    else if (message === 'Connection timed out.') this.#end(refusal('the SPICE server does not answer'));
    else if (code === TLS) this.#end(refusal('the SPICE server requires TLS, which this viewer doesn't support'));
    else if (code) this.#end(refusal(`the SPICE server refused (error ${code})`));
    else if (message.includes('magic mismatch')) this.#end(refusal('the target is not a SPICE server'));
    else if (channel.state === 'error') this.#end(refusal(`the SPICE server refused: ${line(message)}`));
  }

  #end(ended) {
    if (!this.#main || this.#main.state === 'closing') return;
    this.#observer.disconnect();
    clearTimeout(this.#resizing);
    keepPicture(this.#frame, this.#canvas);
    this.#main.stop(); // takes the surfaces away, too
    for (const channel of this.#channels) {
      channel.state = 'closing';
      channel.cleanup(); // also of those that it forgets
    }
    this.#screen.remove();
    this.#settle(ended);
  }

  // -- the screen ----------------------------------------------------------------------------------------------

  get #canvas() {
    const display = this.#main?.display;
    return display?.surfaces?.[display.primary_surface]?.canvas;
  }

  /** Let the display find its surfaces by itself, and the pointer and keys by us. */
  #contain(display) {
    display.hook_events = () => this.#hook(this.#canvas);
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

  #hook(canvas) {
    const { inputs } = this.#library;
    dropPicture(this.#frame);
    canvas.sc = this.#main;
    canvas.removeAttribute('id'); // every session has a surface 0
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-label', "The machine's screen");
    const events = {
      mousemove: inputs.handle_mousemove, mouseup: inputs.handle_mouseup, wheel: inputs.handle_mousewheel,
      mousedown: inputs.handle_mousedown, contextmenu: inputs.handle_contextmenu,
      keydown: (event) => this.#keys.take(event), keyup: (event) => this.#keys.take(event),
    };
    for (const [type, act] of Object.entries(events)) canvas.addEventListener(type, act);
    canvas.addEventListener('mousedown', () => canvas.focus({ preventScroll: true }));
    canvas.addEventListener('focus', () => { this.#focused = true; });
    canvas.addEventListener('blur', () => {
      this.#focused = !canvas.isConnected;
      this.#keys.release();
    });
    if (this.#focused || this.#before === document.activeElement) canvas.focus({ preventScroll: true });
    this.#before = null;
    this.#observer.observe(this.#frame);
    this.#fit();
  }

  /** Scale the screen to its frame. A transform leaves the pointer's coordinates those of the machine. */
  #fit() {
    const canvas = this.#canvas;
    const { clientWidth, clientHeight } = this.#frame;
    if (!canvas || !clientWidth || !clientHeight) return;
    const scale = Math.min(clientWidth / canvas.width, clientHeight / canvas.height);
    const left = (clientWidth - canvas.width * scale) / 2;
    const top = (clientHeight - canvas.height * scale) / 2;
    this.#screen.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
    clearTimeout(this.#resizing);
    this.#resizing = setTimeout(() => this.#resize(), SETTLED);
  }

  /** Tell the machine's own agent the frame's size, if it has one; multiples of 8, as X servers want. */
  #resize() {
    const { clientWidth, clientHeight } = this.#frame;
    if (!this.#main?.agent_connected || !clientWidth || !clientHeight) return;
    this.#main.resize_window(0, clientWidth & ~7, clientHeight & ~7, 32, 0, 0);
  }
}

/**
 * A password's ciphertext in its full length: 1024 bits, the first byte the highest. spice-html5 leaves out zeros at its
 * beginning, and puts them at the end: without this the server refuses every 140th channel or so.
 */
export function aligned(ticket) {
  return [...new Array(TICKET - ticket.length).fill(0), ...ticket];
}

/** Do something after each message of a channel. */
function after(channel, act) {
  const { process_channel_message: process } = channel;
  channel.process_channel_message = (message) => {
    const known = process.call(channel, message);
    act();
    return known;
  };
}

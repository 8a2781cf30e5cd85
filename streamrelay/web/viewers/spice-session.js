// One session of spice-html5: its channels and its outcome, apart from all others on the page.
//
// spice-html5 is made for a page of its own. Here several share one: their screens are apart (spice-screen.js), and
// whatever ends one channel of a session ends them all, with that one's outcome.

import { outcome } from '../streamrelay.js';
import { MOST } from './machine-clipboard.js';
import { failure, line, refusal, unseen } from './outcomes.js';
import { released, scancodeAt } from './scancodes.js';
import { SpiceAgent } from './spice-agent.js';
import { PacedKeys } from './spice-pace.js';
import { SpiceScreen } from './spice-screen.js';
import { withSockets } from './spice-socket.js';

const TICKET = 128; // bytes
const TLS = 5; // SPICE_LINK_ERR_NEED_SECURED
const UNSENT = 2048; // pieces for the machine's agent, 2 KiB each, over which it is answered no more until it has taken some

export class SpiceSession {
  connected; // rejects with an error that has an outcome
  closed;

  /** Whether the server refused the password. */
  denied = false;

  /** How many messages have changed the screen. */
  drawn = 0;

  /** What a clipboard needs of it (machine-clipboard.js). */
  machine = {
    takes: () => this.#agent.takes,
    give: (text) => this.#agent.give(text),
    share: (on) => {
      this.#agent.shares = on;
    },
    press: ({ code }, more) => void this.press(...[...more, code].map(scancodeAt)),
  };

  #library;
  #reach;
  #agent;
  #keys = new PacedKeys({
    send: (way, code) => this.#send(way, code),
    ask: () => this.#askInputs(),
    full: () => this.#clipboard.missed('keys are not taken any more, as too many wait for the machine'),
  });
  #clipboard;
  #screen;
  #main;
  #channels = new Set();
  #begun; // tells that it is connected
  #settle; // and how it ended

  /**
   * @param library - spice-html5's modules by name
   * @param {HTMLElement} frame - where the screen goes
   * @param {(signal: AbortSignal) => Promise<any>} reach - a connection for each of its channels (spice-socket.js)
   * @param {import('./machine-clipboard.js').MachineClipboard} clipboard - told what the machine copies
   * @param {AbortSignal} signal - ends it
   */
  constructor(library, frame, reach, password, clipboard, signal) {
    this.#library = library;
    this.#reach = reach;
    this.#clipboard = clipboard;
    this.#agent = new SpiceAgent(MOST, {
      send: (kind, content) => this.#sendAgent(kind, content),
      came: (text) => clipboard.came(text),
      missed: (words) => clipboard.missed(words),
    });
    this.#agent.shares = clipboard.shared;
    this.closed = new Promise((settle) => {
      this.#settle = settle;
    });
    this.#screen = new SpiceScreen(frame, library.inputs, {
      canvas: () => this.#canvas,
      resized: (width, height) => this.#resize(width, height),
      send: (way, code) => void this.#keys.put(way, code),
    });
    this.connected = new Promise((resolve, reject) => {
      this.#begun = resolve;
      this.#begin(password);
      this.closed.then((ended) => reject(failure(unseen(ended))));
    });
    this.connected.catch(() => {});
    signal.addEventListener('abort', () => this.close());
    if (signal.aborted) this.close();
  }

  focus() {
    this.#screen.focus();
  }

  close() {
    this.#end(outcome(1000));
  }

  /** Press keys, by their scan codes, one upon the other, and release them. Promises whether the machine got them. */
  async press(...codes) {
    const ways = [...codes.map((code) => ['Down', code]), ...codes.reverse().map((code) => ['Up', released(code)])];
    const got = await Promise.all(ways.map(([way, code]) => this.#keys.put(way, code)));
    return got.every(Boolean);
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

  /** Have the server say that it has come so far: motions to where the pointer is; gives how many were unanswered. */
  #askInputs() {
    const { inputs } = this.#main ?? {};
    const { Constants } = this.#library.enums;
    const before = inputs?.waiting_for_ack ?? 0;
    if (inputs?.state !== 'ready') return before;
    const motion = new this.#library.spicemsg.SpiceMsgcMouseMotion(this.#main);
    motion.buttons_state = this.#main.buttons_state ?? 0;
    const message = new this.#library.spicemsg.SpiceMiniData();
    message.build_msg(Constants.SPICE_MSGC_INPUTS_MOUSE_MOTION, motion);
    for (let count = 0; count < Constants.SPICE_INPUT_MOTION_ACK_BUNCH; count += 1) inputs.send_msg(message);
    inputs.waiting_for_ack += Constants.SPICE_INPUT_MOTION_ACK_BUNCH;
    return before;
  }

  // -- channels ------------------------------------------------------------------------------------------------

  #begin(password) {
    const { SpiceMainConn } = this.#library.main;
    const about = { uri: 'spice:', password, screen_id: this.#screen.id, onagent: () => this.#screen.tellSize() };
    const main = withSockets(this.#reach, () => new SpiceMainConn(about));
    this.#main = main;
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
    const { process_channel_message: process } = main;
    main.process_channel_message = (message) => withSockets(this.#reach, () => process.call(main, message)); // it opens the others
    this.#attachAgent(main);
    after(main, () => {
      for (const other of [...main.ports, ...(main.extra_channels ?? [])]) if (other) this.#add(other);
    });
  }

  /** What the machine's agent says comes to ours alone: spice-html5 takes each piece for a message. */
  #attachAgent(main) {
    const { Constants } = this.#library.enums;
    const { connect_agent: connected, process_channel_message: process } = main;
    main.connect_agent = () => {
      this.#agent.connected = true;
      connected.call(main);
    };
    main.announce_agent_capabilities = (asks) => this.#agent.announce(asks);
    main.process_channel_message = (message) => {
      if (message.type === Constants.SPICE_MSG_MAIN_AGENT_DISCONNECTED) this.#agent.connected = false;
      if (message.type !== Constants.SPICE_MSG_MAIN_AGENT_DATA) return process.call(main, message);
      if (message.data) this.#agent.receive(message.data);
      return true;
    };
  }

  #sendAgent(kind, content) {
    const main = this.#main;
    if (main.state !== 'ready' || main.agent_msg_queue.length > UNSENT) return;
    main.send_agent_message(kind, {
      buffer_size: () => content.length,
      to_buffer: (whole, at) => new Uint8Array(whole, at).set(content),
    });
  }

  #add(channel) {
    if (this.#channels.has(channel)) return;
    this.#channels.add(channel);
    channel.ws.addEventListener('close', ({ outcome: ended }) => this.#end(ended));
    channel.onerror = (error) => this.#failed(channel, error);
    const { send_ticket: send } = channel;
    channel.send_ticket = (ticket) => send.call(channel, aligned(ticket));
    const { Constants } = this.#library.enums;
    if (channel.type === Constants.SPICE_CHANNEL_DISPLAY) {
      this.#screen.contain(channel, this.#main);
      after(channel, () => {
        this.drawn += 1;
      });
    }
    // The inputs say first that they are there; a key before that would be lost.
    if (channel.type === Constants.SPICE_CHANNEL_INPUTS) after(channel, (type) => this.#inputsSaid(type));
    // What a port says would become events of the whole window.
    if (channel.type === Constants.SPICE_CHANNEL_PORT) channel.process_channel_message = () => true;
  }

  #inputsSaid(type) {
    this.#begun();
    if (type === this.#library.enums.Constants.SPICE_MSG_INPUTS_MOUSE_MOTION_ACK) this.#keys.answered();
  }

  /** What was wrong inside of a channel; a websocket's own end comes as its close. */
  #failed(channel, { message = '' }) {
    const code = channel.reply_link?.error;
    if (message === 'Permission denied.') this.denied = true;
    if (this.denied) this.#end(refusal('the SPICE server refused the password'));
    else if (message === 'Connection timed out.') this.#end(refusal('the SPICE server does not answer'));
    else if (code === TLS) this.#end(refusal('the SPICE server requires TLS, which this viewer does not support'));
    else if (code) this.#end(refusal(`the SPICE server refused (error ${code})`));
    else if (message.includes('magic mismatch')) this.#end(refusal('the target is not a SPICE server'));
    else if (channel.state === 'error') this.#end(refusal(`the SPICE server refused: ${line(message)}`));
  }

  #end(ended) {
    if (!this.#main || this.#main.state === 'closing') return;
    this.#keys.end();
    this.#screen.keep();
    this.#main.stop(); // takes the surfaces away, too
    for (const channel of this.#channels) {
      channel.state = 'closing';
      channel.cleanup(); // also of those that it forgets
    }
    this.#screen.remove();
    this.#settle(ended);
  }

  get #canvas() {
    const display = this.#main?.display;
    return display?.surfaces?.[display.primary_surface]?.canvas;
  }

  /** Tell the machine's own agent the screen's size, if it has one; multiples of 8, as X servers want. */
  #resize(width, height) {
    if (this.#main?.agent_connected) this.#main.resize_window(0, width & ~7, height & ~7, 32, 0, 0);
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
    act(message.type);
    return known;
  };
}

// One tab: a target's console, its connection, and what can be done with it.

import { Connection } from './connection.js';
import { copy } from './copy.js';
import { sentence } from './dom.js';
import { command, link } from './links.js';
import { Panel } from './panel.js';
import { Source } from './source.js';
import { toast, whisper } from './toast.js';
import { load } from './viewers.js';

export class Tab {
  signInNeeded = false; // it could not be opened as nobody is signed in

  #session;
  #known;
  #source;
  #viewer = null;
  #panel;
  #connection = new Connection(() => this.#open());
  #wantsFocus = true; // the viewer is to have it once it is connected
  #told = '';
  #back; // () => void
  #waited = false; // for the next try, since it was open
  #close;

  /** `number` tells it from others of the same target; `more` are entries for its menu; `close()` closes it; `back()` is told
      that it is open again, after it had to be tried more than once. */
  constructor(session, { host, target, known, number, more, close, back }) {
    this.host = host;
    this.target = target;
    this.#close = close;
    this.#session = session;
    this.#back = back;
    this.#source = new Source(session, host, target);
    this.#panel = new Panel({
      host,
      target,
      number,
      close,
      act: () => this.reconnect(),
      entries: () => this.#entries(more),
    });
    this.known = known;
    this.#panel.screen.addEventListener('enlarged', () => this.focus());
    this.#panel.screen.addEventListener('said', ({ detail }) => toast(sentence(detail)));
    this.#connection.addEventListener('change', () => this.#changed());
  }

  get name() {
    return `${this.target} on ${this.host}`;
  }

  /** The target's entry in the list of hosts, if there is one. */
  set known(known) {
    this.#known = known;
    this.#panel.known = known;
    this.#panel.show(this.#connection);
  }

  /** Its button, which has the role of a tab. */
  get button() {
    return this.#panel.button;
  }

  get panel() {
    return this.#panel.element;
  }

  set selected(selected) {
    this.#panel.selected = selected;
    this.#panel.show(this.#connection);
  }

  /** Whether it has never been opened: nothing happens until somebody here says so. */
  get asks() {
    return this.#connection.state === 'idle';
  }

  /** Whether it could be opened only once somebody tries again. */
  get isDown() {
    return ['idle', 'waiting', 'over'].includes(this.#connection.state);
  }

  /** Whether something ends for good when it is left. */
  get living() {
    return Boolean(this.#viewer?.living);
  }

  /** Whether nothing but its host's agent is missed. */
  get waitsForHost() {
    return this.#connection.error?.code === 'host_offline';
  }

  /** Into the viewer, or to where somebody reads why there is nothing to see. */
  focus() {
    this.#wantsFocus = this.#connection.state !== 'open';
    if (this.#wantsFocus) this.#panel.focus();
    else this.#viewer.focus();
  }

  /** Open it anew, or try now if that is to come anyway. */
  reconnect() {
    if (this.#panel.mayTakeFocus) this.panel.focus(); // the button that was pressed goes
    this.#wantsFocus = true;
    this.#connection.start();
  }

  /** Try now if it waits for the next try. */
  hurry() {
    this.#connection.hurry();
  }

  destroy() {
    this.#panel.selected = false; // nothing more is told of it
    this.#connection.stop();
    this.#source.leave();
    this.#viewer?.destroy();
    this.#panel.remove();
  }

  async #open() {
    this.signInNeeded = false;
    try {
      if (!this.#viewer) await this.#prepare();
      return await this.#viewer.connect();
    } catch (error) {
      this.signInNeeded = error.status === 401;
      if (this.signInNeeded) this.#session.over('Your session is over. Sign in to go on; what is open stays open.');
      throw error;
    }
  }

  /** The first ticket says which viewer; the one that is likely is loaded, and its stream opened, meanwhile. */
  async #prepare() {
    if (this.#known) load(this.#known.viewer).catch(() => {}); // it is said below
    const ticket = await this.#source.first(this.#known?.viewer);
    const module = await load(ticket.viewer).catch((error) => {
      this.#source.leave(); // nobody would read it
      throw error;
    });
    this.#panel.known = ticket;
    this.#viewer = module.create(this.#panel.screen, this.#source);
    this.panel.classList.add('shown');
  }

  /** Screen readers are told changes, not seconds; the focus goes into the viewer if it is still here. */
  #changed() {
    const { state, words } = this.#connection;
    this.#panel.show(this.#connection);
    this.#tellBack(state);
    if (state === this.#told || !this.#panel.selected) return;
    this.#told = state;
    if (state === 'open') whisper(`Connected to ${this.name}.`);
    else if (this.isDown) whisper(`${this.name}: ${words}.`);
    if (state === 'open' && this.#wantsFocus && this.#panel.mayTakeFocus) this.focus();
  }

  #tellBack(state) {
    if (state === 'waiting') this.#waited = true;
    if (state !== 'open' || !this.#waited) return;
    this.#waited = false;
    this.#back();
  }

  /** What a viewer does with its next stream, which is opened at once. */
  #anew(action) {
    const run = () => {
      action.run();
      this.reconnect();
    };
    return { ...action, run };
  }

  #entries(more) {
    const { host, target } = this;
    return [
      ...(this.#viewer?.actions ?? []).map((action) => (action?.anew ? this.#anew(action) : action)),
      null,
      { label: 'Copy link', icon: 'link', run: () => copy(link(host, target), 'The link is copied.') },
      { label: 'Copy command', icon: 'terminal', run: () => copy(command(host, target), 'The command is copied.') },
      null,
      { label: this.asks ? 'Open' : 'Reconnect', icon: 'again', run: () => this.reconnect() },
      ...more,
      { label: 'Close', icon: 'close', run: this.#close },
    ];
  }
}

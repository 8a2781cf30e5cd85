// One tab: a target's console, or several logs in one, with their connections, and what can be done with it.

import { sentence } from '../log/sentence.js';
import { Connections } from './connections.js';
import { copy } from './copy.js';
import { address, command, link } from './links.js';
import { Panel } from './panel.js';
import { Source } from './source.js';
import { toast, whisper } from './toast.js';
import { load } from './viewers.js';

export class Tab {
  signInNeeded = false; // it could not be opened as nobody is signed in

  #session;
  #known;
  #sources = []; // of its target, and of further logs
  #viewer = null;
  #panel;
  #connection = new Connections((source, connection) => this.#tell(source, connection));
  #wantsFocus = true; // the viewer is to have it once it is connected
  #told = '';
  #back; // () => void
  #waited = false; // for the next try, since it was open
  #close;
  #pick;
  #unfit;
  #shows; // () => void
  #terminals; // what can be done with kept ones
  #keeps; // () => void
  #kept = ''; // the kept terminal that it has shown

  /** `all` are its target, or several logs; `number` tells it from others of the same target; `more` are entries for its
      menu; `close()` closes it; `pick()` lets somebody choose further logs for it, `unfit(one)` is whether a target can't be
      one of several; `changed()` is told that it shows other logs, `kept()` that it shows another kept terminal or none, `back()`
      that it is open again, after it had to be tried more than once; `terminals` are
      `list(host)`, which shows a host's kept ones, and `end(one)`. */
  constructor(session, { all, known, number, more, close, pick, unfit, changed, kept, back, terminals }) {
    this.#shows = changed;
    this.#keeps = kept;
    this.#terminals = terminals;
    this.#close = close;
    this.#unfit = unfit;
    this.#pick = pick;
    this.#session = session;
    this.#back = back;
    for (const one of all) this.#add(one);
    this.#panel = new Panel({ all, number, close, act: () => this.reconnect(), entries: () => this.#entries(more) });
    this.known = known;
    this.#panel.screen.addEventListener('enlarged', () => this.focus());
    this.#panel.screen.addEventListener('leave', close);
    this.#panel.screen.addEventListener('end', () => terminals.end(this.#sources[0]));
    this.#panel.screen.addEventListener('said', ({ detail }) => toast(sentence(detail)));
    this.#connection.addEventListener('change', () => this.#changed());
  }

  /** What it shows: hosts and targets. */
  get all() {
    return this.#sources;
  }

  get address() {
    return address(this.#sources);
  }

  get name() {
    return this.#panel.name;
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

  /** The kept terminal that it shows, for whoever opens it anew; null: none. */
  get terminal() {
    const [{ host, target, terminal, looks }] = this.#sources;
    return terminal ? { host, target, terminal, looks } : null;
  }

  /** Whether something ends for good when it is left. */
  get living() {
    return Boolean(this.#viewer?.living);
  }

  /** Into the viewer, or to where somebody reads why there is nothing to see. */
  focus() {
    this.#wantsFocus = !this.#connection.live;
    if (this.#wantsFocus) this.#panel.focus();
    else this.#viewer.focus();
  }

  /** Open it anew, or try now if that is to come anyway. */
  connect({ anew = false } = {}) {
    this.#wantsFocus = true;
    if (anew) this.#connection.restart();
    else this.#connection.start();
  }

  /** The same where a button may have been pressed, which goes with that. */
  reconnect({ anew = false } = {}) {
    if (this.#panel.mayTakeFocus) this.panel.focus();
    this.connect({ anew });
  }

  /** Try now what waits for its next try, if that is wanted: `which(its host, why it wasn't opened)`. */
  hurry(which = (_host, _error) => true) {
    this.#connection.hurry(({ host }, error) => which(host, error));
  }

  /** Show one more log among what it shows. */
  join(one) {
    const source = this.#add(one);
    this.#viewer.join(source);
    this.#connection.begin(source);
    this.#panel.all = this.all;
    this.#shows();
  }

  destroy() {
    this.#panel.selected = false; // nothing more is told of it
    this.#connection.stop();
    for (const source of this.#sources) source.leave();
    this.#viewer?.destroy();
    this.#panel.remove();
  }

  #add(one) {
    const { host, target } = one;
    const source = new Source(this.#session, one);
    this.#sources.push(source);
    this.#connection.add(source, `log ${target} on ${host}`, () => this.#open(source));
    return source;
  }

  /** Show no more of a log that was joined. */
  #leave(source) {
    this.#sources.splice(this.#sources.indexOf(source), 1);
    source.leave();
    this.#connection.remove(source);
    this.#viewer.leave(source);
    this.#panel.all = this.all;
    this.#shows();
  }

  async #open(source) {
    this.signInNeeded = false;
    try {
      const several = this.#sources.length > 1;
      if (several && this.#unfit(source)) throw new Error('this target is not a log'); // and isn't started
      if (!this.#viewer && several) await this.#prepareLogs();
      else if (!this.#viewer) await this.#prepare(source);
      return await this.#viewer.connect(source);
    } catch (error) {
      this.signInNeeded = error.status === 401;
      if (this.signInNeeded) this.#session.over('Your session is over. Sign in to go on; what is open stays open.');
      throw error;
    }
  }

  /** The first ticket says which viewer; the one that is likely is loaded, and its stream opened, meanwhile. */
  async #prepare(source) {
    const asked = source.first(this.#known?.viewer);
    if (this.#known) load(this.#known.viewer).catch(() => {}); // it is said below
    const ticket = await asked;
    const module = await load(ticket.viewer).catch((error) => {
      source.leave(); // nobody would read it
      throw error;
    });
    this.#panel.known = ticket;
    this.#viewer = module.create(this.#panel.screen, source);
    this.panel.classList.add('shown');
  }

  /** Of several logs each may come first, and any not at all. */
  async #prepareLogs() {
    const module = await load('log');
    if (this.#viewer) return;
    const [first, ...others] = this.#sources;
    this.#viewer = module.create(this.#panel.screen, first);
    for (const other of others) this.#viewer.join(other);
    this.panel.classList.add('shown');
  }

  /** How one of several logs stands is told with its lines. */
  #tell(source, { state, words }) {
    const said = { open: '', opening: words || 'Opening …' }[state] ?? words;
    this.#viewer?.tell?.(source, said && said[0].toUpperCase() + said.slice(1));
  }

  /** Screen readers are told changes, not seconds; the focus goes into the viewer if it is still here. */
  #changed() {
    const { state, words } = this.#connection;
    this.#panel.show(this.#connection);
    this.#tellBack(state);
    this.#tellKept();
    if (state === this.#told || !this.#panel.selected) return;
    this.#told = state;
    if (state === 'open') whisper(`Connected to ${this.name}.`);
    else if (state === 'detached') whisper(`${this.name}: reconnecting.`);
    else if (this.isDown && words) whisper(`${this.name}: ${words}.`);
    if (this.#connection.live && this.#wantsFocus && this.#panel.mayTakeFocus) this.focus();
  }

  #tellKept() {
    const id = this.terminal?.terminal ?? '';
    if (id === this.#kept) return;
    this.#kept = id;
    this.#keeps();
  }

  #tellBack(state) {
    if (['waiting', 'detached'].includes(state)) this.#waited = true;
    if (state !== 'open' || !this.#waited) return;
    this.#waited = false;
    this.#back();
  }

  /** What a viewer does with its next stream, which is opened at once. */
  #anew(action) {
    const run = () => {
      action.run();
      this.reconnect({ anew: true });
    };
    return { ...action, run };
  }

  #entries(more) {
    const [{ host, target }, ...others] = this.all;
    return [
      ...(this.#viewer?.join ? [{ label: 'Add another log …', icon: 'plus', run: this.#pick }] : []),
      ...others.map((one) => ({
        label: `Remove ${one.target} on ${one.host}`,
        icon: 'close',
        run: () => this.#leave(one),
      })),
      null,
      ...(this.terminal
        ? [{ label: `Kept terminals on ${host} …`, icon: 'terminal', run: () => this.#terminals.list(host) }]
        : []),
      ...(this.#viewer?.actions ?? []).map((action) => (action?.anew ? this.#anew(action) : action)),
      null,
      { label: 'Copy link', icon: 'link', run: () => copy(link(this.all), 'The link is copied.') },
      ...(others.length
        ? []
        : [
            {
              label: 'Copy command',
              icon: 'terminal',
              run: () => copy(command(host, target), 'The command is copied.'),
            },
          ]),
      null,
      { label: this.asks ? 'Open' : 'Reconnect', icon: 'again', run: () => this.reconnect() },
      ...(others.length ? [] : more),
      { label: 'Close', icon: 'close', run: this.#close },
    ];
  }
}

/**
 * `<stream-log>`: a log in any page, without dependencies (docs/javascript.rst).
 *
 *     <script type="module" src="https://platform.example/stream-log.js"></script>
 *     <stream-log src="wss://…"></stream-log>
 *
 * `src` is a ticket's URL, good once; or give it a stream: `element.follow(await open({ … }))`. Several logs in one:
 * `element.source('web-1').follow(…)`. Every line is text, whatever it holds.
 * @module
 */

import { Announcer } from './log/announcer.js';
import { Bar } from './log/bar.js';
import { copied } from './log/clipboard.js';
import { button, element, scroller, Whole } from './log/controls.js';
import { Filter } from './log/filter.js';
import { meaning } from './log/keys.js';
import { Lines } from './log/lines.js';
import { Rows } from './log/rows.js';
import { Selection } from './log/selection.js';
import { Shown } from './log/shown.js';
import { Sources } from './log/sources.js';
import { Status } from './log/status.js';
import { styles } from './log/styles.js';
import { Viewport } from './log/viewport.js';

const LINES = 1_000_000; // kept, unless `max-lines` says otherwise

export class StreamLog extends HTMLElement {
  static observedAttributes = ['src', 'sources', 'max-lines', 'wrap', 'times'];

  #lines = new Lines(LINES);
  #shown = new Shown(this.#lines);
  #filter = new Filter(this.#lines, this.#shown, {
    changed: () => {
      this.#viewport.source = this.#filter.rows;
    },
    more: () => this.#viewport.update(),
    step: (direction) => this.#step(direction),
  });
  #viewport;
  #selection;
  #status = new Status(this.#lines, {
    following: () => this.following,
    toNewest: () => {
      this.focus();
      this.following = true;
    },
    shown: () => this.#sources.update(),
  });
  #sources = new Sources(this.#lines, {
    changed: () => this.#changed(),
    named: (width) => this.#named(width),
    only: (words) => this.#status.tell(words),
    ended: (detail) => this.dispatchEvent(new CustomEvent('ended', { detail })),
    hide: (source, hidden) => this.#filter.hide(source, hidden),
  });
  #announcer = new Announcer(this.#lines, this.#shown, () => this.following && this.matches(':focus-within'));
  #part = {}; // elements that change

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    root.adoptedStyleSheets = [styles()];
    this.#build(root);
    const rows = new Rows(this.#lines, this.#shown, this.#filter);
    this.#viewport = new Viewport(this.#part.scroller, this.#filter.rows, {
      make: (number) => rows.make(number),
      stamp: (number) => rows.stamp(number),
      held: (row) => this.#selection.touches(row),
    });
    this.#selection = new Selection(root, this.#part.scroller, this.#viewport);
    this.#viewport.addEventListener('follow', () => this.#followChanged());
    this.addEventListener('keydown', (event) => this.#key(event));
  }

  connectedCallback() {
    if (!this.hasAttribute('role')) this.setAttribute('role', 'region');
    if (!this.hasAttribute('aria-label')) this.setAttribute('aria-label', 'Log');
    if (this.hasAttribute('src')) void this.source('').open(this.getAttribute('src'));
    this.#openSources();
    this.#selection.start();
    this.#status.show();
    if (this.autofocus && document.activeElement === document.body) this.focus(); // browsers would take a button
  }

  disconnectedCallback() {
    this.#selection.stop();
    this.#sources.leave(); // streams of URLs are ours
  }

  attributeChangedCallback(name, before, value) {
    if (before === value) return;
    if (name === 'src' && this.isConnected) void this.source('').open(value);
    if (name === 'sources' && this.isConnected) this.#openSources();
    if (name === 'max-lines') {
      this.#lines.most = Math.max(1, Math.min(Number(value) || LINES, 10_000_000));
      this.#changed();
    }
    if (name === 'wrap') this.#part.bar.wrap.set(value !== null);
    if (name === 'times') this.#part.bar.times.set(value !== null);
  }

  // -- for the page --------------------------------------------------------------------------------------------

  /** Show a stream of streamrelay.js, behind the one before. Gives its outcome once all of it has been taken. */
  follow(stream) {
    return this.source('').follow(stream);
  }

  /** One of several sources, made when first asked for: `follow`, `place` and `close` as here, `name`, `tell(words)`. */
  source(name) {
    return this.#sources.get(name);
  }

  /** Leave a source for good. Its lines stay. */
  leave(name) {
    this.#sources.remove(name);
  }

  /** `[{ name, src }, …]`: sources, each with a ticket's URL, good once; also as an attribute, in JSON. */
  get sources() {
    return JSON.parse(this.getAttribute('sources') ?? '[]');
  }

  set sources(sources) {
    this.setAttribute('sources', JSON.stringify(sources));
  }

  /** The focus to the lines, where the keys are that scroll and search. */
  focus(options) {
    this.#part.scroller.focus(options);
  }

  /** Leave all streams. */
  close() {
    for (const source of this.#sources.all) source.close();
  }

  /** `{ place, after }` for `open`, to go on where this log stands; null if it can't. */
  get place() {
    return this.source('').place;
  }

  /** Whether the newest line is kept in sight. */
  get following() {
    return this.#viewport.following;
  }

  set following(following) {
    if (following) this.#viewport.toEnd();
    else this.#viewport.pause();
  }

  /** Lines that are kept. */
  get count() {
    return this.#lines.count;
  }

  /** Forget all lines; the streams go on. */
  clear() {
    this.#lines.clear();
    this.#status.pause();
    this.#filter.renew();
    this.#viewport.toEnd();
  }

  /** Forget all lines, and where the log stands: the next streams begin anew. */
  forget() {
    for (const source of this.#sources.all) source.forget();
    this.clear();
  }

  /** What is typed into the fields: `search('error')`, `filter('GET /')`. */
  search(text) {
    this.#find().search.text = text;
  }

  filter(text) {
    this.#find().filter.text = text;
  }

  /** Lines of this level and graver ones: debug, info, warn or error; '' for all. */
  level(name) {
    this.#find().lowest = name;
  }

  async copy() {
    const text = await (await this.#export()).text();
    this.#status.tell(text ? await copied(text) : 'There are no lines to copy');
  }

  async download(name = 'log.txt') {
    await (await this.#export()).save(name);
  }

  // -- the stream ----------------------------------------------------------------------------------------------

  #openSources() {
    try {
      this.#sources.open(this.sources);
    } catch {
      this.#status.tell('“sources” is not a list of names and URLs');
    }
  }

  /** Names are others than before; the longest has so many letters. */
  #named(width) {
    this.#part.scroller.style.setProperty('--_names', `${width}ch`);
    this.#viewport.refresh();
  }

  #changed() {
    this.#filter.update();
    this.#viewport.update();
    this.#status.update();
    this.#announcer.update();
  }

  #step(direction) {
    const viewport = this.#viewport;
    if (!this.#filter.step(direction, viewport.top, viewport.bottom)) return;
    viewport.refresh();
    viewport.show(this.#filter.current);
    this.#announcer.line(this.#filter.current);
  }

  #followChanged() {
    this.#part.bar.follow.set(this.following);
    if (!this.following) this.#status.pause();
    this.#status.show();
  }

  // -- the elements --------------------------------------------------------------------------------------------

  #build(root) {
    const part = this.#part;
    part.bar = new Bar(this.#filter, {
      follow: (on) => {
        if (on !== this.following) this.following = on;
      },
      times: (on) => this.#timesPressed(on),
      wrap: (on) => this.#viewport.wrapped(on),
      raw: (on) => this.#filter.raw(on),
      fold: (on) => this.#filter.fold(on),
    });
    part.scroller = scroller();
    part.whole = new Whole();
    part.scroller.addEventListener('click', ({ target }) => this.#clicked(target));
    const all = element(
      'div',
      { class: 'all' },
      part.bar.element,
      this.#sources.element,
      element('div', { class: 'frame' }, part.scroller, this.#status.newest),
      this.#status.bar(
        button('Copy', 'Copy the lines that are kept', () => this.copy()),
        button('Download', 'Download the lines that are kept', () => this.download()),
        button('Clear', 'Forget the lines that are kept', () => this.clear()),
      ),
    );
    root.append(all, this.#announcer.element, part.whole.element);
  }

  async #export() {
    const { Export } = await import('./log/export.js'); // it is seldom wanted
    return new Export(this.#lines, this.#shown, this.#filter.numbers);
  }

  /** The fields, where they can be seen. */
  #find() {
    this.#part.bar.find.set(true);
    return this.#filter;
  }

  #timesPressed(on) {
    this.#part.scroller.classList.toggle('times', on);
    this.#viewport.refresh();
  }

  #clicked(target) {
    const line = Number(target.closest('.row')?.dataset.number);
    if (!(line >= this.#lines.first)) return;
    if (target.matches('.more')) this.#part.whole.show(this.#shown.plain(line));
    if (!target.matches('.fold')) return;
    this.#part.scroller.focus(); // the button is made anew
    this.#filter.toggle(line);
  }

  #key(event) {
    const { scroller, whole } = this.#part;
    const act = meaning(event, this.shadowRoot.activeElement === scroller);
    if (act === 'search') this.#find().search.focus();
    else if (act === 'end') this.#viewport.toEnd();
    else if (act === 'start') this.#viewport.toStart();
    else if (act === 'next') this.#step(1);
    else if (act === 'before') this.#step(-1);
    else if (act === 'lines' && !whole.element.open) scroller.focus();
    else return;
    event.preventDefault();
  }
}

if (!customElements.get('stream-log')) customElements.define('stream-log', StreamLog);

/**
 * `<stream-log>`: a log in any page, without dependencies (docs/javascript.rst).
 *
 *     <script type="module" src="https://platform.example/stream-log.js"></script>
 *     <stream-log src="wss://…"></stream-log>
 *
 * `src` is a ticket's URL, good once. Or give it a stream of streamrelay.js: `element.follow(await open({ … }))`.
 * Every line is text, whatever it holds.
 * @module
 */

import { plain } from './log/ansi.js';
import { button, element, Field, toggle, Whole } from './log/controls.js';
import { Export } from './log/export.js';
import { Feed } from './log/feed.js';
import { Lines } from './log/lines.js';
import { Matches, pattern, tester } from './log/matches.js';
import { Rows } from './log/rows.js';
import { styles } from './log/styles.js';
import { Viewport } from './log/viewport.js';
import { connect } from './streamrelay.js';

const LINES = 1_000_000; // kept, unless `max-lines` says otherwise
const SAY = 250; // ms between two changes of what is said of the lines
const READ_OUT = 5000; // ms between two words to those who can't see
const FEW = 3; // lines that are read out; of more, their number

const number = (value) => value.toLocaleString('en');
const several = (value, what) => `${number(value)} ${what}${value === 1 ? '' : 's'}`;

export class StreamLog extends HTMLElement {
  static observedAttributes = ['src', 'max-lines', 'wrap', 'times'];

  #lines = new Lines(LINES);
  #feed = new Feed(this.#lines, () => this.#changed());
  #rows = new Rows(this.#lines);
  #viewport;
  #all; // the rows when nothing is filtered
  #filter = null; // { expression, inverse }
  #filtered = null; // its matches
  #found = null; // matches of what is searched
  #stream = null;
  #opening = null; // an AbortController
  #words = '';
  #pausedAt = 0; // the number of lines when following stopped
  #readOut = 0; // lines that were read out
  #timers = { say: 0, read: 0 };
  #part = {}; // elements that change

  constructor() {
    super();
    const lines = this.#lines;
    this.#all = {
      get count() { return lines.count; },
      at: (row) => lines.first + row,
      rank: (line) => Math.max(0, line - lines.first),
    };
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    root.adoptedStyleSheets = [styles()];
    this.#build(root);
    this.#viewport = new Viewport(this.#part.scroller, this.#all, (line) => this.#rows.make(line),
      (line) => (line < lines.whole ? '' : lines.text(line)));
    this.#viewport.addEventListener('follow', () => this.#followChanged());
    this.addEventListener('keydown', (event) => this.#key(event));
  }

  connectedCallback() {
    if (!this.hasAttribute('role')) this.setAttribute('role', 'region');
    if (!this.hasAttribute('aria-label')) this.setAttribute('aria-label', 'Log');
    this.#openSource();
    this.#say();
  }

  disconnectedCallback() {
    this.#opening?.abort();
    if (this.#opening) this.#stream?.close(); // the stream of `src` is ours
    this.#opening = null;
  }

  attributeChangedCallback(name, before, value) {
    if (before === value) return;
    if (name === 'src' && this.isConnected) this.#openSource();
    if (name === 'max-lines') this.#lines.most = Math.max(1, Math.min(Number(value) || LINES, 10_000_000));
    if (name === 'wrap') this.#part.wrap.set(value !== null);
    if (name === 'times') this.#part.times.set(value !== null);
  }

  // -- for the page --------------------------------------------------------------------------------------------

  /**
   * Show a stream of streamrelay.js. It may be the next one after one that has ended: what is shown stays, and if it was
   * opened by `place` it goes on at the very byte. Gives its outcome once all of it has been taken.
   */
  async follow(stream) {
    if (this.#stream && this.#stream !== stream) this.#stream.close();
    this.#stream = stream;
    this.#tell('');
    await this.#feed.read(stream);
    stream.close(); // if only the other end had finished
    const outcome = await stream.closed;
    if (this.#stream !== stream) return outcome;
    this.#stream = null;
    this.#tell(`Ended: ${outcome.words}`);
    this.dispatchEvent(new CustomEvent('ended', { detail: outcome }));
    return outcome;
  }

  /** Leave the stream. */
  close() {
    this.#stream?.close();
  }

  /** `{ place, after }` for `open`, to go on where this log stands; null if it can't. */
  get place() {
    return this.#feed.place;
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

  /** Forget all lines; the stream goes on. */
  clear() {
    this.#lines.clear();
    this.#pausedAt = this.#lines.end;
    this.#sift();
    this.#viewport.toEnd();
  }

  /** What is typed into the fields: `search('error')`, `filter('GET /')`. */
  search(text) {
    this.#part.search.text = text;
  }

  filter(text) {
    this.#part.filter.text = text;
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(await this.#export().text());
      this.#tell('Copied');
    } catch {
      this.#tell("Copying isn't possible here");
    }
  }

  async download(name = 'log.txt') {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await this.#export().blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  // -- the stream ----------------------------------------------------------------------------------------------

  async #openSource() {
    this.#opening?.abort();
    const url = this.getAttribute('src');
    if (!url) return;
    const mine = new AbortController();
    this.#opening = mine;
    this.#tell('Connecting …');
    try {
      await this.follow(await connect(url, { signal: mine.signal }));
    } catch (error) {
      if (!mine.signal.aborted) this.#tell(`Ended: ${error.message}`);
    }
  }

  #changed() {
    this.#filtered?.update();
    this.#found?.update();
    this.#viewport.update();
    this.#sayLater();
  }

  // -- searching and filtering ---------------------------------------------------------------------------------

  /** What is typed has changed. */
  #sift() {
    const { search, filter, case: exact, expression, filterCase, filterExpression, not } = this.#part;
    const filtering = this.#pattern(filter, { text: filter.text, expression: filterExpression.pressed, exact: filterCase.pressed });
    this.#filter = filtering && { expression: filtering, inverse: not.pressed };
    this.#filtered?.stop();
    this.#filtered = this.#filter && new Matches(this.#lines, tester(null, this.#filter), () => this.#filterChanged());
    const searching = this.#pattern(search, { text: search.text, expression: expression.pressed, exact: exact.pressed });
    this.#found?.stop();
    this.#found = searching && new Matches(this.#lines, tester(searching, this.#filter), () => this.#sayFound());
    Object.assign(this.#rows, { highlight: searching, current: -1 });
    this.#viewport.source = this.#filtered ? this.#filteredRows(this.#filtered) : this.#all;
    this.#filtered?.update();
    this.#found?.update();
    this.#sayFound();
  }

  #pattern(field, typed) {
    try {
      const made = pattern(typed);
      field.say('');
      return made;
    } catch {
      field.say('Not a regular expression', true);
      return null;
    }
  }

  #filteredRows(matches) {
    const lines = this.#lines;
    const rest = () => (lines.end > lines.whole && matches.fits(lines.whole) ? 1 : 0);
    return {
      get count() { return matches.count + rest(); },
      at: (row) => (row < matches.count ? matches.at(row) : lines.whole),
      rank: (line) => matches.rank(line),
    };
  }

  #filterChanged() {
    const { count, done } = this.#filtered;
    this.#part.filter.say(`${several(count, 'line')}${done ? '' : ' …'}`);
    this.#viewport.update();
  }

  #sayFound() {
    const { next, previous, search } = this.#part;
    next.disabled = previous.disabled = !this.#found?.count;
    if (!this.#found) return;
    const { count, done } = this.#found;
    const { current } = this.#rows;
    const where = current >= 0 && count ? `${number(this.#found.rank(current) + 1)} of ` : '';
    search.say(count || !done ? `${where}${number(count)}${done ? '' : ' …'}` : 'None');
  }

  /** To the next match (1) or the one before (-1), from the last one or from what is in sight; around the ends. */
  #step(direction) {
    this.#part.search.hurry();
    const found = this.#found;
    if (!found?.count) return;
    const { current } = this.#rows;
    const from = current >= this.#lines.first ? current : null;
    let at = found.rank(from ?? (direction > 0 ? this.#viewport.top : this.#viewport.bottom + 1));
    if (direction < 0) at -= 1;
    else if (from !== null && found.at(at) === from) at += 1;
    this.#rows.current = found.at((at + found.count) % found.count);
    this.#viewport.refresh();
    this.#viewport.show(this.#rows.current);
    this.#sayFound();
    this.#part.unseen.textContent = plain(this.#lines.text(this.#rows.current)).slice(0, 300);
  }

  #export() {
    const rows = this.#filtered ? this.#filteredRows(this.#filtered) : this.#all;
    return new Export(this.#lines, rows);
  }

  // -- what is said --------------------------------------------------------------------------------------------

  #tell(words) {
    this.#words = words;
    this.#say();
  }

  #sayLater() {
    this.#timers.say ||= setTimeout(() => this.#say(), SAY);
    this.#timers.read ||= setTimeout(() => this.#readAloud(), READ_OUT);
  }

  #say() {
    clearTimeout(this.#timers.say);
    this.#timers.say = 0;
    const lines = this.#lines;
    const { words, kept, newest } = this.#part;
    words.textContent = this.#words || (this.following ? '' : 'Paused');
    const dropped = lines.first ? `, the oldest ${number(lines.first)} dropped` : '';
    kept.textContent = `${several(lines.count, 'line')}${dropped}`;
    const fresh = lines.end - this.#pausedAt;
    newest.hidden = this.following;
    newest.textContent = fresh > 0 ? `↓ ${several(fresh, 'new line')}` : '↓ Newest';
  }

  /** To those who have the focus here, and not too often. */
  #readAloud() {
    this.#timers.read = 0;
    const lines = this.#lines;
    const fresh = lines.whole - Math.max(this.#readOut, lines.first);
    this.#readOut = lines.whole;
    if (!fresh || !this.following || !this.matches(':focus-within')) return;
    const few = Array.from({ length: Math.min(fresh, FEW) }, (_, at) => plain(lines.text(lines.whole - fresh + at)).slice(0, 300));
    this.#part.unseen.textContent = fresh <= FEW ? few.join('\n') : several(fresh, 'new line');
  }

  #followChanged() {
    this.#part.follow.set(this.following);
    if (!this.following) this.#pausedAt = this.#lines.end;
    this.#say();
  }

  // -- the elements --------------------------------------------------------------------------------------------

  #build(root) {
    const part = this.#part;
    const sift = () => this.#sift();
    Object.assign(part, {
      follow: toggle('Follow', 'Keep the newest line in sight', (on) => this.#followPressed(on)),
      case: toggle('Aa', 'Search: upper and lower case differ', sift),
      expression: toggle('.*', 'Search: a regular expression', sift),
      previous: button('↑', 'The match before', () => this.#step(-1)),
      next: button('↓', 'The next match', () => this.#step(1)),
      filterCase: toggle('Aa', 'Filter: upper and lower case differ', sift),
      filterExpression: toggle('.*', 'Filter: a regular expression', sift),
      not: toggle('Not', 'Filter: lines that do not match', sift),
      times: toggle('Times', 'Show when each line came here', (on) => this.#timesPressed(on)),
      wrap: toggle('Wrap', 'Wrap long lines', (on) => { this.#viewport.wrap = on; }),
      scroller: element('div', { class: 'scroller', tabindex: '0', role: 'log', 'aria-live': 'off', 'aria-label': 'Lines' }),
      newest: element('button', { class: 'newest', type: 'button', hidden: true, onclick: () => this.#toNewest() }),
      words: element('span', { class: 'words', role: 'status' }),
      kept: element('span', { class: 'kept' }),
      unseen: element('div', { class: 'unseen', role: 'status', 'aria-live': 'polite' }),
      whole: new Whole(),
    });
    part.search = new Field('Search', sift, [part.case, part.expression], [part.previous, part.next]);
    part.filter = new Field('Filter', sift, [part.filterCase, part.filterExpression, part.not]);
    part.follow.setAttribute('aria-pressed', 'true');
    part.next.disabled = part.previous.disabled = true;
    part.search.input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.#step(event.shiftKey ? -1 : 1);
    });
    part.scroller.addEventListener('click', ({ target }) => this.#clicked(target));
    root.append(
      element('div', { class: 'bar', role: 'toolbar', 'aria-label': 'Log' }, part.follow, part.search.element, part.filter.element,
        element('span', { class: 'spring' }), part.times, part.wrap,
        button('Copy', 'Copy the lines that are kept', () => this.copy()),
        button('Download', 'Download the lines that are kept', () => this.download()),
        button('Clear', 'Forget the lines that are kept', () => this.clear())),
      element('div', { class: 'frame' }, part.scroller, part.newest),
      element('div', { class: 'state' }, part.words, part.kept),
      part.unseen, part.whole.element,
    );
  }

  #followPressed(on) {
    if (on === this.following) return;
    if (on) this.#viewport.toEnd();
    else this.#viewport.pause();
  }

  #timesPressed(on) {
    this.#part.scroller.classList.toggle('times', on);
    this.#viewport.refresh();
  }

  #toNewest() {
    this.#part.scroller.focus();
    this.#viewport.toEnd();
  }

  #clicked(target) {
    if (!target.classList.contains('more')) return;
    const { number: line } = target.closest('.row').dataset;
    if (Number(line) >= this.#lines.first) this.#part.whole.show(plain(this.#lines.text(Number(line))));
  }

  #key(event) {
    const { key, ctrlKey, metaKey, altKey } = event;
    const inLines = this.shadowRoot.activeElement === this.#part.scroller;
    const command = ctrlKey || metaKey;
    if (command && !altKey && key.toLowerCase() === 'f') this.#part.search.focus();
    else if (inLines && !command && key === '/') this.#part.search.focus();
    else if (inLines && key === 'End') this.#viewport.toEnd();
    else if (inLines && key === 'Home') this.#viewport.toStart();
    else if (key === 'F3') this.#step(event.shiftKey ? -1 : 1);
    else if (key === 'Escape' && !inLines && !this.#part.whole.element.open) this.#part.scroller.focus();
    else return;
    event.preventDefault();
  }
}

if (!customElements.get('stream-log')) customElements.define('stream-log', StreamLog);

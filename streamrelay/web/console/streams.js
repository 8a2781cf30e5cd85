// The page of live streams: who has which, since when, how many bytes, and its end; and the relays by which they go.

import { sentence } from '../log/sentence.js';
import { several } from '../log/several.js';
import { ask } from './ask.js';
import { $, element, icon, iconButton, write } from './dom.js';
import { Grid } from './grid.js';
import { Live, MOST } from './live.js';
import { Relays } from './relays.js';
import { wordsOf } from './search.js';
import { Spoken } from './spoken.js';
import { nameOf, streamRow } from './stream-row.js';
import { toast } from './toast.js';

const TYPING = 1000; // ms until what is found is said
const NAMED = 5; // hosts that haven't answered
const HEADS = { host: 'Host', target: 'Target', user: 'User', since: 'For', up: 'Up', down: 'Down', act: 'End' };
const ORDERS = {
  host: ['Host', null], // as the platform has them
  newest: ['Newest first', (one, other) => other.began - one.began],
  oldest: ['Oldest first', (one, other) => one.began - other.began],
  bytes: ['Most bytes first', (one, other) => other.up + other.down - one.up - one.down],
  user: ['User', (one, other) => (one.user < other.user ? -1 : one.user > other.user ? 1 : 0)],
};

export class Streams {
  #live;
  #relays;
  #grid;
  #about = { words: [], isEnding: (row) => this.#ending.has(row.id) };
  #ending = new Set(); // streams
  #typed = '';
  #spoken;
  #count = element('p', { class: 'count' });
  #status = element('p', { class: 'visually-hidden', role: 'status' });
  #trouble = element('p', { class: 'trouble', role: 'status', hidden: true });
  #empty = element('p', { class: 'empty', hidden: true });
  #filter;
  #order;
  #list = element('div', { class: 'streams-list', role: 'rowgroup' });
  #table;

  /** `close()` leaves the page. */
  constructor(session, close) {
    this.#live = new Live(session);
    this.#relays = new Relays((relay, undo) => this.#live.drain(relay, undo));
    this.#spoken = new Spoken(this.#status);
    const scroller = element('div', { class: 'streams-rows' }, this.#list);
    this.#table = element(
      'div',
      { class: 'streams-grid', role: 'grid', 'aria-label': 'Live streams', 'aria-colcount': '7', hidden: true },
      headRow(),
      scroller,
    );
    $('streams').append(
      this.#head(close),
      this.#tools(),
      this.#trouble,
      this.#relays.element,
      this.#empty,
      this.#table,
    );
    this.#grid = new Grid(scroller, this.#list, {
      make: () => streamRow(this.#about),
      act: (row) => this.#end(row),
      search: () => this.#filter.focus(),
      clear: () => this.#clear(),
    });
    this.#live.addEventListener('change', () => this.#draw());
    session.addEventListener('out', () => {
      this.#filter.value = ''; // nothing of one user's is for the next
      this.#live.forget();
    });
    this.#draw();
  }

  start() {
    this.#live.start();
  }

  stop() {
    this.#live.stop();
  }

  #head(close) {
    return element(
      'header',
      { class: 'streams-head' },
      element('h2', { id: 'streams-title' }, 'Live streams'),
      this.#count,
      this.#status,
      element('span', { class: 'spring' }),
      iconButton('close', 'Close live streams', close),
    );
  }

  #tools() {
    this.#filter = element('input', {
      type: 'search',
      'aria-label': 'Filter streams',
      placeholder: 'Filter: host, target, user, stream',
      autocomplete: 'off',
      autocapitalize: 'off',
      spellcheck: 'false',
      oninput: () => this.#draw(),
      onkeydown: (event) => this.#key(event),
    });
    const options = Object.entries(ORDERS).map(([value, [words]]) => element('option', { value }, words));
    this.#order = element('select', { onchange: () => this.#draw() }, ...options);
    return element(
      'div',
      { class: 'streams-tools' },
      element('div', { class: 'filter' }, icon('search'), this.#filter),
      element('label', { class: 'order' }, 'Sort by', this.#order),
    );
  }

  #draw() {
    const { list, found } = this.#live;
    const text = this.#filter.value.trim();
    const another = text !== this.#typed;
    this.#typed = text;
    this.#about.words = wordsOf(text);
    const rows = this.#rows(list ?? []);
    this.#table.hidden = !rows.length;
    this.#table.ariaRowCount = String(rows.length + 1);
    this.#grid.show(rows, { fromTop: another, held: this.#grid.isInUse });
    this.#relays.show(this.#live.relays);
    this.#tell(rows.length, list && Math.max(found, list.length), another);
    this.#tellTrouble();
  }

  #rows(list) {
    const { words } = this.#about;
    const compare = ORDERS[this.#order.value][1];
    const fit = words.length ? list.filter((one) => words.every((word) => textOf(one).includes(word))) : list;
    const sorted = compare ? [...fit].sort(compare) : fit;
    return sorted.map((entry, at) => ({ id: `${entry.host}/${entry.stream}`, kind: 'stream', entry, place: at + 1 }));
  }

  #tell(shown, all, another) {
    const unknown = all === null;
    let words = unknown ? '' : several(all, 'stream');
    if (!unknown && this.#typed) words = `${shown.toLocaleString('en')} of ${words}`;
    write(this.#count, words);
    this.#spoken.say(words, another ? TYPING : 0);
    this.#empty.hidden = shown > 0;
    const none = this.#typed ? 'No stream has these words.' : 'No stream lives that you might open.';
    write(this.#empty, unknown ? (this.#live.trouble ? '' : 'Asking the hosts …') : none);
  }

  /** What isn't known of it, and why. */
  #tellTrouble() {
    const { list, found, complete, missing, missed, trouble, at } = this.#live;
    const told = [];
    if (trouble) {
      const old = list && at ? ` This is as of ${new Date(at).toLocaleTimeString()}.` : '';
      told.push(`${sentence(trouble)}${old} Trying again …`);
    }
    if (list && !complete) told.push(missingWords(missing, missed));
    if (list && list.length < found && list.length >= MOST)
      told.push(`Only ${list.length.toLocaleString('en')} of ${found.toLocaleString('en')} are listed here.`);
    this.#trouble.hidden = !told.length;
    write(this.#trouble, told.join(' '));
  }

  async #end(row) {
    const { entry, id } = row;
    if (this.#ending.has(id) || entry.end === false) return;
    const more = entry.channels ? ` It carries ${several(entry.channels, 'channel')}, which end with it.` : '';
    const words = `Its client is told that an operator has ended it.${more}`;
    const yes = await ask(sentence(`end ${nameOf(entry)}`).replace(/\.$/, '?'), words, 'End stream');
    if (!yes) {
      this.#grid.focus(id);
      return;
    }
    this.#ending.add(id);
    this.#draw();
    this.#grid.focus(id);
    try {
      await this.#live.end(entry);
      toast(sentence(`ended: ${nameOf(entry)}`));
    } catch (problem) {
      toast(sentence(problem.message));
      if (problem.code === 'no_such_stream') this.#live.now();
    }
    this.#ending.delete(id);
    this.#draw();
  }

  #clear() {
    if (!this.#filter.value) return false;
    this.#filter.value = '';
    this.#draw();
    this.#filter.focus();
    return true;
  }

  #key(event) {
    const { key, isComposing } = event;
    if (isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (key === 'ArrowDown' || key === 'Enter') this.#grid.enter();
    else if (key !== 'Escape' || !this.#clear()) return;
    event.preventDefault();
  }
}

function headRow() {
  const cells = Object.entries(HEADS).map(([name, words]) => {
    const hidden = name === 'act' ? 'visually-hidden' : '';
    const shown = element('span', { class: hidden }, words);
    return element('div', { role: 'columnheader', class: `cell ${name}` }, shown);
  });
  return element('div', { role: 'row', class: 'stream head', 'aria-rowindex': '1' }, ...cells);
}

/** Which hosts' streams aren't listed, as far as that is known. */
export function missingWords(missing, missed) {
  const named = missing.slice(0, NAMED);
  if (!named.length) return 'Not all hosts are known, or have answered: streams may be missing here.';
  const rest = missed - named.length;
  const names = rest > 0 ? `${named.join(', ')} and ${several(rest, 'other')}` : named.join(', ');
  return `No answer of ${names}: streams of ${missed === 1 ? 'this host' : 'these hosts'} may be missing here.`;
}

const texts = new WeakMap(); // of an entry, in small letters

function textOf(entry) {
  let text = texts.get(entry);
  if (text === undefined) {
    text = [entry.host, entry.target, entry.user, entry.stream].join('\n').toLowerCase();
    texts.set(entry, text);
  }
  return text;
}

// The list of hosts and their targets beside the tabs.

import { sentence } from '../log/sentence.js';
import { several } from '../log/several.js';
import { $, element, write } from './dom.js';
import { rowElement } from './row.js';
import { FEW, rowsOf } from './rows.js';
import { wordsOf } from './search.js';
import { Spoken } from './spoken.js';
import { toast } from './toast.js';
import { Tree } from './tree.js';
import { foresee, isLog, listed } from './viewers.js';

const LITTLE = 8; // targets that need no filter
const TYPING = 1000; // ms until what is found is said
const AT_ONCE = 500; // hosts that have rows at each key in the filter
const REST = 120; // ms without a key, until all have
const MANY_TIMES = 3; // as many hosts as there are, until those that were are forgotten
const MINUTE = 60_000; // ms until "3 min ago" is another

export class Sidebar {
  #hosts;
  #kept;
  #choose;
  #list;
  #tree;
  #spoken = new Spoken($('status'));
  #about; // what rows are drawn with
  #frame = 0;
  #rest = 0; // a timer
  #typed = ''; // what is in the filter
  #chosen = new Map(); // which rows somebody has opened or closed, by id
  #chosenFound = new Map(); // the same of what the filter has found
  #first = new Map(); // hosts, and whether they were open when they came
  #recent = []; // as it is shown

  /** `kept` is what this user has pinned and opened; `choose(host, name)` opens a target, `list(host)` shows its kept terminals;
      `isOpen(host, name)` is "selected", "open" or "". */
  constructor(hosts, kept, { choose, list, isOpen }) {
    this.#hosts = hosts;
    this.#kept = kept;
    this.#choose = choose;
    this.#list = list;
    this.#about = {
      words: [],
      isOpen,
      isPinned: (one) => kept.isPinned(one),
      fill: (row, name) => this.#open(row, name),
    };
    this.#tree = new Tree($('hosts-rows'), $('hosts-list'), {
      make: (row) => rowElement(row, this.#about),
      press: (row) => this.#press(row),
      open: (row, wanted) => this.#toggle(row, wanted),
      pin: (row) => this.#pin(row),
      search: () => this.search(),
      clear: () => this.#clear(),
      point: (row) => row.kind === 'target' && foresee(row.target),
    });
    this.#listen();
  }

  /** Once the page is drawn the next time: it may be told much at once. */
  show() {
    if (!this.#hosts.list)
      this.#draw(); // nothing of it stays for anybody
    else this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** The focus to the filter; to the list, where so little needs none. */
  search() {
    if (!$('filter-box').hidden) {
      $('filter').focus();
      $('filter').select();
    } else if (this.#tree.rows.length) this.#tree.enter();
    else $('hosts').focus();
  }

  #listen() {
    this.#hosts.addEventListener('change', () => this.show());
    this.#kept.addEventListener('change', () => this.show());
    $('hosts').addEventListener('pointerleave', () => this.show());
    $('hosts').addEventListener('focusout', ({ relatedTarget }) => {
      if (!$('hosts').contains(relatedTarget)) this.show();
    });
    $('filter').addEventListener('input', () => this.show());
    $('filter').addEventListener('keydown', (event) => this.#key(event));
    setInterval(() => this.show(), MINUTE);
  }

  #draw(how = {}) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    clearTimeout(this.#rest);
    const { list, trouble } = this.#hosts;
    if (!list) this.#forget();
    const text = $('filter').value.trim();
    const another = text !== this.#typed;
    if (another) this.#chosenFound.clear();
    this.#typed = text;
    this.#about.words = wordsOf(text);
    const { rows, count } = this.#rows(list ?? [], another ? AT_ONCE : Infinity);
    if (another && count > AT_ONCE) this.#rest = setTimeout(() => this.#draw(), REST);
    $('filter-box').hidden = !text && isLittle(list ?? []);
    this.#empty(list, rows, trouble);
    this.#tree.show(rows, { fromTop: another, held: this.#tree.isInUse, ...how });
    this.#tell(list, count, another);
    tellTrouble(trouble);
  }

  /** Nothing of one user's list is for the next. */
  #forget() {
    $('filter').value = '';
    for (const map of [this.#first, this.#chosen, this.#chosenFound]) map.clear();
  }

  #rows(list, most) {
    const { words } = this.#about;
    const few = this.#hosts.up + this.#hosts.down <= FEW;
    if (this.#first.size > MANY_TIMES * list.length) this.#first.clear(); // most are gone
    for (const { host } of list) if (!this.#first.has(host)) this.#first.set(host, few);
    if (!this.#isNear) this.#recent = list.length > FEW ? this.#kept.recent : [];
    const chosen = words.length ? this.#chosenFound : this.#chosen;
    if (list.some(({ targets }) => targets.some(isLog))) listed({ viewer: 'log' });
    return rowsOf({
      ...{ list, words, most, pinned: this.#kept.pinned, recent: this.#recent },
      known: (host) => this.#hosts.host(host),
      find: (host, name) => this.#hosts.find(host, name),
      isOpen: (id, otherwise) => chosen.get(id) ?? otherwise ?? this.#first.get(id) ?? false,
    });
  }

  /** Whether somebody is at the list, so that nothing may move below their hand. */
  get #isNear() {
    return $('hosts').matches(':hover') || $('hosts').contains(document.activeElement);
  }

  /** How many hosts there are, or were found. */
  #tell(list, found, another) {
    const { up, down, loading } = this.#hosts;
    const all = several(Math.max(up + down, list?.length ?? 0), 'host');
    let words = list ? `${several(up, 'host')} up` : '';
    if (loading) words = `${list.length.toLocaleString('en')} of ${all} …`;
    else if (list && this.#typed) words = `${found.toLocaleString('en')} of ${all}`;
    write($('count'), words);
    if (!loading) this.#spoken.say(words, another ? TYPING : 0);
  }

  #empty(list, rows, trouble) {
    const box = $('hosts-empty');
    const state = list ? (rows.length ? '' : list.length ? 'filtered' : 'none') : trouble ? '' : 'loading';
    box.hidden = !state;
    $('hosts-list').hidden = rows.length === 0;
    if (box.dataset.state === state) return;
    box.dataset.state = state;
    box.replaceChildren(...this.#emptyWords(state));
  }

  #emptyWords(state) {
    if (state === 'none')
      return [
        element('h3', {}, 'No host is up'),
        element('p', {}, 'One appears as soon as its agent is connected, if you may open something on it.'),
      ];
    if (state === 'filtered')
      return [
        element('p', {}, 'Nothing here has these words in the name of a host or target, or in a label.'),
        element('button', { type: 'button', onclick: () => this.#clear() }, 'Show all'),
      ];
    if (state !== 'loading') return [];
    return [
      element('p', { class: 'visually-hidden' }, 'Looking for hosts …'),
      ...['a', 'b', 'c'].map((one) => element('div', { class: `bone ${one}` })),
    ];
  }

  /** Whether there was anything in the filter. */
  #clear() {
    if (!$('filter').value) return false;
    $('filter').value = '';
    this.#draw();
    $('filter').focus();
    return true;
  }

  #key(event) {
    const { key, isComposing } = event;
    if (isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (key === 'Escape' && !this.#clear()) return; // the drawer closes
    if (key === 'ArrowDown' || key === 'Enter') this.#tree.enter({ first: true });
    else if (key !== 'Escape') return;
    event.preventDefault();
    event.stopPropagation();
  }

  #press(row) {
    if (row.open !== undefined) this.#toggle(row, !row.open);
    else if (row.kind === 'target') this.#open(row, row.target.name);
    else if (row.kind === 'terminals') this.#list(row.host);
  }

  #toggle(row, wanted) {
    (this.#typed ? this.#chosenFound : this.#chosen).set(row.id, wanted);
    this.#draw({ held: true });
    if (wanted && row.kind === 'target') this.#tree.field(`${row.id}//form`);
  }

  #open({ host }, target) {
    if ((this.#hosts.list?.length ?? 0) > FEW) this.#kept.opened({ host, target });
    this.#choose(host, target);
  }

  #pin({ pin }) {
    if (!pin) return;
    const was = this.#kept.isPinned(pin);
    const name = pin.target === undefined ? pin.host : `${pin.target} on ${pin.host}`;
    const refused = this.#kept.pin(pin);
    this.#draw({ held: true });
    if (refused) toast(sentence(refused));
    else toast(was ? `${name} is no longer pinned.` : `${name} is pinned on top.`);
  }
}

/** Whether no filter is needed. */
function isLittle(list) {
  return list.length <= FEW && list.reduce((sum, { targets }) => sum + targets.length, 0) <= LITTLE;
}

/** Why there may be no list, or an old one; empty: nothing is wrong. */
export function tellTrouble(trouble) {
  if (!trouble && $('try-now') === document.activeElement) $('hosts').focus(); // the button that was pressed goes
  $('trouble-box').hidden = !trouble;
  const again = trouble.endsWith('…') ? '' : ' Trying again …';
  write($('trouble'), trouble && sentence(trouble) + again);
}

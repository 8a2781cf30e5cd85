// What one tab looks like: its button in the list of tabs, and its panel with a head, a notice and the viewer's screen.

import { sentence } from '../log/sentence.js';
import { element, icon, setIcon, write } from './dom.js';
import { fullScreenButton } from './fullscreen.js';
import { Meant } from './meant.js';
import { menu } from './menu.js';
import { iconOf, kindOf } from './viewers.js';

const STATES = {
  idle: 'Not open',
  opening: 'Opening …',
  open: 'Connected',
  detached: 'Reconnecting …',
  waiting: 'Waiting',
  over: 'Ended',
};
const LIVE = ['open', 'detached']; // of which the viewer says what there is to say
let count = 0;

export class Panel {
  screen = element('div', { class: 'screen' }); // the viewer draws in it
  name = '';

  #kind = icon(''); // its icon
  #stateInTab = element('span', { class: 'visually-hidden' });
  #badge = element('span', { class: 'badge', hidden: true }, icon('eye'), 'View only');
  #state = element('span', {});
  #words = element('p', { class: 'words' });
  #why = element('p', { class: 'muted' }, 'A link or a reload starts nothing. What you open acts in your name.');
  #sign = icon('warning');
  #act;
  #meant;
  #names = [element('span', { class: 'what' }), element('span', { class: 'where' })]; // in its tab
  #title = [element('span', {}), element('span', { class: 'where' })]; // in its head
  #opens = element('p', {});
  #question;
  #notice;
  #tick = 0;

  /** `all` are hosts and targets; `act` is what the notice's button does, `close` closes the tab, `entries()` are the menu's. */
  constructor({ all, number, act, close, entries }) {
    const id = `tab-${++count}`;
    this.#words.id = `${id}-words`;
    this.#act = element('button', {
      type: 'button',
      class: 'primary',
      hidden: true,
      'aria-describedby': this.#words.id,
      onclick: act,
    });
    this.#meant = new Meant(this.#act);
    this.#notice = element('div', { class: 'notice', hidden: true }, this.#sign, this.#words, this.#why, this.#act);
    this.button = this.#tab(id, close);
    this.element = element('section', {
      id: `${id}-panel`,
      class: 'panel',
      role: 'tabpanel',
      'aria-labelledby': id,
      tabindex: '-1',
      hidden: true,
    });
    const wait = element('div', { class: 'wait' }, element('span', { class: 'spinner' }), this.#opens);
    this.element.append(this.#head(entries), this.#notice, wait, this.screen);
    this.#entitle(all, number);
  }

  /** What it shows by now. */
  set all(all) {
    this.#entitle(all);
  }

  set selected(selected) {
    this.button.setAttribute('aria-selected', String(selected));
    this.element.hidden = !selected;
  }

  get selected() {
    return !this.element.hidden;
  }

  /** What is known of its target: the entry in the list of hosts, or a ticket. */
  set known(known) {
    setIcon(this.#kind, iconOf(known ?? {}));
    this.#badge.hidden = !known?.view;
    this.#question = `Open ${known?.kind ? `the ${kindOf(known)} ` : ''}${this.name}?`;
  }

  /** Whether the focus is in the panel, or nowhere. */
  get mayTakeFocus() {
    return document.activeElement === document.body || this.element.contains(document.activeElement);
  }

  /** The focus to the notice's button, if there is one. */
  focus() {
    if (this.#act.hidden || this.#notice.hidden) this.element.focus();
    else this.#act.focus();
  }

  /** How its connection stands. */
  show(connection) {
    const { state, words, tone, label } = connection;
    for (const { dataset } of [this.element, this.button]) Object.assign(dataset, { state, tone });
    write(this.#state, label || STATES[state]);
    write(this.#stateInTab, `, ${(label || STATES[state]).toLowerCase()}`);
    const asks = state === 'idle';
    this.#notice.hidden = !(words || asks) || LIVE.includes(state);
    this.#why.hidden = !asks;
    setIcon(this.#sign, asks ? 'link' : 'warning');
    this.#act.hidden = state === 'opening' || LIVE.includes(state);
    write(this.#act, { idle: 'Open', waiting: 'Try now' }[state] ?? 'Reconnect');
    this.#meant.about(asks && this.selected ? this.#question : '');
    clearInterval(this.#tick);
    if (state === 'waiting' && this.selected) this.#tick = setInterval(() => this.#showWords(connection), 500);
    this.#showWords(connection);
  }

  remove() {
    clearInterval(this.#tick);
    this.#meant.about('');
    this.button.remove();
    this.element.remove();
  }

  #showWords({ state, words, seconds }) {
    const next = { waiting: ` Next try in ${seconds} s.`, opening: ' Trying again …' }[state] ?? '';
    write(this.#words, state === 'idle' ? this.#question : words && sentence(words) + next);
  }

  /** Its name: that of its target and its host, or how many logs of which hosts. */
  #entitle(all, number = 0) {
    const [target, host] = ['target', 'host'].map((key) => [...new Set(all.map((one) => one[key]))]);
    const what = target.length === 1 ? target[0] : `${all.length} logs`;
    const texts = [number ? `${what} (${number})` : what, host.join(', ')];
    for (const parts of [this.#names, this.#title]) for (const at of [0, 1]) write(parts[at], texts[at]);
    this.name = texts.join(' on ');
    this.button.title = this.name;
    write(this.#opens, `Opening ${this.name} …`);
  }

  #tab(id, close) {
    const cross = element('span', { class: 'cross', 'aria-hidden': 'true', title: 'Close' }, icon('close'));
    cross.addEventListener('click', (event) => {
      event.stopPropagation();
      close();
    });
    return element(
      'button',
      {
        id,
        class: 'tab',
        type: 'button',
        role: 'tab',
        tabindex: '-1',
        'aria-controls': `${id}-panel`,
        'aria-selected': 'false',
        'aria-keyshortcuts': 'Delete',
      },
      this.#kind,
      ...this.#names,
      this.#stateInTab,
      element('span', { class: 'dot' }),
      cross,
    );
  }

  #head(entries) {
    const more = menu('More', entries);
    return element(
      'header',
      { class: 'panel-head' },
      element('h2', {}, this.#title[0], ' ', this.#title[1]),
      element('p', { class: 'state' }, this.#state),
      this.#badge,
      element('span', { class: 'spring' }),
      fullScreenButton(() => this.screen.dispatchEvent(new Event('enlarged'))),
      more.button,
      more.list,
    );
  }
}

// What one tab looks like: its button in the list of tabs, and its panel with a head, a notice and the viewer's screen.

import { element, icon, sentence, setIcon, write } from './dom.js';
import { fullScreenButton } from './fullscreen.js';
import { Meant } from './meant.js';
import { menu } from './menu.js';
import { iconOf, kindOf } from './viewers.js';

const STATES = { idle: 'Not open', opening: 'Opening …', open: 'Connected', waiting: 'Waiting', over: 'Ended' };
let count = 0;

export class Panel {
  screen = element('div', { class: 'screen' }); // the viewer draws in it

  #kind = icon(''); // its icon
  #stateInTab = element('span', { class: 'visually-hidden' });
  #badge = element('span', { class: 'badge', hidden: true }, icon('eye'), 'View only');
  #state = element('span', {});
  #words = element('p', { class: 'words' });
  #why = element('p', { class: 'muted' }, 'A link or a reload starts nothing. What you open acts in your name.');
  #sign = icon('warning');
  #act;
  #meant;
  #name;
  #question;
  #notice;
  #tick = 0;

  /** `act` is what the notice's button does, `close` closes the tab, `entries()` are the menu's. */
  constructor({ host, target, number, act, close, entries }) {
    const id = `tab-${++count}`;
    const name = number ? `${target} (${number})` : target;
    this.#name = `${name} on ${host}`;
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
    this.button = this.#tab(id, name, host, close);
    this.element = element('section', {
      id: `${id}-panel`,
      class: 'panel',
      role: 'tabpanel',
      'aria-labelledby': id,
      tabindex: '-1',
      hidden: true,
    });
    const wait = element(
      'div',
      { class: 'wait' },
      element('span', { class: 'spinner' }),
      element('p', {}, `Opening ${this.#name} …`),
    );
    this.element.append(this.#head(name, host, entries), this.#notice, wait, this.screen);
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
    this.#question = `Open ${known ? `the ${kindOf(known)} ` : ''}${this.#name}?`;
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
    const { state, words, tone } = connection;
    for (const { dataset } of [this.element, this.button]) Object.assign(dataset, { state, tone });
    write(this.#state, STATES[state]);
    write(this.#stateInTab, `, ${STATES[state].toLowerCase()}`);
    const asks = state === 'idle';
    this.#notice.hidden = !(words || asks) || state === 'open';
    this.#why.hidden = !asks;
    setIcon(this.#sign, asks ? 'link' : 'warning');
    this.#act.hidden = state === 'opening' || state === 'open';
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

  #tab(id, name, host, close) {
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
        title: `${name} on ${host}`,
        'aria-controls': `${id}-panel`,
        'aria-selected': 'false',
        'aria-keyshortcuts': 'Delete',
      },
      this.#kind,
      element('span', { class: 'what' }, name),
      element('span', { class: 'where' }, host),
      this.#stateInTab,
      element('span', { class: 'dot' }),
      cross,
    );
  }

  #head(name, host, entries) {
    const more = menu('More', entries);
    return element(
      'header',
      { class: 'panel-head' },
      element('h2', {}, name, ' ', element('span', { class: 'where' }, host)),
      element('p', { class: 'state' }, this.#state),
      this.#badge,
      element('span', { class: 'spring' }),
      fullScreenButton(() => this.screen.dispatchEvent(new Event('enlarged'))),
      more.button,
      more.list,
    );
  }
}

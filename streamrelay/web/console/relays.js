// The relays above the list of streams: how each stands, and its drain.

import { sentence } from '../log/sentence.js';
import { several } from '../log/several.js';
import { ask } from './ask.js';
import { element, keepInStep, write } from './dom.js';
import { toast } from './toast.js';

const WORDS = {
  ready: 'ready',
  draining: 'stops',
  drained: 'drained',
  full: 'full',
  unknown: 'not heard',
};
const TITLES = {
  ready: 'Streams begin here',
  draining: 'It is told to stop: its streams go on for a while, none begins here',
  drained: 'An operator has drained it: its streams go on, none begins here',
  full: 'It has as many connections as it may',
  unknown: 'The relay of the settings is not on the bus, so nothing is heard of it',
};

const narrow = matchMedia('(max-width: 45rem)');

/** The part of the page. `drain(relay, undo)` promises that it is done. */
export class Relays {
  element;

  #drain;
  #summary = element('summary', {});
  #body = element('tbody', {});
  #shown = new Map();
  #busy = new Set(); // ids of those that are being asked
  #relays = [];

  constructor(drain) {
    this.#drain = drain;
    const heads = { Relay: '', Zone: 'zone', State: '', Load: '', Streams: '', Version: 'release' };
    const head = element(
      'tr',
      {},
      ...Object.entries(heads).map(([words, name]) => element('th', { scope: 'col', class: name }, words)),
      element('td', {}),
    );
    const table = element('table', {}, element('thead', {}, head), this.#body);
    const scroller = element(
      'div',
      { class: 'relays-table', tabindex: '0', role: 'group', 'aria-label': 'Relays' },
      table,
    );
    this.element = element(
      'details',
      { class: 'relays', open: !narrow.matches, hidden: true },
      this.#summary,
      scroller,
    );
  }

  show(relays) {
    this.#relays = relays ?? [];
    this.element.hidden = !relays;
    write(this.#summary, summaryOf(this.#relays));
    keepInStep(
      this.#body,
      this.#shown,
      this.#relays,
      ({ relay }) => relay,
      ({ relay }) => this.#row(relay),
    );
  }

  #row(id) {
    const name = element('th', { scope: 'row', class: 'relay' });
    const [zone, streams, version] = ['zone', 'number', 'release'].map((word) => element('td', { class: word }));
    const state = element('span', { class: 'relay-state' });
    const meter = element('meter', { min: '0', max: '1', high: '0.8', optimum: '0' });
    const share = element('span', {});
    const button = element('button', { type: 'button', onclick: () => this.#press(id) });
    const made = element(
      'tr',
      {},
      ...[name, zone, element('td', {}, state)],
      element('td', { class: 'load' }, meter, share),
      ...[streams, version, element('td', { class: 'act' }, button)],
    );
    const update = (one) => {
      const word = stateOf(one);
      write(name, one.relay);
      name.title = one.url;
      write(zone, one.zone);
      made.dataset.state = word;
      write(state, WORDS[word] ?? word);
      state.title = TITLES[word] ?? '';
      meter.value = one.load;
      meter.ariaLabel = `Load of ${one.relay}`;
      meter.hidden = word === 'unknown';
      write(share, word === 'unknown' ? '' : `${Math.round(100 * one.load)} %`);
      write(streams, word === 'unknown' ? '' : one.streams.toLocaleString('en'));
      write(version, one.version);
      button.hidden = !one.drain || word === 'draining';
      button.disabled = this.#busy.has(id);
      write(button, one.drained ? 'Undo' : 'Drain');
      button.ariaLabel = one.drained ? `Undo the drain of ${id}` : `Drain ${id}`;
    };
    return { element: made, update };
  }

  async #press(id) {
    const one = this.#relays.find(({ relay }) => relay === id);
    if (!one || (!one.drained && !(await ask(`Drain ${id}?`, this.#question(one), 'Drain')))) return;
    this.#busy.add(id);
    this.show(this.#relays);
    try {
      await this.#drain(one, one.drained);
      toast(one.drained ? `Streams begin at ${id} again.` : `${id} is drained.`);
    } catch (problem) {
      toast(sentence(problem.message));
    }
    this.#busy.delete(id);
    this.show(this.#relays);
  }

  #question({ relay, streams }) {
    const others = this.#relays.some((one) => one.relay !== relay && stateOf(one) === 'ready');
    const left =
      streams === 1 ? 'The one that it has goes on.' : `The ${streams.toLocaleString('en')} that it has go on.`;
    const alone = others ? '' : ' No other relay here takes streams: none can be opened until one does.';
    return `No stream begins there any more. ${left} It lasts until you undo it, or the relay restarts.${alone}`;
  }
}

/** How a relay stands, in the word of the API, but that drained ones are told from those that stop. */
function stateOf({ state, drained }) {
  return drained ? 'drained' : state;
}

function summaryOf(relays) {
  const counts = new Map();
  for (const one of relays) counts.set(stateOf(one), (counts.get(stateOf(one)) ?? 0) + 1);
  const told = [...counts].map(([state, count]) => `${count} ${WORDS[state] ?? state}`);
  return `${several(relays.length, 'relay')}: ${told.join(', ')}`;
}

// The search in what a terminal shows and has shown, in a bar above it.

import { marksOf } from './terminal-themes.js';
import { load } from './third-party.js';

const NAME = "the terminal's search";
const MOST = 1000; // matches that are marked and counted

export class Search {
  #frame;
  #terminal;
  #addon = null;
  #bar = document.createElement('search');
  #field = document.createElement('input');
  #count = document.createElement('output');

  /** `frame` is what holds the terminal. */
  constructor(frame, terminal) {
    this.#frame = frame;
    this.#terminal = terminal;
    Object.assign(this.#field, { type: 'search', placeholder: 'Search', spellcheck: false, autocomplete: 'off' });
    this.#field.setAttribute('aria-label', 'Search the terminal');
    this.#bar.className = 'terminal-search';
    this.#bar.append(
      this.#field,
      button('↑', 'Match above', () => this.#find(true)),
      button('↓', 'Match below', () => this.#find(false)),
      this.#count,
      button('✕', 'Close the search', () => this.#close()),
    );
    this.#field.addEventListener('input', () => this.#find(true, true));
    this.#bar.addEventListener('keydown', (event) => this.#key(event));
  }

  /** Show the bar; rejects with words where the add-on isn't there. */
  async open() {
    if (!this.#addon) {
      const { SearchAddon } = await load(NAME, 'addon-search/lib/addon-search.mjs');
      this.#addon = new SearchAddon({ highlightLimit: MOST });
      this.#terminal.loadAddon(this.#addon);
      this.#addon.onDidChangeResults(({ resultIndex, resultCount }) => this.#tell(resultIndex, resultCount));
    }
    this.#frame.prepend(this.#bar);
    this.#field.select();
    this.#field.focus();
  }

  #key(event) {
    if (event.key === 'Escape') this.#close();
    else if (event.key === 'Enter' && event.target === this.#field) this.#find(!event.shiftKey);
    else return;
    event.preventDefault();
  }

  /** The match above, or below, the one that is shown; the newest one first. */
  #find(above, incremental = false) {
    const text = this.#field.value;
    if (text) {
      const decorations = marksOf(this.#terminal.options.theme);
      if (above) this.#addon.findPrevious(text, { incremental, decorations });
      else this.#addon.findNext(text, { decorations });
    } else {
      this.#count.textContent = '';
      this.#addon.clearDecorations();
      this.#terminal.clearSelection(); // the next search begins anew, with what is newest
    }
  }

  #tell(index, count) {
    const all = count >= MOST ? `${MOST} or more` : String(count);
    const [one, none] = [index < 0 ? all : `${index + 1} of ${all}`, 'no match'];
    this.#count.textContent = this.#field.value ? (count ? one : none) : '';
  }

  #close() {
    this.#addon.clearDecorations();
    this.#bar.remove();
    this.#terminal.focus();
  }
}

function button(sign, label, run) {
  const made = document.createElement('button');
  Object.assign(made, { type: 'button', textContent: sign, title: label });
  made.setAttribute('aria-label', label);
  made.addEventListener('click', run);
  return made;
}

// The list of hosts beside the tabs; where there is little room, a drawer above them.

import { $ } from './dom.js';

const narrow = matchMedia('(max-width: 45rem)');

export class Drawer {
  #open = false; // the drawer; where there is room it is `#folded` that counts
  #folded = false;

  constructor() {
    $('drawer').addEventListener('click', () => this.#toggle());
    $('shade').addEventListener('click', () => this.close());
    $('hosts').addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#open && !event.target.closest('.parts')) this.close();
    });
    narrow.addEventListener('change', () => this.close());
    this.#show();
  }

  close() {
    const focus = $('hosts').contains(document.activeElement);
    this.#open = false;
    this.#show();
    if (focus && narrow.matches) $('drawer').focus();
  }

  /** Have the list in sight. */
  open() {
    this.#open = narrow.matches && document.body.dataset.view !== 'overview';
    this.#folded = false;
    this.#show();
  }

  #toggle() {
    if (narrow.matches) this.#open = !this.#open;
    else this.#folded = !this.#folded;
    this.#show();
    if (this.#open) $('hosts').focus();
  }

  #show() {
    document.body.classList.toggle('drawer-open', this.#open);
    document.body.classList.toggle('hosts-folded', this.#folded);
    $('shade').hidden = !this.#open;
    $('work').inert = this.#open;
    $('drawer').setAttribute('aria-expanded', String(narrow.matches ? this.#open : !this.#folded));
  }
}

// A bar above a kept terminal: who else has it, whose size it is drawn with, and the ways to leave it running and to end it.

const NAMED = 4; // people who are named

export class Company {
  element = document.createElement('div');

  #people = document.createElement('p');
  #size = document.createElement('p');
  #cells = document.createElement('span');
  #whose = document.createElement('span');
  #end;

  /** @param {(what: 'leave' | 'end') => void} act - what somebody wants */
  constructor(act) {
    this.#people.setAttribute('role', 'status'); // it is read out when it changes, once nothing else is
    this.#people.className = 'people';
    this.#size.className = 'size';
    this.#whose.className = 'long'; // there may be no room for it
    this.#end = button('End …', '', 'End this terminal: its program is ended, for everybody', () => act('end'));
    this.element.className = 'terminal-company';
    this.element.setAttribute('role', 'group');
    this.element.setAttribute('aria-label', 'Kept terminal');
    this.element.append(
      this.#people,
      this.#size,
      button('Leave', ' running', 'Close this, and let the program run on at its host', () => act('leave')),
      this.#end,
    );
  }

  /**
   * Show who is there, and how many more. `me` is who sits here, and `view` whether they only look.
   * @param {{ people: { user: string, view: boolean }[] | null, others: number }} there
   */
  show({ people, others }, me, view) {
    const words = people ? peopleWords(people, others, me, view) : '';
    write(this.#people, words);
    this.#people.title = words; // there may be no room for all of it
    this.#end.hidden = view;
  }

  /** Show whose size it has: somebody else's columns and rows, or ours (null). */
  sized(others, view) {
    const whose = view ? 'the size of who types' : 'as another window has it; it takes yours as you type';
    this.#size.replaceChildren(...(others ? [this.#cells, this.#whose] : []));
    write(this.#cells, others?.join(' × ') ?? '');
    write(this.#whose, `, ${whose}`);
    this.#size.title = this.#size.textContent ?? '';
  }
}

/** Who is there besides who sits here, in words; each is told from others by what they may do. */
export function peopleWords(people, unnamed, me, view) {
  const own = people.findIndex(({ user, view: looks }) => user === me && looks === view);
  const others = people.filter((_, at) => at !== own);
  if (!others.length && !unnamed) return 'Nobody else is here.';
  const counts = new Map();
  for (const one of others) {
    const key = JSON.stringify([one.user, one.view]);
    counts.set(key, { ...one, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  const told = [...counts.values()].slice(0, NAMED);
  const names = told.map((one) => `${who(one, me)} (${one.view ? 'looks only' : 'types'})`);
  const rest = others.length - told.reduce((sum, { count }) => sum + count, 0) + unnamed;
  return `Also here: ${[names.join(', '), rest && `${rest} more`].filter(Boolean).join(' and ')}`;
}

function who({ user, count }, me) {
  if (user && user === me) return count === 1 ? 'you, in another window' : `you, in ${count} other windows`;
  return (user || 'somebody') + (count === 1 ? '' : `, in ${count} windows`);
}

/** Only what has changed is written: a live region says what is written. */
function write(where, words) {
  if (where.textContent !== words) where.textContent = words;
}

/** A button of two words, the second of which is left out where there is little room. */
function button(word, more, title, run) {
  const made = document.createElement('button');
  const long = Object.assign(document.createElement('span'), { className: 'long', textContent: more });
  const both = document.createElement('span'); // buttons may have a gap between their parts
  both.append(word, long);
  Object.assign(made, { type: 'button', title });
  made.append(both);
  made.addEventListener('click', run);
  return made;
}

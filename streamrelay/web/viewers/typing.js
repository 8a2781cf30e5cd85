// Text that is typed for the user, key by key: for machines that have no clipboard yet, and for phones.

import { several } from '../log/several.js';
import { askFor } from './form.js';

const EVERY = 20; // milliseconds for a key; a machine's keyboard holds few that it hasn't taken
const UNDER_WAY = 4; // letters of which it isn't known yet whether the machine got them
const UNSEEN = 2; // and of which nothing is seen, as a machine that is busy drops what its keyboard doesn't hold
const BLIND = 300; // milliseconds after which one more is pressed all the same, as not all is shown that is typed
const MOST = 10_000; // characters, which take over three minutes
const SHIFTED = /[A-Z~!@#$%^&*()_+{}|:"<>?]/; // on a keyboard of the US

const typing = new WeakSet(); // elements of viewers at whose machine a text is being typed

/**
 * Ask for a text, then press its keys, Enter for each line's end. Where there are letters without a key, say so first, and
 * ask again. Rejects with words if another text is still being typed, as their letters would mix, or if the machine goes
 * meanwhile. The machine's screen has the focus then, unless somebody has gone on to something else.
 *
 * @param {HTMLElement} element - the viewer's
 * @param {AbortSignal} signal - ends it
 * @param {{ can: (letter: string) => boolean, doubts?: (letter: string) => boolean, lives: () => boolean,
 *   press: (letter: string, shift: boolean) => boolean | Promise<boolean>, drawn: () => number, focus: () => void }} machine
 *   - whether there is a key for a letter, or perhaps none; whether it is connected; press and release one key, and tell
 *   whether the machine got it; how often its screen has changed; give that the focus
 */
export async function typeText(element, signal, machine) {
  const { can, doubts = () => false, focus } = machine;
  needIdle(element);
  const letters = [...(await askText(element, signal, can, doubts))];
  needIdle(element);
  typing.add(element);
  try {
    await pressAll(letters, signal, machine);
  } finally {
    typing.delete(element);
  }
  const { activeElement } = document;
  if (!activeElement || activeElement === document.body || element.contains(activeElement)) focus();
}

function needIdle(element) {
  if (typing.has(element)) throw new Error('nothing was typed, as another text is still being typed');
}

async function pressAll(letters, signal, { lives, press, drawn }) {
  let typed = 0;
  const pace = new Pace(drawn);
  const underWay = new Set();
  const type = async (letter) => {
    if (await press(letter, SHIFTED.test(letter))) typed += 1;
  };
  for (const letter of letters) {
    if (signal.aborted || !lives()) break;
    const one = type(letter).finally(() => underWay.delete(one));
    underWay.add(one);
    await pace.next();
    while (underWay.size >= UNDER_WAY) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (typed === letters.length || signal.aborted) return;
  const why = lives() ? 'the machine does not take keys' : 'the stream has ended';
  throw new Error(`${why}; ${typed} of ${several(letters.length, 'character')} typed`);
}

/** When the next letter may be pressed. */
class Pace {
  #drawn;
  #before = -1;
  #unseen = 0;

  constructor(drawn) {
    this.#drawn = drawn;
  }

  async next() {
    const blind = performance.now() + BLIND;
    this.#unseen += 1;
    do {
      await new Promise((resolve) => setTimeout(resolve, EVERY));
      this.#look();
    } while (this.#unseen >= UNSEEN && performance.now() < blind);
  }

  #look() {
    const drawn = this.#drawn();
    if (drawn !== this.#before) this.#unseen = 0;
    this.#before = drawn;
  }
}

async function askText(element, signal, can, doubts) {
  let words = "Text to be typed, as by a keyboard; each line's end is Enter";
  let [value, warned] = ['', ''];
  for (;;) {
    const fields = [{ name: 'text', label: 'Text', type: 'lines', value }];
    const answer = await askFor(element, words, fields, { signal, action: 'Type' });
    value = (answer?.text ?? '').replace(/\r\n?/g, '\n');
    const problem = refused(value, can);
    const doubtful = [...new Set(value)].filter(doubts);
    if (!problem && (!doubtful.length || value === warned)) return value;
    words =
      problem || `Nothing was typed yet, as the machine may drop ${named(doubtful)}. Type once more to send it all`;
    warned = problem ? '' : value;
  }
}

/** Why nothing of a text is typed; "" if it can be. */
export function refused(text, can) {
  const missing = [...new Set(text)].filter((letter) => !can(letter));
  if (missing.length) return `Nothing was typed, as a keyboard of the US has no ${named(missing)}`;
  const { length } = [...text];
  return length > MOST
    ? `Nothing was typed, as it is too long: ${length} characters, and at most ${MOST} are typed`
    : '';
}

/** Letters as they are read, the first ones; what can't be seen by its number. */
function named(letters) {
  const shown = letters.slice(0, 20).map((letter) => (/[\p{C}\p{Z}\p{M}]/u.test(letter) ? number(letter) : letter));
  return shown.join(' ') + (letters.length > 20 ? ' …' : '');
}

function number(letter) {
  return `U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

// The modules of the terminal's viewer that need no page; tests/live/viewers/test_viewers_terminal.py runs these.

import assert from 'node:assert/strict';

import { ADDRESS } from '../../streamrelay/web/viewers/terminal-links.js';
import { AHEAD, AHEAD_UNSEEN, Output } from '../../streamrelay/web/viewers/terminal-output.js';
import { harmless } from '../../streamrelay/web/viewers/terminal-paste.js';
import { countColumns } from '../../streamrelay/web/viewers/terminal-widths.js';

/** An xterm.js that takes one piece in each turn, and turns only when it is told to. */
class Slow {
  buffer = { active: { type: 'normal', baseY: 0, cursorY: 0, getLine: () => ({ translateToString: () => '' }) } };
  rows = 24;
  writes = [];
  text = '';

  write(piece, taken) {
    this.writes.push([piece, taken]);
  }

  turn() {
    const [piece, taken] = this.writes.shift();
    this.text += new TextDecoder().decode(piece);
    taken();
  }
}

const soon = () =>
  new Promise((awake) => {
    setTimeout(awake, 0);
  });
const line = (number) => new TextEncoder().encode(`${`line ${number}`.padEnd(79)}\n`);

/** A thousand pieces between two turns don't wait for each other; all is there, in order, after few more turns. */
export async function output_keeps_up() {
  const terminal = new Slow();
  const output = new Output(terminal, () => false);
  let wanted = '';
  for (let number = 0; number < 1000; number += 1) {
    wanted += new TextDecoder().decode(line(number));
    await output.write(line(number));
  }
  let turns = 0;
  for (; terminal.writes.length; turns += 1) terminal.turn();
  assert.equal(terminal.text, wanted);
  assert(turns <= 3, String(turns));
}

/** What waits is bounded by bytes; a page that isn't seen takes more, so that nothing waits for its slow timers. */
export async function output_is_bounded() {
  for (const [unseen, bound] of [
    [false, AHEAD],
    [true, AHEAD_UNSEEN],
  ]) {
    const terminal = new Slow();
    const output = new Output(terminal, () => unseen);
    const piece = new Uint8Array(65536);
    let taken = 0;
    let held = false;
    while (!held) {
      held = await Promise.race([output.write(piece).then(() => false), soon().then(() => true)]);
      taken += piece.length;
    }
    assert(taken > bound && taken <= bound + piece.length, `${taken} of ${bound}`);
  }
}

/** A page that isn't seen for a minute takes that minute's 60,000 lines in three turns, not in one for each piece. */
export async function output_unseen() {
  const terminal = new Slow();
  const output = new Output(terminal, () => true);
  for (let number = 0; number < 60_000; number += 1) {
    const held = await Promise.race([output.write(line(number)).then(() => false), soon().then(() => true)]);
    assert(!held, `held at line ${number}`);
  }
  let turns = 0;
  for (; terminal.writes.length; turns += 1) terminal.turn();
  assert(turns <= 3, String(turns));
  assert.equal(terminal.text.length, 60_000 * 80);
}

/** Who waits for the terminal waits until all that was written has been taken. */
export async function output_parsed() {
  const terminal = new Slow();
  const output = new Output(terminal, () => false);
  void output.write('one');
  void output.write('two');
  let parsed = false;
  void output.parsed().then(() => {
    parsed = true;
  });
  terminal.turn();
  await soon();
  assert(!parsed);
  terminal.turn();
  await soon();
  assert(parsed);
}

/** Of a paste only tabs and line ends act: all other controls are seen as signs. */
export function paste_harmless({ paste }) {
  assert.equal(harmless(paste), 'safe␛[201~\necho INJECTED\n');
  for (let code = 0; code < 0x10000; code += 1) {
    const [letter, made] = [String.fromCharCode(code), harmless(String.fromCharCode(code))];
    const acts = (code < 0x20 && !'\t\n\r'.includes(letter)) || (code >= 0x7f && code < 0xa0);
    assert.equal(made === letter, !acts, code.toString(16));
    assert.equal(made.length, 1);
    assert(made === letter || made.charCodeAt(0) > 0x2000);
  }
}

/** What bash, vim and tmux count for each text, where they agree; what is joined they have apart, and count alike. */
export async function widths_as_programs() {
  delete globalThis.Buffer; // the add-on takes it for that of a bundler, and reads its table in the wrong place
  const place = '../../streamrelay/web/third-party/addon-unicode-graphemes/lib/addon-unicode-graphemes.mjs';
  const { UnicodeGraphemesAddon } = await import(place);
  const found = {};
  const unicode = {
    activeVersion: '6',
    register: (provider) => {
      found[provider.version] = provider;
    },
  };
  countColumns({ unicode }, new UnicodeGraphemesAddon());
  const counts = found[unicode.activeVersion];
  const columns = (text) => {
    let [sum, before] = [0, 0];
    for (const letter of text) {
      const now = counts.charProperties(letter.codePointAt(0), before);
      sum += ((now >> 1) & 3) - (now & 1 ? (before >> 1) & 3 : 0);
      before = now;
    }
    return sum;
  };
  const [one, two] = ['aé│…①✔☎™', '✅😀日⚡⭐❌🚀🥲🫠🫶⏩한각'];
  for (const letter of one) assert.equal(columns(letter), 1, letter);
  for (const letter of two) assert.equal(columns(letter), 2, letter);
  for (const [text, wanted] of [
    ['e\u0301', 1], // an accent of its own
    ['\u2764\ufe0f', 1], // a sign as an emoji
    ['1\ufe0f\u20e3', 1],
    ['\u{1f1e9}\u{1f1ea}', 2], // a flag
    ['|✅ ok |', 8],
    ['|😀😀😀|', 8],
    ['|日本語|', 8],
    ['|🚀  go|', 8],
  ]) {
    assert.equal(columns(text), wanted, text);
  }
}

/** Addresses are found as they stand in sentences, with brackets that belong to them and without those that don't. */
export function addresses_found() {
  for (const [text, address] of [
    ['see https://example.org/a_(b)?x=1, or', 'https://example.org/a_(b)?x=1'],
    ['https://example.org/a_(b).', 'https://example.org/a_(b)'],
    ['(https://example.org/a)', 'https://example.org/a'],
    ['(see https://example.org/a_(b))', 'https://example.org/a_(b)'],
    ['"http://[::1]:8080/x"', 'http://[::1]:8080/x'],
    ['https://example.org/a(b', 'https://example.org/a'],
    ['HTTPS://EXAMPLE.ORG/!', 'HTTPS://EXAMPLE.ORG/'],
  ])
    assert.equal(ADDRESS.exec(text)?.[0], address);
  const began = process.cpuUsage().user;
  ADDRESS.exec(`https://${'('.repeat(50_000)}`);
  ADDRESS.exec(`https://${'(a)'.repeat(20_000)}(`);
  assert.ok(process.cpuUsage().user - began < 2_000_000, 'its time is no more than in proportion');
}

// What docs/console.rst, "Machines' screens", says of SPICE's clipboard, and of text that is typed. The machine is the test.

import assert from 'node:assert/strict';

import { scancode } from '../../streamrelay/web/viewers/scancodes.js';
import { SpiceAgent } from '../../streamrelay/web/viewers/spice-agent.js';
import { refused } from '../../streamrelay/web/viewers/typing.js';

const [CLIPBOARD, CAPABILITIES, GRAB, REQUEST, RELEASE] = [4, 6, 7, 8, 9];
const [BY_DEMAND, CRLF] = [1 << 5, 1 << 9];
const MOST = 1000;
const utf8 = new TextEncoder();
const numbers = (...values) => [...new Uint8Array(Uint32Array.from(values).buffer)];
const text = (words) => [...numbers(1), ...utf8.encode(words)];

/** What a machine's agent says, as SPICE brings it; `size` is what it claims. */
function message(kind, content, size = content.length) {
  return Uint8Array.from([...numbers(1, kind, 0, 0, size), ...content]);
}

/** A machine whose agent can so much, and what it has heard and given. */
function machine({ can = BY_DEMAND, shares = true } = {}) {
  const [heard, came, missed] = [[], [], []];
  const agent = new SpiceAgent(MOST, {
    send: (kind, content) => heard.push([kind, [...content]]),
    came: (words) => came.push(words),
    missed: (words) => missed.push(words),
  });
  agent.shares = shares;
  agent.connected = true;
  agent.announce(true);
  const say = (...all) => agent.receive(message(...all).buffer);
  say(CAPABILITIES, numbers(0, can));
  const first = heard.splice(0);
  return { agent, say, heard, came, missed, first };
}

export function clipboard_comes_by_demand() {
  const { say, heard, came } = machine();
  say(GRAB, numbers(2, 1));
  assert.deepEqual(heard, [[REQUEST, numbers(1)]]);
  say(CLIPBOARD, text('grüße\n日本 😀\0'));
  assert.deepEqual(came, ['grüße\n日本 😀']);
}

export function clipboard_comes_in_any_pieces() {
  const whole = [message(GRAB, numbers(1)), message(CLIPBOARD, text('x'.repeat(900))), message(GRAB, numbers(1))];
  const bytes = Uint8Array.from(whole.flatMap((one) => [...one]));
  for (const size of [1, 3, 19, 20, 21, 500, bytes.length]) {
    const { agent, heard, came } = machine();
    for (let at = 0; at < bytes.length; at += size) agent.receive(bytes.slice(at, at + size).buffer);
    assert.deepEqual([came, heard.length], [['x'.repeat(900)], 2], `${size} bytes at once`);
  }
}

export function clipboard_goes_once_it_is_asked_for() {
  const { agent, say, heard } = machine();
  agent.give('one\ntwo é');
  assert.deepEqual(heard.splice(0), [[GRAB, numbers(1)]]);
  say(REQUEST, numbers(1));
  say(REQUEST, numbers(2)); // a picture
  assert.deepEqual(heard.splice(0), [
    [CLIPBOARD, text('one\ntwo é')],
    [CLIPBOARD, numbers(0)],
  ]);
  say(GRAB, numbers(1)); // the machine has one of its own now
  heard.splice(0);
  say(REQUEST, numbers(1));
  assert.deepEqual(heard, [[CLIPBOARD, numbers(0)]]);
}

export function clipboard_has_the_line_ends_of_each_side() {
  const { agent, say, heard, came } = machine({ can: BY_DEMAND | CRLF });
  agent.give('a\nb\r\nc');
  say(REQUEST, numbers(1));
  assert.deepEqual(heard.at(-1), [CLIPBOARD, text('a\r\nb\r\nc')]);
  say(GRAB, numbers(1));
  say(CLIPBOARD, text('d\r\ne'));
  assert.deepEqual(came, ['d\ne']);
}

export function clipboard_off_nothing_crosses() {
  const { agent, say, heard, came, missed, first } = machine({ shares: false });
  assert.equal(new Uint32Array(Uint8Array.from(first[0][1]).buffer)[1] & BY_DEMAND, 0);
  const everything = () => {
    say(GRAB, numbers(1));
    say(GRAB, numbers(2));
    say(REQUEST, numbers(1));
    say(CLIPBOARD, text('lies'));
    say(CLIPBOARD, text('x'.repeat(2 * MOST)));
  };
  everything();
  assert.deepEqual([heard, came, missed], [[], [], []]);
  agent.shares = true; // then off, with a text that was offered
  agent.give('secret');
  heard.splice(0);
  agent.shares = false;
  assert.deepEqual(
    heard.splice(0).map(([kind]) => kind),
    [RELEASE, CAPABILITIES],
  );
  everything();
  assert.deepEqual([heard, came, missed], [[], [], []]);
}

export function clipboard_takes_nothing_unasked() {
  const { say, came } = machine();
  say(CLIPBOARD, text('unasked'));
  say(GRAB, numbers(1));
  say(CLIPBOARD, text('asked'));
  say(CLIPBOARD, text('once more'));
  assert.deepEqual(came, ['asked']);
}

export function clipboard_says_what_it_does_not_take() {
  const { say, came, missed } = machine();
  say(GRAB, numbers(2));
  say(GRAB, numbers(1));
  say(CLIPBOARD, text('x'.repeat(MOST + 1)));
  say(GRAB, numbers(1));
  say(CLIPBOARD, [...numbers(1), 0xff, 0xfe]);
  assert.equal(came.length, 0);
  const much = 'what the machine has copied is too much: 1005 bytes, and at most 1000 are taken';
  const strange = 'what the machine has copied is not text';
  assert.deepEqual(missed, [strange, much, strange]);
  say(GRAB, numbers(1));
  say(CLIPBOARD, text('x'.repeat(MOST)));
  assert.equal(came[0].length, MOST);
}

export function clipboard_of_a_machine_that_lies_costs_little() {
  const { say, came, agent } = machine();
  for (const content of [[], [1], numbers(), [1, 0, 0]]) {
    for (const kind of [CLIPBOARD, CAPABILITIES, GRAB, REQUEST, RELEASE, 12, 99]) say(kind, content);
  }
  say(GRAB, numbers(1));
  say(CLIPBOARD, text('the begin'), 0xffffffff);
  agent.receive(new ArrayBuffer(MOST));
  assert.deepEqual(came, []);
  agent.connected = true; // another one
  say(CAPABILITIES, numbers(0, BY_DEMAND));
  say(GRAB, numbers(1));
  say(CLIPBOARD, text('after'));
  assert.deepEqual(came, ['after']);
}

export function clipboard_that_nobody_takes_is_said() {
  const { agent } = machine({ can: 0 });
  assert.deepEqual([agent.takes, machine().agent.takes], [false, true]);
  assert.throws(() => agent.give('text'), /takes no clipboard/);
  agent.connected = false;
  assert.throws(() => agent.give('text'), /no SPICE agent runs in the machine/);
}

export function typed_text_is_refused_before_it_is_sent() {
  const can = (letter) => scancode(letter) > 0;
  const all = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).join('');
  assert.equal(refused(`${all}\n\t`, can), '');
  assert.equal(refused('Grüße', can), 'Nothing was typed, as a keyboard of the US has no ü ß');
  assert.match(refused('a\x1b\u200bb', can), /has no U\+001B U\+200B$/);
  assert.match(refused('àèìòùâêîôûäëïöüãõñçåøéíóú', can), / …$/);
  assert.equal(refused('a'.repeat(10_000), can), '');
  assert.match(refused('a'.repeat(10_001), can), /too long: 10001 characters/);
  assert.deepEqual([scancode('\n'), scancode('\t')], [0x1c, 0x0f]);
}

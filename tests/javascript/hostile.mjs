// What a host or a relay that lies may do to a page: scenarios without a chain (tests/live/attacks/test_attacks_client.py).

import assert from 'node:assert/strict';

import { parse } from '../../streamrelay/web/console/links.js';
import { fits } from '../../streamrelay/web/console/patterns.js';
import { iconOf, kindOf } from '../../streamrelay/web/console/viewers.js';
import { connect } from '../../streamrelay/web/streamrelay.js';

/** A websocket that says what a test says. */
class Liar extends EventTarget {
  static last = null;

  protocol = 'streamrelay.v1';
  readyState = 1;
  bufferedAmount = 0;
  sent = [];

  constructor() {
    super();
    Liar.last = this;
    setTimeout(() => this.dispatchEvent(new Event('open')), 0);
  }

  send(message) {
    this.sent.push(message);
  }

  close() {
    this.readyState = 3;
  }

  say(data) {
    this.dispatchEvent(Object.assign(new Event('message'), { data }));
  }
}

/** Seconds of CPU that this process has had, which are as many on a busy machine. */
const spent = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const seconds = async (work) => {
  const began = spent();
  await work();
  return spent() - began;
};

/** An agent that doesn't hold, in messages of one byte. */
export async function tiny({ messages }) {
  const stream = await connect('ws://127.0.0.1/', { WebSocket: Liar });
  const byte = new Uint8Array([120]).buffer;
  let [count, control] = [0, 0];
  const took = await seconds(async () => {
    for (let at = 0; at < messages; at += 1) Liar.last.say(at % 4 ? byte : '{"place":"x"}');
    const reader = stream.items.getReader();
    while (count + control < messages) {
      const { value } = await reader.read();
      if (value instanceof Uint8Array) count += 1;
      else control += 1;
    }
  });
  assert.deepEqual(stream.place, { place: 'x', after: 3 });
  stream.close();
  return { took, count, control, held: Liar.last.sent[0] };
}

/** Control messages that are too long, or none, or of odd kinds. */
export async function controls() {
  const stream = await connect('ws://127.0.0.1/', { WebSocket: Liar });
  const odd = [
    '',
    '{',
    '[]',
    'null',
    '7',
    '{"exit":"\\u001b[2J"}',
    '{"__proto__":{"x":1}}',
    '{"place":[1]}',
    '{"eof":1}',
  ];
  for (const text of odd) Liar.last.say(text);
  assert.equal({}.x, undefined);
  assert.equal(stream.place, null);
  Liar.last.say(`{"x":"${'y'.repeat(5000)}"}`);
  return stream.closed;
}

/** Names of hosts and targets, and patterns, that are made up. */
export function names({ links }) {
  const many = '{a}'.repeat(300);
  const began = spent();
  const fitting = [fits(`${many}x`, 'a'.repeat(256)), fits(many, 'a'.repeat(299)), fits(many, 'a'.repeat(300))];
  const took = spent() - began;
  const some = [
    ['vm/{name}/console', 'vm/a/console'],
    ['vm/{name}/console', 'vm//console'],
    ['a{b}a', 'aa'],
    ['a{b}a', 'aaa'],
    ['{a}{b}', 'x'],
    ['{a}{b}', 'xy'],
    ['log', 'log'],
    ['log', 'logs'],
    ['{a}.{b}', 'x.y.z'],
    ['(.*){a}', '(.*)1'],
  ].map(([pattern, name]) => fits(pattern, name));
  const words = ['constructor', '__proto__', 'toString'].map((word) => [
    iconOf({ viewer: word }),
    kindOf({ kind: word }),
  ]);
  return { took, fitting, some, words, parsed: links.map(parse) };
}

// What tests of a link's liveness share: a clock, a page, and streams whose relay is the test.

import assert from 'node:assert/strict';

import { connect } from '../../streamrelay/web/streamrelay.js';
import { Relay } from './fakes.mjs';

/** A clock whose timers come when the test says so. */
export class Clock {
  now = 1_000_000;
  look = null;

  constructor() {
    Date.now = () => this.now;
    globalThis.setInterval = (look, every) => {
      assert.equal(every, 1000);
      this.look = look;
      return 1;
    };
    globalThis.clearInterval = () => {
      this.look = null;
    };
  }

  /** So many seconds, with `each` after every one of them. */
  seconds(count, each = () => {}) {
    for (let second = 0; second < count; second += 1) {
      this.now += 1000;
      this.look?.();
      each();
    }
  }

  /** Seconds in which nothing runs. */
  sleep(count) {
    this.now += count * 1000;
  }
}

/** A page, whose network and visibility are the test's. */
export function page() {
  const here = new EventTarget();
  globalThis.addEventListener = here.addEventListener.bind(here);
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  return {
    online: () => here.dispatchEvent(new Event('online')),
    offline: () => here.dispatchEvent(new Event('offline')),
    show(visibilityState) {
      Object.assign(document, { visibilityState });
      document.dispatchEvent(new Event('visibilitychange'));
    },
  };
}

export async function stream(protocol = 'streamrelay.v1.ping') {
  const connecting = connect('ws://relay/client/secret', { WebSocket: Relay });
  const relay = Relay.last;
  relay.protocol = protocol;
  relay.tell('open');
  const opened = await connecting;
  const link = { relay, stream: opened, outcome: null };
  void opened.closed.then((outcome) => {
    link.outcome = outcome;
  });
  return link;
}

/** The numbers of the pings that were sent since the last time. */
export const pings = ({ relay }) => relay.sent.splice(0).map((message) => JSON.parse(message).ping);
export const pong = ({ relay }, number) => relay.message(JSON.stringify({ pong: number }));
export const turn = () => new Promise(setImmediate);

/** Seconds until it is said that the link is dead. */
export async function said(clock, link) {
  for (let seconds = 0; seconds < 100; seconds += 1) {
    await turn();
    if (link.outcome) return seconds;
    clock.seconds(1);
  }
  return Infinity;
}

/** A link of which the relay has said that nothing that we send has to wait. */
export async function answered(clock) {
  const link = await stream();
  clock.seconds(12);
  const [number] = pings(link);
  pong(link, number);
  return link;
}

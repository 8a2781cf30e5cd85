// Ends in memory for the promises of the JavaScript client.

import assert from 'node:assert/strict';

/** A websocket whose relay is the test. */
export class Relay extends EventTarget {
  static last;
  protocol = 'streamrelay.v1';
  readyState = 1;
  bufferedAmount = 0;
  sent = [];
  closed = [];

  constructor(url, protocols) {
    super();
    Object.assign(this, { url, protocols });
    Relay.last = this;
  }

  send(message) {
    this.sent.push(message);
  }

  close(...how) {
    this.closed.push(how);
  }

  tell(type, fields = {}) {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }

  message(data) {
    this.tell('message', { data });
  }
}

/** Server-sent events of a platform that is the test. */
export class Events extends EventTarget {
  static last;
  static made = (_events) => {};
  isOpen = true;

  constructor(url) {
    super();
    this.url = String(url);
    Events.last = this;
    Events.made(this);
  }

  close() {
    this.isOpen = false;
  }

  tell(event, told) {
    if (this.isOpen) this.dispatchEvent(Object.assign(new Event(event), { data: JSON.stringify(told) }));
  }

  fail() {
    if (this.isOpen) this.dispatchEvent(new Event('error'));
  }
}

/** A browser whose platform tells no events. */
export function withoutEvents() {
  globalThis.EventSource = Events;
  Events.made = (events) => queueMicrotask(() => events.fail());
}

/** The error with which a promise is rejected. */
export const failure = (promise) =>
  promise.then(
    () => assert.fail('it did not fail'),
    (error) => error,
  );

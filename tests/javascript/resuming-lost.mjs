// A stream that resumes and has lost its leg, on a page whose events are the test's.

import { World } from './resuming.mjs';

/** A stream whose relay is gone after it has stood a while, and what it tells of that. */
export async function lost(options = {}) {
  const world = new World(options);
  const events = page();
  const stream = await world.open();
  const told = [];
  for (const name of ['detached', 'tried', 'attached'])
    stream.addEventListener(name, () => told.push([name, world.clock.now, stream.detached]));
  await world.pass(5000);
  world.up = options.up ?? false;
  const since = world.clock.now;
  world.agent.near.cut(1006);
  /** Seconds after the loss at which it was asked. */
  const times = () => world.asked.map(({ at }) => (at - since) / 1000);
  return { world, stream, told, since, times, events };
}

/** A page, whose events are the test's. */
function page() {
  return {
    tell: (name, fields = {}) => globalThis.dispatchEvent(Object.assign(new Event(name), fields)),
  };
}
const here = new EventTarget();
globalThis.addEventListener = here.addEventListener.bind(here);
globalThis.dispatchEvent = here.dispatchEvent.bind(here);

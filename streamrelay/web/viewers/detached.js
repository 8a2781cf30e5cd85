// What a viewer says while its stream has no connection: what is on the screen stays, and what is typed waits.

import { whenDetached } from '../log/detached.js';
import { several } from '../log/several.js';

const EVERY = 500; // ms between two changes of what is said

const BYTES = {
  waiting: (bytes) => `${several(bytes, 'byte')} of yours ${bytes === 1 ? 'waits' : 'wait'} for it here.`,
  unsent: (bytes) =>
    `${several(bytes, 'byte')} of yours ${bytes === 1 ? 'was' : 'were'} not sent: the stream has ended.`,
};
const PRESSES = {
  waiting: () => 'What you press waits for it here.',
  unsent: () => 'What you pressed was not sent: the stream has ended.',
};

/**
 * Say in `element` that a stream is detached, for as long as it is; and of one that ends so, what it could not send, until
 * that was read. A machine's viewer sends bytes by itself, so of one it is keys and buttons that were pressed meanwhile.
 */
export function showDetached(element, stream, { ofMachine = false } = {}) {
  const words = ofMachine ? PRESSES : BYTES;
  const shown = document.createElement('div');
  shown.className = 'viewer-detached';
  const state = document.createElement('span');
  state.setAttribute('role', 'status');
  const more = document.createElement('span'); // which changes, and would be read out each time
  shown.append(state, more);
  let [timer, before, acted, why] = [0, 0, false, '']; // the second is what may have arrived, but isn't confirmed
  stream.addEventListener?.('detached', () => {
    [before, acted] = [stream.unconfirmed, !ofMachine];
  });
  if (ofMachine) whenPressed(element, stream, () => (acted = true));
  const unsent = () => (acted ? stream.unconfirmed - before : 0);
  const say = () => {
    more.textContent = ` ${why} ${waiting(stream.detached?.until ?? 0, unsent(), words)}`;
  };
  whenDetached(
    stream,
    (reason) => {
      why = reason;
      for (const older of element.querySelectorAll(':scope > .viewer-detached')) older.remove();
      element.append(shown);
      state.textContent = 'Reconnecting …';
      say();
      timer = setInterval(say, EVERY);
    },
    (outcome) => {
      clearInterval(timer);
      const bytes = outcome && !outcome.clean ? unsent() : 0;
      if (bytes > 0) tellUnsent(shown, state, more, words.unsent(bytes));
      else shown.remove();
    },
    (reason) => {
      why = reason;
      say();
    },
  );
}

/** Tell of each key and button that is pressed in `element`, as long as the stream lives. */
function whenPressed(element, stream, tell) {
  const left = new AbortController();
  for (const kind of ['keydown', 'pointerdown'])
    element.addEventListener(kind, tell, { capture: true, signal: left.signal });
  stream.closed.then(() => left.abort());
}

/** How long it is kept, and what waits here. */
function waiting(until, bytes, words) {
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  const kept = `The host keeps it open for ${seconds} s more.`;
  return bytes > 0 ? `${kept} ${words.waiting(bytes)}` : kept;
}

/** Say that something was lost, for whoever comes back to the page later. */
function tellUnsent(shown, state, more, words) {
  state.textContent = words;
  more.textContent = '';
  const read = document.createElement('button');
  read.type = 'button';
  read.textContent = 'OK';
  read.addEventListener('click', () => shown.remove());
  shown.append(read);
}

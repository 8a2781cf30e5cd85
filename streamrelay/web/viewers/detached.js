// What a viewer says while its stream has no connection: what is on the screen stays, and what is typed waits.

import { whenDetached } from '../log/detached.js';
import { several } from '../log/several.js';

const EVERY = 500; // ms between two changes of what is said

/**
 * Say in `element` that a stream is detached, for as long as it is; and of one that ends so, what it could not send, until
 * that was read.
 */
export function showDetached(element, stream) {
  const shown = document.createElement('div');
  shown.className = 'viewer-detached';
  const state = document.createElement('span');
  state.setAttribute('role', 'status');
  const more = document.createElement('span'); // which changes, and would be read out each time
  shown.append(state, more);
  let [timer, before] = [0, 0]; // the latter is what may have arrived, but isn't confirmed
  stream.addEventListener?.('detached', () => {
    before = stream.unconfirmed;
  });
  const unsent = () => stream.unconfirmed - before;
  const say = () => {
    more.textContent = ` ${waiting(stream.detached?.until ?? 0, unsent())}`;
  };
  whenDetached(
    stream,
    () => {
      for (const older of element.querySelectorAll(':scope > .viewer-detached')) older.remove();
      element.append(shown);
      state.textContent = 'Reconnecting …';
      say();
      timer = setInterval(say, EVERY);
    },
    (outcome) => {
      clearInterval(timer);
      const bytes = outcome && !outcome.clean ? unsent() : 0;
      if (bytes > 0) tellUnsent(shown, state, more, bytes);
      else shown.remove();
    },
  );
}

/** How long it is kept, and what waits here. */
function waiting(until, bytes) {
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  const kept = `The host keeps it open for ${seconds} s more.`;
  if (bytes <= 0) return kept;
  return `${kept} ${several(bytes, 'byte')} of yours ${bytes === 1 ? 'waits' : 'wait'} for it here.`;
}

/** Say that bytes were lost, for whoever comes back to the page later. */
function tellUnsent(shown, state, more, bytes) {
  state.textContent = `${several(bytes, 'byte')} of yours ${bytes === 1 ? 'was' : 'were'} not sent: the stream has ended.`;
  more.textContent = '';
  const read = document.createElement('button');
  read.type = 'button';
  read.textContent = 'OK';
  read.addEventListener('click', () => shown.remove());
  shown.append(read);
}

// What a viewer says while its stream has no connection: what is on the screen stays, and what is typed waits.

import { whenDetached } from '../log/detached.js';
import { several } from '../log/several.js';

const EVERY = 500; // ms between two changes of what is said

/** Say in `element` that a stream is detached, for as long as it is. */
export function showDetached(element, stream) {
  const shown = document.createElement('div');
  shown.className = 'viewer-detached';
  const state = document.createElement('span');
  state.setAttribute('role', 'status');
  const more = document.createElement('span'); // which changes, and would be read out each time
  shown.append(state, more);
  let timer = 0;
  const say = () => {
    more.textContent = ` ${waiting(stream)}`;
  };
  whenDetached(
    stream,
    () => {
      element.append(shown);
      state.textContent = 'Reconnecting …';
      say();
      timer = setInterval(say, EVERY);
    },
    () => {
      clearInterval(timer);
      shown.remove();
    },
  );
}

/** How long it is kept, and what waits here. */
function waiting({ detached, unconfirmed }) {
  const seconds = Math.max(0, Math.ceil(((detached?.until ?? 0) - Date.now()) / 1000));
  const kept = `The host keeps it open for ${seconds} s more.`;
  if (!unconfirmed) return kept;
  return `${kept} ${several(unconfirmed, 'byte')} of yours ${unconfirmed === 1 ? 'waits' : 'wait'} for it here.`;
}

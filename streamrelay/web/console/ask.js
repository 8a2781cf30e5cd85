// A window that asks before something is done that others notice.

import { element } from './dom.js';
import { Meant } from './meant.js';

let count = 0;

/** Promises whether somebody has said yes. `act` is the button's word for it. */
export function ask(title, words, act) {
  const id = `ask-${++count}`;
  const yes = element(
    'button',
    { type: 'button', class: 'primary danger', autofocus: true, onclick: () => dialog.close('yes') },
    act,
  );
  const meant = new Meant(yes);
  const dialog = element(
    'dialog',
    { 'aria-labelledby': `${id}-title`, 'aria-describedby': `${id}-words`, class: 'asking' },
    element(
      'form',
      { method: 'dialog' },
      element('h2', { id: `${id}-title` }, title),
      element('p', { id: `${id}-words` }, words),
      element(
        'div',
        { class: 'choices' },
        element('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'),
        yes,
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  meant.about(title);
  return new Promise((settle) => {
    dialog.addEventListener('close', () => {
      meant.about('');
      dialog.remove();
      settle(dialog.returnValue === 'yes');
    });
  });
}

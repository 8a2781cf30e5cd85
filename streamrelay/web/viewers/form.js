// A small form over a viewer: a password that a server wants, or a text to be typed.

/**
 * Ask for something; resolves to what was entered by the fields' names, or to null if it was cancelled.
 *
 * @param {HTMLElement} element - the viewer's
 * @param {string} words - what is asked, shown as text
 * @param {{name: string, label: string, type?: string, value?: string}[]} fields - of type "lines": several, sent by Ctrl-Enter
 * @param {{signal: AbortSignal, action?: string}} more - a signal that takes the form away; the button's label
 */
export function askFor(element, words, fields, { signal, action = 'Send' }) {
  return new Promise((resolve) => {
    const form = document.createElement('form');
    form.className = 'viewer-form';
    form.setAttribute('aria-label', words);
    const said = document.createElement('p');
    said.textContent = words;
    const cancel = document.createElement('button');
    cancel.type = 'button';
    cancel.textContent = 'Cancel';
    const send = document.createElement('button');
    send.textContent = action;
    form.append(said, ...fields.map(entry), send, cancel);

    const done = (answer) => {
      form.remove();
      signal.removeEventListener('abort', cancelled);
      resolve(answer);
    };
    const cancelled = () => done(null);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      done(Object.fromEntries(new FormData(form)));
    });
    form.addEventListener('keydown', (event) => {
      event.stopPropagation(); // a key for the form is none for the viewer
      if (event.key === 'Escape') cancelled();
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    cancel.addEventListener('click', cancelled);
    if (signal.aborted) {
      resolve(null);
      return;
    }
    signal.addEventListener('abort', cancelled);
    element.append(form);
    /** @type {HTMLElement} */ (form.querySelector('input, textarea, button')).focus();
  });
}

function entry({ name, label, type = 'text', value = '' }) {
  const around = document.createElement('label');
  const input = type === 'lines' ? document.createElement('textarea') : document.createElement('input');
  if (input instanceof HTMLTextAreaElement) input.rows = 4;
  else input.type = type;
  Object.assign(input, { name, value, autocomplete: 'off', spellcheck: false, autocapitalize: 'off' });
  around.append(label, ' ', input);
  return around;
}

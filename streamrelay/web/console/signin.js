// The form to sign in by a key, a link's key in its place, and the button to sign out.

import { sentence } from '../log/sentence.js';
import { $, write } from './dom.js';
import { toast, whisper } from './toast.js';

/**
 * The key that a link brought (``#key=…``); from now on neither the address nor the history shows it. Only one that is
 * good once is taken: by others, which people have of their own, a link could sign its reader in as somebody else.
 */
export function takeKey() {
  const [, key] = /^#key=(.*)$/.exec(location.hash) ?? [];
  if (key === undefined) return '';
  history.replaceState(null, '', location.pathname);
  return /^srk_once_[\w-]+$/.test(key) ? key : '';
}

export function showSignIn(session) {
  const form = $('signin-form');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const key = $('key').value.trim();
    const button = form.querySelector('button');
    button.disabled = true;
    write($('signin-error'), '');
    $('key').removeAttribute('aria-invalid');
    try {
      await session.begin(key);
    } catch (problem) {
      const when = problem.retryAfter ? `${problem.message}; try again in ${problem.retryAfter} s` : problem.message;
      write($('signin-error'), sentence(when));
      $('key').setAttribute('aria-invalid', 'true');
    }
    $('key').value = '';
    button.disabled = false;
    if (!session.signedIn) $('key').focus();
  });
  $('signout').addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      await session.end();
      toast('You have signed out.');
    } catch (problem) {
      toast(sentence(problem.message));
    }
  });
  session.addEventListener('in', () => show(session));
  session.addEventListener('out', () => show(session));
}

function show({ signedIn, csrf, user, version, why }) {
  document.body.dataset.session = signedIn ? 'in' : 'out';
  $('signin').hidden = signedIn;
  $('signout').hidden = !(signedIn && csrf); // who needs no key has no session that could end
  write($('user'), signedIn ? user : '');
  write($('version'), signedIn && version ? `streamrelay ${version}` : '');
  write($('signin-error'), '');
  $('signin-why').hidden = !why;
  write($('signin-why'), why);
  if (signedIn) return;
  if (why) whisper(why);
  // Whoever types in a console goes on typing there, and not in this field.
  if (!$('panels').contains(document.activeElement)) $('key').focus();
}

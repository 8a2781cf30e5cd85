// The end of a kept terminal, which can't be undone: it is asked for first.

import { sentence } from '../log/sentence.js';
import { endTerminal as end } from '../streamrelay.js';
import { ask } from './ask.js';
import { toast } from './toast.js';

/**
 * End one, if somebody says so; whether it is ended. `one` has its host, target, and id, and is told (`ended`).
 * @type {(session: { csrf: string }, one: { host: string, target: string, terminal: string, ended?: () => void })
 *   => Promise<boolean>}
 */
export async function endTerminal(session, one) {
  const { host, target, terminal } = one;
  if (!terminal) return false;
  const words = 'Its program is ended, whatever it does now, and whoever else is there loses it, too.';
  if (!(await ask(`End ${target} on ${host}?`, words, 'End terminal'))) return false;
  try {
    await end({ platform: new URL('.', document.baseURI).href, csrf: session.csrf, host, terminal });
    one.ended?.();
    toast(`${target} on ${host} is ended.`);
    return true;
  } catch (problem) {
    toast(sentence(problem.message));
    return false;
  }
}

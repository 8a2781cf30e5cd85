// When a stream that resumes has no connection for a while, which is worth a word to who looks at it.

import { sentence } from './sentence.js';

const SHORT = 500; // ms; one that is back by then is not

/**
 * Call `lost(why)` as a stream has been detached for a while, `tried(why)` as that is said to be for another reason, and
 * `back(outcome)` as it no longer is, null if it goes on; of streams that don't resume none of them. `why` is a sentence.
 */
export function whenDetached(stream, lost, back, tried = (_) => {}) {
  let [timer, told] = [0, false];
  const why = () => sentence(stream.detached?.why ?? '');
  const begin = () => {
    timer ||= setTimeout(() => {
      told = true;
      lost(why());
    }, SHORT);
  };
  const over = (outcome) => {
    clearTimeout(timer);
    timer = 0;
    if (told) back(outcome);
    told = false;
  };
  stream?.addEventListener?.('detached', begin);
  stream?.addEventListener?.('tried', () => told && tried(why()));
  stream?.addEventListener?.('attached', () => over(null));
  stream?.closed.then(over);
  if (stream?.detached) begin();
}

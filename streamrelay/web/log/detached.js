// When a stream that resumes has no connection for a while, which is worth a word to who looks at it.

const SHORT = 500; // ms; one that is back by then is not

/**
 * Call `lost()` as a stream has been detached for a while, and `back(outcome)` as it no longer is, null if it goes on; of
 * streams that don't resume neither.
 */
export function whenDetached(stream, lost, back) {
  let [timer, told] = [0, false];
  const begin = () => {
    timer ||= setTimeout(() => {
      told = true;
      lost();
    }, SHORT);
  };
  const over = (outcome) => {
    clearTimeout(timer);
    timer = 0;
    if (told) back(outcome);
    told = false;
  };
  stream?.addEventListener?.('detached', begin);
  stream?.addEventListener?.('attached', () => over(null));
  stream?.closed.then(over);
  if (stream?.detached) begin();
}

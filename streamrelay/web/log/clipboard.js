// The clipboard, which browsers give to pages over TLS alone, and not to all: why it can't be had is said in words.

const ABSENT = 'the browser gives no clipboard to a page that is not served by https';

/** Copy a text; rejects with words. */
export async function copyText(text) {
  if (!text) throw new Error('nothing is selected');
  if (!navigator.clipboard) throw new Error(ABSENT);
  try {
    await navigator.clipboard.writeText(text);
  } catch (cause) {
    throw new Error('the browser did not let this page copy', { cause });
  }
}

/** Copy a text; gives what is to be said of that, as a sentence without its stop. */
export async function copied(text) {
  try {
    await copyText(text);
    return 'Copied';
  } catch ({ message }) {
    return message[0].toUpperCase() + message.slice(1);
  }
}

/** What was copied, here or elsewhere, as text; rejects with words. */
export async function copiedText() {
  if (!navigator.clipboard) throw new Error(`${ABSENT}; paste by keys`);
  try {
    return await navigator.clipboard.readText();
  } catch (cause) {
    throw new Error('the browser did not let this page read the clipboard; paste by keys', { cause });
  }
}

// Copying, and what to do where the browser doesn't let a page copy (it does so over TLS alone).

import { $ } from './dom.js';
import { toast } from './toast.js';

export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    $('copy-text').value = text;
    $('copy-dialog').showModal();
    $('copy-text').select();
  }
}

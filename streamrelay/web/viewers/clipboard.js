// The clipboard, as a log's element has it, which stands on other sites, too, without the viewers.

export { copiedText, copyText } from '../log/clipboard.js';

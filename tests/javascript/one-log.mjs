// What tests of a log's lines share: those of one source.

import { Lines } from '../../streamrelay/web/log/lines.js';

/** Lines with their only source. */
export class OneLog extends Lines {
  own = this.writer();

  append(text, time) {
    this.own.append(text, time);
  }

  mark(...all) {
    this.own.mark(...all);
  }
}

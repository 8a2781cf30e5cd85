// What a line is: text of the log, or a word of ours between.

export const TEXT = 0;
export const SKIPPED = 1;
export const LOST = 2;
export const RESUMED = 3;
export const ENDED = 4;
export const NOTE = 5;

/** Lines over which those of one source know of each other: a trace of its line, a row of what is written over it. */
export const REACH = 4096;

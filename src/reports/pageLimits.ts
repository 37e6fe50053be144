/** Longest text that a page may send as the content of a dropped file, in UTF-16 code units. */
export const MAX_DROPPED_CHARACTERS = 8 * 1024 * 1024;

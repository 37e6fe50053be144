import { shorten } from '../storage/shorten.js';

/** File systems take 255 bytes; some programs add a suffix of their own. */
const MAX_NAME_BYTES = 200;

/** Windows keeps these for devices, whatever their extension. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)$/i;

/**
 * A file name that every file system takes: format names hold colons, tensor names anything.
 * @param stem may be any text, of any length
 * @param extension with its dot, kept whatever the stem is
 */
export function makeSafeFileName(stem: string, extension: string): string {
  const words = shorten(stem, 4 * MAX_NAME_BYTES).match(/[\p{L}\p{N}._-]+/gu) ?? [];
  let safe = words.join('-');
  // Dots and hyphens at the ends: hidden files, options of programs, and what Windows drops.
  let begin = 0;
  let end = safe.length;
  while (begin < end && isDotOrHyphen(safe[begin])) begin++;
  while (begin < end && isDotOrHyphen(safe[end - 1])) end--;
  safe = safe.slice(begin, end);
  const room = MAX_NAME_BYTES - extension.length;
  for (let most = safe.length; new TextEncoder().encode(safe).length > room;) {
    most = Math.floor(most * 0.9);
    safe = shorten(safe, most).replace('…', '-');
  }
  if (safe === '') safe = 'untitled';
  return `${RESERVED.test(safe.split('.', 1)[0]) ? `_${safe}` : safe}${extension}`;
}

function isDotOrHyphen(character: string): boolean {
  return character === '.' || character === '-';
}

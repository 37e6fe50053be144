/**
 * A text in at most `most` characters (UTF-16 units): of a longer one beginning and end are left, since
 * names differ there, and "…" between. Characters of two units stay whole.
 * @param escape makes characters visible, which may lengthen the text; only what is shown is given to it
 */
export function shorten(
  text: string,
  most: number,
  escape: (text: string) => string = (same) => same,
): string {
  if (text.length <= most) {
    const whole = escape(text);
    if (whole.length <= most) return whole;
  }
  const head = Math.ceil((most - 1) / 3);
  const tail = most - 1 - head;
  const begin = escape(text.slice(0, isInsidePair(text, head) ? head - 1 : head));
  const end = Math.max(0, text.length - tail);
  const rest = escape(text.slice(isInsidePair(text, end) ? end + 1 : end));
  return `${begin.slice(0, head)}…${rest.slice(-tail)}`;
}

/** True where a character that takes two units would be cut in half. */
function isInsidePair(text: string, at: number): boolean {
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(Math.max(0, at - 1), at + 1));
}

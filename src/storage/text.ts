const CHECKED_AT_ONCE = 1 << 20;

/** True when bytes are well-formed UTF-8. Looks at a piece at a time, whatever their length. */
export function isUtf8(bytes: Uint8Array): boolean {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for (let done = 0; done < bytes.length; done += CHECKED_AT_ONCE) {
      decoder.decode(bytes.subarray(done, done + CHECKED_AT_ONCE), { stream: true });
    }
    decoder.decode();
    return true;
  } catch {
    return false;
  }
}

/**
 * A text of at most `most` UTF-16 units: where it is longer, its middle gives way to an ellipsis, since
 * names differ at their ends. Characters stay whole.
 */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  let head = Math.ceil((most - 1) / 2);
  let tail = text.length - Math.floor((most - 1) / 2);
  if (isLowSurrogate(text.charCodeAt(head))) head--;
  if (isLowSurrogate(text.charCodeAt(tail))) tail++;
  return `${text.slice(0, head)}…${text.slice(tail)}`;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

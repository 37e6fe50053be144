const ZERO = 0x30;
const NINE = 0x39;

/**
 * A text by which to sort: "layers.2" comes before "layers.10", and capitals count as small letters. Each
 * number is preceded by how many digits it has, so that plain comparison, which stops at the first
 * difference, orders numbers by their value.
 */
export function naturalKey(text: string): string {
  const folded = text.toLowerCase();
  // Joined at the end: a text that grows by appending is a tree, slow to compare when it is large.
  const parts: string[] = [];
  let copied = 0;
  for (let at = 0; at < folded.length; at++) {
    if (!isDigit(folded.charCodeAt(at))) continue;
    let begin = at;
    while (folded.charCodeAt(begin) === ZERO) begin++;
    let end = begin;
    while (isDigit(folded.charCodeAt(end))) end++;
    parts.push(folded.slice(copied, at), lengthKey(end - begin));
    copied = begin;
    at = end;
  }
  if (parts.length === 0) return folded;
  parts.push(folded.slice(copied));
  return parts.join('');
}

/** Texts in the order of their keys; equal ones stay as they were. */
export function sortNaturally<Item>(items: Iterable<Item>, textOf: (item: Item) => string): Item[] {
  return Array.from(items, (item) => ({ item, key: naturalKey(textOf(item)) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ item }) => item);
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** A number of digits, itself written so that longer ones come later. */
function lengthKey(digits: number): string {
  if (digits < 9) return String(digits);
  const text = String(digits);
  return `9${text.length}${text}`;
}

import { shorten } from '../storage/shorten.js';
import type { HeaderValue, KeyValues } from './keyValues.js';

/** Longer texts, such as templates of conversations, are shortened. */
const MAX_TEXT = 65_536;

/** Longer lists are counted, not listed. */
const MAX_LISTED = 64;

/** The values of a header as text. Lists of a vocabulary are named with their length only. */
export function describeKeyValues(keyValues: KeyValues): Record<string, string> {
  // Without prototype: the keys come from the file.
  const metadata = Object.create(null) as Record<string, string>;
  for (const [key, value] of keyValues) metadata[key] = describe(value);
  return metadata;
}

function describe(value: HeaderValue): string {
  if (typeof value !== 'object') return shorten(String(value), MAX_TEXT, (text) => text);
  const { items, count, what } = value;
  if (items && count <= MAX_LISTED) return `[${items.join(', ')}]`;
  return `${count.toLocaleString('en-US')} ${what}`;
}

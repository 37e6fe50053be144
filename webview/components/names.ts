// Names come from files. They are only ever rendered as text; what would be invisible in text or
// would reorder its neighbours is spelled out, so that two names that differ look different.
// eslint-disable-next-line no-control-regex
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A tensor or layer name as people should see it. */
export function visibleName(name: string): string {
  if (name === '') return '(empty name)';
  return name.replace(
    INVISIBLE,
    (character) => `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
  );
}

/** Order in which "layers.2" comes before "layers.10". */
export const compareNames = new Intl.Collator('en', { numeric: true }).compare;

// Names come from files. They are only ever rendered as text; what would be invisible in text or
// would reorder its neighbours is spelled out, so that two names that differ look different.
const INVISIBLE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A tensor or layer name as people should see it. */
export function visibleName(name: string): string {
  if (name === '') return '(empty name)';
  return name.replace(
    INVISIBLE,
    (character) => `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
  );
}

/**
 * Names within a layer, without the ".weight" that nearly all end in where the rest is unique:
 * "q_proj" beside "k_proj", but "fc.weight" beside "fc.bias". In the order of `names`.
 */
export function shortNames(names: readonly string[]): string[] {
  const stemOf = (name: string): string => name.replace(/\.[^.]*$/, '');
  const uses = new Map<string, number>();
  for (const name of names) {
    for (const use of new Set([name, stemOf(name)])) uses.set(use, (uses.get(use) ?? 0) + 1);
  }
  return names.map((name) => {
    const stem = stemOf(name);
    return stem !== '' && name === `${stem}.weight` && uses.get(stem) === 1 ? stem : name;
  });
}

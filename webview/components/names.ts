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

/** A part that says nothing without what stands before it. */
const DEPENDENT_PART = /^(\d+|weight|bias)$/;

/** Most parts of a tail; a longer name, which only a hostile file has, stays whole. */
const MOST_PARTS = 8;

/**
 * The shortest end of each dotted name that no other name ends in: "q_proj" of "self_attn.q_proj",
 * but "attn.c_proj" beside "mlp.c_proj". In the order of `names`.
 */
export function shortestTails(names: readonly string[]): string[] {
  const tails = names.map(tailsOf);
  const uses = new Map<string, number>();
  for (const tail of tails.flat()) uses.set(tail, (uses.get(tail) ?? 0) + 1);
  return names.map((name, i) => tails[i].find((tail) => uses.get(tail) === 1) ?? name);
}

/** Ends of a name that can stand alone, shortest first. */
function tailsOf(name: string): string[] {
  const parts = name.split('.');
  const tails: string[] = [];
  let standsAlone = false;
  for (let count = 1; count <= Math.min(parts.length, MOST_PARTS); count++) {
    standsAlone ||= !DEPENDENT_PART.test(parts[parts.length - count]);
    if (standsAlone) tails.push(parts.slice(-count).join('.'));
  }
  return tails;
}

// Names come from files. They are only ever rendered as text; what would be invisible in text or
// would reorder its neighbours is spelled out, so that two names that differ look different.
const INVISIBLE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Characters that are shown of a name at either end, where it has more than both together. */
const SHOWN_END = 1000;

/** A tensor or layer name as people should see it. */
export function visibleName(name: string): string {
  if (name === '') return '(empty name)';
  const left = name.length - 2 * SHOWN_END;
  if (left <= 0) return spellOut(name);
  const [start, end] = [name.slice(0, SHOWN_END), name.slice(-SHOWN_END)];
  return `${spellOut(start)}⟨${left} more characters⟩${spellOut(end)}`;
}

function spellOut(name: string): string {
  return name.replace(INVISIBLE, codeOf);
}

/** What has been spelled out; there are no more than such characters. */
const codes = new Map<string, string>();

function codeOf(character: string): string {
  let code = codes.get(character);
  if (code === undefined) {
    code = `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`;
    codes.set(character, code);
  }
  return code;
}

/**
 * Names within a layer, without the ".weight" that nearly all end in where the rest is unique:
 * "q_proj" beside "k_proj", but "fc.weight" beside "fc.bias". In the order of `names`.
 */
export function shortNames(names: readonly string[]): string[] {
  const uses = new Map<string, number>();
  for (const name of names) {
    const stem = stemOf(name);
    uses.set(stem, (uses.get(stem) ?? 0) + 1);
    if (stem !== name) uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return names.map((name) => {
    const stem = stemOf(name);
    return stem !== '' && name === `${stem}.weight` && uses.get(stem) === 1 ? stem : name;
  });
}

/** A name without its last part. */
function stemOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? name : name.slice(0, dot);
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
  const tails: string[] = [];
  let standsAlone = false;
  for (let end = name.length, count = 0; end >= 0 && count < MOST_PARTS; count++) {
    const begin = end === 0 ? 0 : name.lastIndexOf('.', end - 1) + 1;
    standsAlone ||= !DEPENDENT_PART.test(name.slice(begin, end));
    if (standsAlone) tails.push(name.slice(begin));
    end = begin - 1;
  }
  return tails;
}

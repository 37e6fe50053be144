/** What one character may be: code points, in ranges. */
export interface CharacterSet {
  readonly ranges: readonly (readonly [first: number, last: number])[];
  /** True for all but these. */
  readonly negated?: boolean;
}

/** A part of a glob. */
export type GlobPart =
  | { readonly kind: 'one'; readonly set: CharacterSet }
  /** Any characters, or none. */
  | { readonly kind: 'many' }
  /** One of several, so many times. */
  | { readonly kind: 'choice'; readonly choices: readonly Glob[]; readonly times: Times }
  /** Whatever none of several would match. */
  | { readonly kind: 'except'; readonly choices: readonly Glob[] };

export type Glob = readonly GlobPart[];

/** "1": once, "?": at most once, "+": at least once, "*": any number of times. */
export type Times = '1' | '?' | '+' | '*';

const MAX_CODE_POINT = 0x10ffff;
const ANY_CHARACTER: CharacterSet = { ranges: [[0, MAX_CODE_POINT]] };

/** Longest list that a range such as `{0..31}` may stand for. */
const MAX_RANGE = 10_000;

/** The classes of POSIX that brackets may name, for ASCII. */
const CLASSES: Readonly<Record<string, CharacterSet['ranges']>> = {
  alpha: [range('A', 'Z'), range('a', 'z')],
  digit: [range('0', '9')],
  alnum: [range('0', '9'), range('A', 'Z'), range('a', 'z')],
  upper: [range('A', 'Z')],
  lower: [range('a', 'z')],
  space: [range('\t', '\r'), range(' ', ' ')],
  punct: [range('!', '/'), range(':', '@'), range('[', '`'), range('{', '~')],
  word: [range('0', '9'), range('A', 'Z'), range('_', '_'), range('a', 'z')],
  xdigit: [range('0', '9'), range('A', 'F'), range('a', 'f')],
};

function range(first: string, last: string): readonly [number, number] {
  return [first.codePointAt(0)!, last.codePointAt(0)!];
}

/**
 * Reads a glob as shells have them: `*`, `?`, `[abc]`, `[a-c]`, `[!abc]`, `{a,b}`, `{0..31}`, `(a|b)`,
 * `@(a|b)`, `?(a)`, `*(a)`, `+(a)`, `!(a)`, `\` before what is meant literally. A bracket without its
 * partner stands for itself.
 */
export function parseGlob(glob: string): Glob {
  return new GlobParser(glob).parse();
}

class GlobParser {
  private readonly characters: readonly string[];
  /** For each opening bracket its closing one. */
  private readonly closings: ReadonlyMap<number, number>;

  constructor(glob: string) {
    this.characters = Array.from(glob);
    this.closings = findClosings(this.characters);
  }

  parse(): Glob {
    return this.sequence(0, this.characters.length);
  }

  private sequence(begin: number, end: number): Glob {
    const parts: GlobPart[] = [];
    for (let at = begin; at < end;) {
      const [part, next] = this.part(at);
      parts.push(...part);
      at = next;
    }
    return parts;
  }

  /** The part that begins at a place, and where the next one does. */
  private part(at: number): [part: Glob, next: number] {
    const character = this.characters[at];
    const group = '?*+@!'.includes(character) && this.characters[at + 1] === '(' ? at + 1 : at;
    const closing = this.closings.get(group);
    if (this.characters[group] === '(' && closing !== undefined) {
      const choices = this.choices(group, closing, '|');
      const times = group === at || character === '@' ? '1' : (character as Times | '!');
      const part: GlobPart =
        times === '!' ? { kind: 'except', choices } : { kind: 'choice', choices, times };
      return [[part], closing + 1];
    }
    if (character === '{' && closing !== undefined) {
      const choices = this.braces(at, closing);
      if (choices) return [[{ kind: 'choice', choices, times: '1' }], closing + 1];
    }
    if (character === '[' && closing !== undefined) {
      return [[{ kind: 'one', set: this.set(at, closing) }], closing + 1];
    }
    if (character === '*') return [[{ kind: 'many' }], at + 1];
    if (character === '?') return [[{ kind: 'one', set: ANY_CHARACTER }], at + 1];
    const escaped = character === '\\' && at + 1 < this.characters.length;
    const literal = escaped ? this.characters[at + 1] : character;
    return [[one(literal)], at + (escaped ? 2 : 1)];
  }

  /** What stands between brackets, cut at separators that are in no bracket within. */
  private choices(opening: number, closing: number, separator: string): Glob[] {
    const choices: Glob[] = [];
    let begin = opening + 1;
    for (let at = begin; at < closing; at++) {
      if (this.characters[at] === '\\') at++;
      else if (this.closings.has(at)) at = this.closings.get(at)!;
      else if (this.characters[at] === separator) {
        choices.push(this.sequence(begin, at));
        begin = at + 1;
      }
    }
    choices.push(this.sequence(begin, closing));
    return choices;
  }

  /** `{a,b}` or `{0..31}`; undefined for braces that are neither and stand for themselves. */
  private braces(opening: number, closing: number): readonly Glob[] | undefined {
    const content = this.characters.slice(opening + 1, closing).join('');
    const numbers = /^(-?\d{1,9})\.\.(-?\d{1,9})$/.exec(content);
    if (numbers) {
      const [first, last] = [Number(numbers[1]), Number(numbers[2])];
      const count = Math.abs(last - first) + 1;
      if (count > MAX_RANGE) return undefined;
      const step = first <= last ? 1 : -1;
      return Array.from({ length: count }, (_, i) => Array.from(String(first + step * i), one));
    }
    const choices = this.choices(opening, closing, ',');
    return choices.length > 1 ? choices : undefined;
  }

  /** `[abc]`, `[a-c]`, `[!a]`, `[^a]`, `[[:digit:]]`. */
  private set(opening: number, closing: number): CharacterSet {
    const negated = '!^'.includes(this.characters[opening + 1]);
    const ranges: (readonly [number, number])[] = [];
    for (let at = opening + (negated ? 2 : 1); at < closing;) {
      const name = /^\[:([a-z]+):\]/.exec(this.characters.slice(at, at + 12).join(''));
      const known = name && CLASSES[name[1]];
      if (known) {
        ranges.push(...known);
        at += name[0].length;
        continue;
      }
      const first = this.characters[at] === '\\' ? ++at : at;
      at++;
      if (this.characters[at] === '-' && at + 1 < closing) {
        const last = this.characters[at + 1] === '\\' ? at + 2 : at + 1;
        ranges.push(range(this.characters[first], this.characters[last]));
        at = last + 1;
      } else {
        ranges.push(range(this.characters[first], this.characters[first]));
      }
    }
    return { ranges, negated };
  }
}

function one(character: string): GlobPart {
  return { kind: 'one', set: { ranges: [range(character, character)] } };
}

/** Pairs of brackets, those that stand for themselves left out. */
function findClosings(characters: readonly string[]): Map<number, number> {
  const closings = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at];
    if (character === '\\') at++;
    else if (character === '[') {
      const closing = findSetEnd(characters, at);
      if (closing !== undefined) {
        closings.set(at, closing);
        at = closing;
      }
    } else if (character === '{' || character === '(') open.push(at);
    else if (character === '}' || character === ')') {
      const partner = character === '}' ? '{' : '(';
      const place = open.findLastIndex((opening) => characters[opening] === partner);
      if (place >= 0) {
        closings.set(open[place], at);
        open.length = place;
      }
    }
  }
  return closings;
}

/** A closing bracket right after the opening one belongs to the set. */
function findSetEnd(characters: readonly string[], opening: number): number | undefined {
  let at = opening + 1;
  if ('!^'.includes(characters[at] ?? ' ')) at++;
  for (let first = true; at < characters.length; at++, first = false) {
    if (characters[at] === ']' && !first) return at;
    if (characters[at] === '\\') at++;
    else if (characters[at] === '[' && characters[at + 1] === ':') {
      const end = characters.indexOf(']', at + 2);
      if (characters[end - 1] === ':') at = end;
    }
  }
  return undefined;
}

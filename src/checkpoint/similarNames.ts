/** Longer numbers are names like any other. */
const MAX_DIGITS = 9;

/** Kinds of names that follow each other in turn: the gate, the up and the down of each expert, and their parts. */
const KINDS = 6;

const ZERO = 0x30;
const NINE = 0x39;

interface Kind<Value> {
  /** Up to the last number of a module, and what is behind it. */
  readonly head: string;
  readonly tail: string;
  readonly value: Value;
}

/**
 * What was found out of the last names that differ in nothing but the last number of a module ("experts.17."). Of a
 * million tensors nearly all have such a neighbour: comparing both ends takes a fraction of any expression.
 */
export class SimilarNames<Value> {
  readonly #kinds: Kind<Value>[] = [];
  #next = 0;

  /** What is remembered of a name that differs in that number alone. */
  find(name: string): Value | undefined {
    for (const { head, tail, value } of this.#kinds) {
      const digits = name.length - head.length - tail.length;
      if (digits < 1 || digits > MAX_DIGITS) continue;
      if (!name.endsWith(tail) || !name.startsWith(head)) continue;
      let at = head.length;
      while (at < head.length + digits && isDigit(name, at)) at++;
      if (at === head.length + digits) return value;
    }
    return undefined;
  }

  /** Remembers a name, where one of its modules has a number, in the place of the oldest one. */
  remember(name: string, value: Value): void {
    const number = findLastNumber(name);
    if (!number) return;
    const head = name.slice(0, number.start);
    this.#kinds[this.#next++ % KINDS] = { head, tail: name.slice(number.end), value };
  }
}

/** Where the last module of a name stands that is a number; undefined where none is, or only the first. */
export function findLastNumber(
  name: string,
): { readonly start: number; readonly end: number } | undefined {
  for (let end = name.length; ;) {
    const start = name.lastIndexOf('.', end - 1) + 1;
    if (start === 0) return undefined;
    let at = start;
    while (at < end && isDigit(name, at)) at++;
    if (at === end && end > start && end - start <= MAX_DIGITS) return { start, end };
    end = start - 1;
    if (end === 0) return undefined;
  }
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= ZERO && code <= NINE;
}

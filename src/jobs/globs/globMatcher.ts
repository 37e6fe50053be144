import { parseGlob, type CharacterSet, type Glob, type GlobPart } from './parseGlob.js';

/** Sets of places that are remembered; more come about only where a name is made for it. */
const MAX_REMEMBERED = 1000;

/** A place in a glob: what it takes to get further. */
interface Place {
  /** Places that are reached without a character. */
  readonly skips: () => readonly Place[];
  /** Places that are reached by a character of a class. */
  readonly steps: (characterClass: number) => readonly Place[];
}

/** All places that a name has reached so far. */
interface Reached {
  readonly places: ReadonlySet<Place>;
  readonly accepted: boolean;
  /** What a character of each class leads to, as far as it is known. */
  readonly next: (Reached | undefined)[];
}

/**
 * Compiles a glob (see {@link parseGlob}); a leading "!" turns it round.
 * @returns a matcher of whole names. Its time grows with a name's length alone: all ways to match are
 *   followed at once, none is tried again.
 */
export function compileGlob(glob: string): (name: string) => boolean {
  let begin = 0;
  while (glob[begin] === '!' && glob[begin + 1] !== '(') begin++;
  const negated = begin % 2 === 1;
  const parsed = parseGlob(glob.slice(begin));
  const alphabet = new Alphabet(parsed);
  const automaton = new Automaton([parsed], alphabet);
  return (name) => automaton.accepts(name) !== negated;
}

/** Characters that no set of a glob tells apart are one class. */
class Alphabet {
  /** First code points of the classes, ascending. */
  private readonly begins: readonly number[];

  constructor(glob: Glob) {
    const begins = new Set([0]);
    const visit = (part: GlobPart): void => {
      if (part.kind === 'one') {
        for (const [first, last] of part.set.ranges) begins.add(first).add(last + 1);
      } else if (part.kind !== 'many') part.choices.forEach((choice) => choice.forEach(visit));
    };
    glob.forEach(visit);
    this.begins = [...begins].sort((a, b) => a - b);
  }

  classOf(code: number): number {
    let [low, high] = [0, this.begins.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.begins[middle] <= code) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The classes of a set, as a test. */
  classesOf({ ranges, negated = false }: CharacterSet): (characterClass: number) => boolean {
    const inside = this.begins.map((code) =>
      ranges.some(([first, last]) => first <= code && code <= last),
    );
    return (characterClass) => inside[characterClass] !== negated;
  }
}

const NOWHERE: readonly Place[] = [];

/** Several globs, of which a name must match one, as a machine that reads each character once. */
class Automaton {
  private readonly end: Place = { skips: () => NOWHERE, steps: () => NOWHERE };
  private readonly begin: readonly Place[];
  /** Numbers of places, by which sets of them are told apart. */
  private readonly numbers = new Map<Place, number>();
  private readonly remembered = new Map<string, Reached>();

  constructor(
    globs: readonly Glob[],
    private readonly alphabet: Alphabet,
  ) {
    this.begin = globs.map((glob) => this.sequence(glob, this.end));
  }

  accepts(name: string): boolean {
    let reached = this.start();
    for (let at = 0; at < name.length; at++) {
      const code = name.codePointAt(at)!;
      if (code > 0xffff) at++;
      reached = this.step(reached, this.alphabet.classOf(code));
      if (reached.places.size === 0) return false;
    }
    return reached.accepted;
  }

  start(): Reached {
    return this.reach(this.begin);
  }

  step(from: Reached, characterClass: number): Reached {
    const known = from.next[characterClass];
    if (known) return known;
    const places: Place[] = [];
    for (const place of from.places) places.push(...place.steps(characterClass));
    return (from.next[characterClass] = this.reach(places));
  }

  /** Places with all that they lead to without a character. */
  private reach(begin: readonly Place[]): Reached {
    const places = new Set(begin);
    for (const place of places) for (const next of place.skips()) places.add(next);
    const key = Array.from(places, (place) => this.numberOf(place))
      .sort((a, b) => a - b)
      .join();
    const known = this.remembered.get(key);
    if (known) return known;
    if (this.remembered.size >= MAX_REMEMBERED) {
      // Those that are known lead to one another: all must go for any to be freed.
      for (const each of this.remembered.values()) each.next.length = 0;
      this.remembered.clear();
      this.numbers.clear();
      return this.reach(begin);
    }
    const reached = { places, accepted: places.has(this.end), next: [] };
    this.remembered.set(key, reached);
    return reached;
  }

  private numberOf(place: Place): number {
    let number = this.numbers.get(place);
    if (number === undefined) this.numbers.set(place, (number = this.numbers.size));
    return number;
  }

  /** The place from which a glob leads to another place. */
  private sequence(glob: Glob, next: Place): Place {
    return glob.reduceRight((after, part) => this.place(part, after), next);
  }

  private place(part: GlobPart, next: Place): Place {
    switch (part.kind) {
      case 'one': {
        const includes = this.alphabet.classesOf(part.set);
        const after = [next];
        return { skips: () => NOWHERE, steps: (each) => (includes(each) ? after : NOWHERE) };
      }
      case 'many': {
        const after = [next];
        const place: Place = { skips: () => after, steps: () => here };
        const here = [place];
        return place;
      }
      case 'choice':
        return this.choice(part, next);
      case 'except':
        return new Exception(new Automaton(part.choices, this.alphabet), next).begin;
    }
  }

  private choice({ choices, times }: GlobPart & { kind: 'choice' }, next: Place): Place {
    const repeated = times === '*' || times === '+';
    const optional = times === '*' || times === '?';
    let begins: readonly Place[] = NOWHERE;
    // After one choice another may follow, or what comes next.
    const after: Place = repeated ? { skips: () => [...begins, next], steps: () => NOWHERE } : next;
    begins = choices.map((choice) => this.sequence(choice, after));
    const skips = optional ? [...begins, next] : begins;
    return { skips: () => skips, steps: () => NOWHERE };
  }
}

/** `!(…)`: the machine of what is excepted runs along, and lets pass wherever it would refuse. */
class Exception {
  private readonly places = new WeakMap<Reached, Place>();

  constructor(
    private readonly excepted: Automaton,
    private readonly next: Place,
  ) {}

  get begin(): Place {
    return this.placeOf(this.excepted.start());
  }

  private placeOf(reached: Reached): Place {
    let place = this.places.get(reached);
    if (!place) {
      const skips = reached.accepted ? NOWHERE : [this.next];
      place = {
        skips: () => skips,
        steps: (each) => [this.placeOf(this.excepted.step(reached, each))],
      };
      this.places.set(reached, place);
    }
    return place;
  }
}

import { quoted, visible } from '../../storage/errors.js';

type Fields = Readonly<Record<string, unknown>>;

/** Numbers of elements, heads, layers and positions are below this: they are counted in 32 bits. */
const MAX_COUNT = 2 ** 31 - 1;

const POSITIVE = 'a positive number that single precision can hold';

/**
 * Fields of config.json. A number can be read only as what the model needs it to be, so that none
 * reaches a formula unchecked; errors name the file and the field.
 */
export class Configuration {
  readonly notes: string[] = [];

  constructor(
    private readonly fields: Fields,
    /** For messages. */
    private readonly file = 'config.json',
  ) {}

  /** @throws always, an error of one line */
  fail(message: string): never {
    throw new Error(`${visible(this.file)}: ${message}`);
  }

  has(key: string): boolean {
    return this.read(key) !== undefined;
  }

  /** A whole number from 1 to 2³¹ − 1; `fallback` where it is missing or null. */
  count(key: string, fallback?: number): number {
    return this.whole(key, 1, fallback);
  }

  /** A whole number from 0 to 2³¹ − 1. */
  countFromZero(key: string, fallback?: number): number {
    return this.whole(key, 0, fallback);
  }

  /** A whole number from 2: in a window of one token there is nothing to predict. */
  positions(key: string, fallback?: number): number {
    return this.whole(key, 2, fallback);
  }

  /** A number above 0 that is so in single precision, in which models are computed. */
  positive(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    return isPositive(value) ? value : this.refuse(key, value, POSITIVE);
  }

  /** A number from 0. */
  fromZero(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    return value === 0 || isPositive(value)
      ? value
      : this.refuse(key, value, 'a number from 0 that single precision can hold');
  }

  /** A share: above 0, at most 1. */
  share(key: string, fallback?: number): number {
    const value = this.positive(key, fallback);
    return value <= 1 ? value : this.refuse(key, value, 'a number above 0 and at most 1');
  }

  /** A list of so many numbers, each as {@link positive} would have it. */
  positives(key: string, length: number): number[] {
    const value = this.read(key);
    if (!Array.isArray(value)) return this.fail(`"${key}" is not a list of numbers`);
    this.checkLength(key, value, length);
    for (const [index, each] of value.entries()) {
      if (!isPositive(each)) this.refuse(`${key}[${index}]`, each, POSITIVE);
    }
    return value as number[];
  }

  /**
   * What may be switched off with null: `read` reads it where it has a value.
   * @returns undefined where it is null, or missing while there is no `fallback`
   */
  optional(key: string, read: 'count' | 'positive', fallback?: number): number | undefined {
    if (this.has(key)) return this[read](key);
    return this.fields[key] === null ? undefined : fallback;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.read(key) ?? fallback;
    if (typeof value !== 'boolean') return this.refuse(key, value, 'true or false');
    return value;
  }

  text(key: string, fallback?: string): string {
    const value = this.read(key) ?? fallback;
    if (value === undefined) return this.fail(`"${key}" is missing`);
    if (typeof value !== 'string') return this.refuse(key, value, 'a text');
    return value;
  }

  /**
   * What a text of the file means.
   * @param kind what such texts name, for messages
   * @param meanings by the texts that are understood
   */
  oneOf<Meaning>(
    key: string,
    kind: string,
    meanings: ReadonlyMap<string, Meaning>,
    fallback: string,
  ): Meaning {
    return this.meaningOf(this.text(key, fallback), kind, meanings);
  }

  /** What each text of a list of this length means; undefined where it is missing or null. */
  listOf<Meaning>(
    key: string,
    kind: string,
    meanings: ReadonlyMap<string, Meaning>,
    length: number,
  ): readonly Meaning[] | undefined {
    const value = this.read(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
      return this.fail(`"${key}" is not a list of texts`);
    }
    this.checkLength(key, value, length);
    return value.map((each) => this.meaningOf(each, kind, meanings));
  }

  /** The first so many of a list of 0 and 1 (or true and false); undefined where it is missing or null. */
  flags(key: string, length: number): boolean[] | undefined {
    const value = this.read(key);
    if (value === undefined) return undefined;
    const all: readonly unknown[] = [0, 1, true, false];
    if (!Array.isArray(value) || !value.every((each) => all.includes(each))) {
      return this.fail(`"${key}" is not a list of 0 and 1`);
    }
    if (value.length < length) this.checkLength(key, value, length);
    return value.slice(0, length).map((each) => each === 1 || each === true);
  }

  /** A list of whole numbers from 0 to 2³¹ − 1; empty where it is missing or null. */
  countsFromZero(key: string): readonly number[] {
    const value = this.read(key) ?? [];
    if (!Array.isArray(value)) return this.fail(`"${key}" is not a list of numbers`);
    for (const [index, each] of value.entries()) {
      if (!isWhole(each, 0)) this.refuse(`${key}[${index}]`, each, wholeNumberFrom(0));
    }
    return value as number[];
  }

  /** An object within, or undefined where it is missing or null. */
  section(key: string): Configuration | undefined {
    const value = this.read(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) {
      return this.refuse(key, value, 'an object');
    }
    return new Configuration(value as Fields, `${this.file}: "${key}"`);
  }

  isEmpty(): boolean {
    return Object.keys(this.fields).length === 0;
  }

  /** Equal text for equal contents. */
  toJSON(): Fields {
    return this.fields;
  }

  /** A field's value; undefined where it is missing or null. */
  private read(key: string): NonNullable<unknown> | undefined {
    return this.fields[key] ?? undefined;
  }

  private number(key: string, fallback: number | undefined): number {
    const value = this.read(key) ?? fallback;
    if (value === undefined) return this.fail(`"${key}" is missing`);
    if (typeof value !== 'number') return this.refuse(key, value, 'a number');
    return value;
  }

  private whole(key: string, least: number, fallback: number | undefined): number {
    const value = this.number(key, fallback);
    return isWhole(value, least) ? value : this.refuse(key, value, wholeNumberFrom(least));
  }

  private checkLength(key: string, list: readonly unknown[], length: number): void {
    if (list.length === length) return;
    const entries = list.length === 1 ? '1 entry' : `${list.length} entries`;
    this.fail(`"${key}" has ${entries}, not ${length}`);
  }

  private meaningOf<Meaning>(
    text: string,
    kind: string,
    meanings: ReadonlyMap<string, Meaning>,
  ): Meaning {
    const meaning = meanings.get(text);
    if (meaning !== undefined) return meaning;
    const known = [...meanings.keys()].join(', ');
    return this.fail(`${kind} ${quoted(text)} is not supported; there are ${known}`);
  }

  private refuse(key: string, value: unknown, rule: string): never {
    return this.fail(`"${key}" is not ${rule}: it is ${describeValue(value)}`);
  }
}

function isWhole(value: unknown, least: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= MAX_COUNT;
}

function wholeNumberFrom(least: number): string {
  return `a whole number from ${least} to ${MAX_COUNT}`;
}

function isPositive(value: unknown): value is number {
  if (typeof value !== 'number') return false;
  const single = Math.fround(value);
  return single > 0 && Number.isFinite(single);
}

/** A value of the file in a few words, however large or deep it is. */
function describeValue(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) {
    return String(value);
  }
  return Array.isArray(value) ? 'a list' : 'an object';
}

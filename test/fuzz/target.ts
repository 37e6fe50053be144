import type { Input } from './input.js';
import type { Random } from './random.js';

/** A reader under test: what it is given, and what it promises of it. */
export interface FuzzTarget {
  readonly name: string;
  /**
   * Inputs to begin with.
   * @param root the repository's top folder
   */
  seeds(root: string): readonly Input[] | Promise<readonly Input[]>;
  /**
   * An input that is a little unlike `input`.
   * @param pool inputs whose parts may be taken over
   */
  mutate(input: Input, random: Random, pool: readonly Input[]): Input;
  /**
   * Gives the reader an input. Throws where it breaks a promise, whatever it throws.
   * @returns whether the reader took the input
   */
  check(input: Input): boolean | Promise<boolean>;
  /** Milliseconds that no input may take; default {@link SLOW_MILLISECONDS}. */
  readonly slowMilliseconds?: number;
}

/** Inputs are small: whatever takes longer than this does not take time in proportion to its size. */
export const SLOW_MILLISECONDS = 5000;

/** A promise of a reader that an input broke. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
}

/** Fails unless the condition holds. */
export function promise(condition: boolean, what: string): asserts condition {
  if (!condition) throw new BrokenPromise(what);
}

const LONGEST_MESSAGE = 4000;

/**
 * Fails unless a text from a reader is one line that a person can read.
 * @param longest characters
 */
export function promiseOneLine(text: string, longest = LONGEST_MESSAGE): void {
  promise(text.trim() !== '', 'the message is empty');
  promise(text.length <= longest, `the message has ${text.length} characters`);
  // eslint-disable-next-line no-control-regex
  const strange = /[\u0000-\u001f\u007f\u2028\u2029]/.exec(text);
  promise(strange === null, `the message has a character ${strange?.[0].charCodeAt(0)}: ${text}`);
}

type ErrorClass = abstract new (...args: never[]) => Error;

/**
 * What a reader threw is a proper refusal: an error of its own, in one line. Anything else is thrown on.
 * @returns false, the verdict on an input that was refused
 */
export function refusal(error: unknown, ...classes: readonly ErrorClass[]): false {
  if (!classes.some((each) => error instanceof each)) throw error;
  promiseOneLine((error as Error).message);
  return false;
}

/** As {@link refusal}, for readers that throw plain errors: an accident of the program is none. */
export function plainRefusal(error: unknown): false {
  const accidents = [TypeError, RangeError, SyntaxError, ReferenceError, EvalError, BrokenPromise];
  if (!(error instanceof Error) || accidents.some((each) => error instanceof each)) throw error;
  promiseOneLine(error.message);
  return false;
}

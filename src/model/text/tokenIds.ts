import { quoted } from '../../storage/errors.js';

/** Ids are held in 32 bits; what does not fit would be folded into another token's. */
const MAX_ID = 2 ** 31 - 1;

function isTokenId(id: unknown): id is number {
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= MAX_ID;
}

/** A value that is no token id, in a few words. */
export function describeId(id: unknown): string {
  if (typeof id === 'string') return quoted(id);
  if (Array.isArray(id)) return 'an array';
  return typeof id === 'object' && id !== null ? 'an object' : String(id);
}

/** @throws where a tokenizer gives a token no whole number from 0 for its id */
export function checkTokenId(id: unknown, token: string): number {
  if (isTokenId(id)) return id;
  if (id === undefined) throw new Error(`it has no id for ${quoted(token)}`);
  throw new Error(
    `the id of ${quoted(token)} is ${describeId(id)}, not a whole number from 0 to ${MAX_ID}`,
  );
}

const NOT_DIGITS = /[-+.eE]/;
const NUMBER_OR_PLACE = /[-\d][-+.\deE]*|[[,]/g;

/**
 * The first number of a JSON text of arrays of numbers that is not written as digits alone, which its value no
 * longer tells: 0.99999999999999999 is 1 once it is read.
 * @returns its place, counted from 1, without a window in a single array; undefined where there is none
 */
export function findUnusualNumber(
  json: string,
): { readonly window?: number; readonly id: number; readonly written: string } | undefined {
  if (!NOT_DIGITS.test(json)) return undefined;
  let arrays = 0;
  let id = 1;
  for (const [token] of json.matchAll(NUMBER_OR_PLACE)) {
    if (token === '[') {
      arrays++;
      id = 1;
    } else if (token === ',') {
      id++;
    } else if (NOT_DIGITS.test(token)) {
      return { window: arrays > 1 ? arrays - 1 : undefined, id, written: token };
    }
  }
  return undefined;
}

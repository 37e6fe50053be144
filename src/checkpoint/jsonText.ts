import { StrictJsonError, StrictJsonReader } from '../safetensors/strictJson.js';
import { runAtOnce } from '../storage/slices.js';

/** Open arrays and objects at once, the outermost included, that a text may have. */
const MAX_DEPTH = 127;

const QUOTE = 0x22;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;

/** Words that stand outside strings, and what is put in their place. */
type Words = readonly (readonly [word: string, replacement: string])[];

/**
 * Words that Python writes for numbers that JSON lacks. NaN becomes a text, which is no number to any reader:
 * null would pass for a field that is left out. Spaces keep them from becoming part of a number
 * beside them, which would make good JSON of bad.
 */
const PYTHON_NUMBERS: Words = [
  ['NaN', ' "NaN" '],
  ['Infinity', ' 1e999 '],
  ['-Infinity', ' -1e999 '],
];

/** The same words as values of JSON, each as long as the word: places in the text stay what they are. */
const IN_PLACE: Words = PYTHON_NUMBERS.map(([word]) => [word, '""'.padEnd(word.length)]);

export interface JsonOptions {
  /** Reads NaN (as the text "NaN"), Infinity and -Infinity, too. */
  readonly pythonNumbers?: boolean;
}

/**
 * Parses JSON from a file in time that grows with its length alone, whatever it holds. Nesting is
 * bounded, so that whoever walks the value may do so by recursion.
 * @throws an Error of one line that says at which byte what is wrong
 */
export function parseJson(text: string, { pythonNumbers = false }: JsonOptions = {}): unknown {
  const { json, depth } = scan(text, pythonNumbers ? PYTHON_NUMBERS : []);
  if (depth > MAX_DEPTH) throw faultOf(text, pythonNumbers);
  try {
    return JSON.parse(json);
  } catch (error) {
    throw faultOf(text, pythonNumbers, error);
  }
}

/** One pass over a text: how deep it nests, and itself with words replaced. */
function scan(text: string, words: Words): { readonly json: string; readonly depth: number } {
  const pieces: string[] = [];
  let copied = 0;
  let open = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case 0x5b:
      case 0x7b:
        depth = Math.max(depth, ++open);
        break;
      case 0x5d:
      case 0x7d:
        open--;
        break;
      case 0x49:
      case 0x4e:
      case MINUS: {
        const found = words.find(([word]) => text.startsWith(word, at));
        if (!found) break;
        pieces.push(text.slice(copied, at), found[1]);
        copied = at + found[0].length;
        at = copied - 1;
      }
    }
  }
  return { json: copied === 0 ? text : pieces.join('') + text.slice(copied), depth };
}

/** Where the string ends that begins at `opening`: at its closing mark, or with the text. */
function endOfString(text: string, opening: number): number {
  let at = opening + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) break;
    at += code === BACKSLASH ? 2 : 1;
  }
  return at;
}

/** What is wrong with a text: the engine's own message names no place, and quotes the text. */
function faultOf(text: string, pythonNumbers: boolean, cause?: unknown): Error {
  const { json } = scan(text, pythonNumbers ? IN_PLACE : []);
  const reader = new StrictJsonReader(new TextEncoder().encode(json));
  try {
    runAtOnce(reader.skipValue());
    reader.end();
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    return new Error(`the JSON cannot be read: ${error.message}`, { cause });
  }
  return new Error('the JSON cannot be read', { cause });
}

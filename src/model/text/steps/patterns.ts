import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { quoted } from '../../../storage/errors.js';
import type { TokenizerDocument } from '../tokenizerDocument.js';

/** Possessive quantifiers of published tokenizers: what follows them never begins with what they repeat. */
const HARMLESS_POSSESSIVES = [
  '[^\\r\\n\\p{L}\\p{N}]?+\\p{L}',
  '[^\\r\\n\\p{L}\\p{N}]?+[\\p{L}',
  '[^\\s\\p{L}\\p{N}]++[\\r\\n]*',
  '\\p{L}++|',
  '\\p{N}++|',
  '\\s++$|',
];

/** True where something in an expression forbids to go back: the library would allow it. */
function isPossessive(expression: string): boolean {
  let rest = expression;
  for (const harmless of HARMLESS_POSSESSIVES) rest = rest.split(harmless).join('');
  let quantified = false;
  let inClass = false;
  for (let at = 0; at < rest.length; at++) {
    const character = rest[at];
    if (character === '\\') {
      at++;
      quantified = false;
    } else if (inClass) {
      inClass = character !== ']';
    } else if (character === '[') {
      inClass = true;
      quantified = false;
    } else {
      if (character === '+' && quantified) return true;
      if (rest.startsWith('(?>', at)) return true;
      const opensGroup = character === '?' && rest[at - 1] === '(' && rest[at - 2] !== '\\';
      quantified = !opensGroup && '+*?'.includes(character);
    }
  }
  return false;
}

/**
 * A pattern of `tokenizer.json` as an expression that finds all its matches.
 * @returns undefined for the empty text, which is found nowhere
 * @throws an Error where the expression means something else in JavaScript
 */
export function makePattern(pattern: unknown): RegExp | undefined {
  const { Regex, String: text } = (
    typeof pattern === 'string' ? { String: pattern } : (pattern ?? {})
  ) as TokenizerDocument;
  if (typeof Regex !== 'string') {
    if (typeof text !== 'string' || text === '') return undefined;
    return new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gu');
  }
  if (isPossessive(Regex)) {
    const shown = quoted(Regex.slice(0, 60));
    throw new Error(
      `its expression ${shown} has a possessive quantifier or an atomic group, which gives other ids here`,
    );
  }
  // The library knows how Oniguruma's syntax is written in JavaScript.
  const { pattern: made } = new SplitPreTokenizer({
    type: 'Split',
    pattern: { Regex },
    invert: false,
  } as never) as unknown as { pattern: RegExp | null };
  return made ?? undefined;
}

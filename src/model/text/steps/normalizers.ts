import { quoted } from '../../../storage/errors.js';
import { bytesAsCharacters } from './byteLevel.js';
import { makePattern } from './patterns.js';
import { makeCharacterMap } from './precompiled.js';
import type { TokenizerDocument } from '../tokenizerDocument.js';

/** What is done with a text before it is cut. */
export type Normalize = (text: string) => string;

const CONTROL = /^[\p{Cc}\p{Cf}\p{Co}\p{Cs}]$/u;
const WHITE_SPACE = /^\p{White_Space}$/u;

/** Cased one by one, as the reference does: a final sigma is a sigma. */
function lowercase(text: string): string {
  let result = '';
  for (const character of text) result += character.toLowerCase();
  return result;
}

function strip(text: string, left: boolean, right: boolean): string {
  let begin = 0;
  let end = text.length;
  // White space lies in the basic plane, so code units will do.
  while (left && begin < end && WHITE_SPACE.test(text[begin])) begin++;
  while (right && end > begin && WHITE_SPACE.test(text[end - 1])) end--;
  return text.slice(begin, end);
}

const CHINESE: readonly (readonly [number, number])[] = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f],
];

function bertNormalizer(step: TokenizerDocument): Normalize {
  const { clean_text = true, handle_chinese_chars = true, lowercase: lower = true } = step;
  const stripAccents = step.strip_accents ?? lower;
  return (text) => {
    let result = '';
    for (const character of text) {
      const code = character.codePointAt(0)!;
      const kept = '\t\n\r'.includes(character);
      if (clean_text && (code === 0 || code === 0xfffd || (!kept && CONTROL.test(character)))) {
        continue;
      }
      if (handle_chinese_chars && CHINESE.some(([from, to]) => code >= from && code <= to)) {
        result += ` ${character} `;
      } else {
        result += clean_text && WHITE_SPACE.test(character) ? ' ' : character;
      }
    }
    if (stripAccents) result = result.normalize('NFD').replaceAll(/\p{Mn}/gu, '');
    return lower ? lowercase(result) : result;
  };
}

/** True where a normalizer leaves out the white space that a text begins with: what follows is no longer its beginning. */
export function stripsBeginning(step: unknown): boolean {
  const { type, strip_left = true, normalizers } = (step ?? {}) as TokenizerDocument;
  if (type === 'Sequence') return ((normalizers ?? []) as unknown[]).some(stripsBeginning);
  return type === 'Strip' && strip_left === true;
}

/**
 * A normalizer as the reference (Rust's `tokenizers`) has it.
 * @throws an Error that names the kind that is not known
 */
export function makeNormalizer(step: TokenizerDocument): Normalize {
  switch (step.type) {
    case 'Sequence': {
      const steps = ((step.normalizers ?? []) as TokenizerDocument[]).map(makeNormalizer);
      return (text) => steps.reduce((current, normalize) => normalize(current), text);
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = step.type;
      return (text) => text.normalize(form);
    }
    case 'Lowercase':
      return lowercase;
    case 'Strip': {
      const { strip_left: left = true, strip_right: right = true } = step;
      return (text) => strip(text, left === true, right === true);
    }
    case 'StripAccents':
      return (text) => text.replaceAll(/\p{M}/gu, '');
    case 'Replace': {
      const pattern = makePattern(step.pattern);
      const content = typeof step.content === 'string' ? step.content : '';
      // As a function: "$&" in a file's text is that text.
      return pattern ? (text) => text.replaceAll(pattern, () => content) : (text) => text;
    }
    case 'Prepend': {
      const prepended = typeof step.prepend === 'string' ? step.prepend : '';
      return (text) => (text === '' ? text : prepended + text);
    }
    case 'ByteLevel':
      return bytesAsCharacters;
    case 'Precompiled':
      return makeCharacterMap(step.precompiled_charsmap);
    case 'BertNormalizer':
      return bertNormalizer(step);
    default:
      throw new Error(`"normalizer": its type ${quoted(String(step.type))} is not known`);
  }
}

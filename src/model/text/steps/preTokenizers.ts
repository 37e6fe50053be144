import { quoted } from '../../../storage/errors.js';
import { bytesAsCharacters } from './byteLevel.js';
import { makePattern } from './patterns.js';
import type { TokenizerDocument } from '../tokenizerDocument.js';

/**
 * Cuts a piece of text into words.
 * @param atStart true for the piece that begins the text
 */
export type PreTokenize = (piece: string, atStart: boolean) => string[];

type Behaviour = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';
const BEHAVIOURS: ReadonlySet<unknown> = new Set<Behaviour>([
  'Removed',
  'Isolated',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
]);

/** Rust's `\w` and `\s`, which JavaScript knows for ASCII alone, or otherwise. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const SPACE = '\\p{White_Space}';
const WHITESPACE_WORDS = new RegExp(`[${WORD}]+|[^${WORD}${SPACE}]+`, 'gu');
const WHITE_SPACE = /\p{White_Space}/gu;
const NUMERIC = /\p{N}/gu;
const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/gu;
const GPT2_WORDS = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|${SPACE}+(?![^${SPACE}])|${SPACE}+`,
  'gu',
);

/** A stretch of a text, and whether it is a delimiter. */
interface Stretch {
  begin: number;
  end: number;
  readonly matched: boolean;
}

/** The text between and in the matches, treated as the reference treats delimiters. */
function split(text: string, pattern: RegExp, invert: boolean, behaviour: Behaviour): string[] {
  const stretches: Stretch[] = [];
  let before = 0;
  for (const match of text.matchAll(pattern)) {
    const begin = match.index;
    const end = begin + match[0].length;
    if (before < begin) stretches.push({ begin: before, end: begin, matched: invert });
    if (begin < end) stretches.push({ begin, end, matched: !invert });
    before = end;
  }
  if (before < text.length) stretches.push({ begin: before, end: text.length, matched: invert });
  return arrange(stretches, behaviour).map(({ begin, end }) => text.slice(begin, end));
}

function arrange(stretches: Stretch[], behaviour: Behaviour): Stretch[] {
  if (behaviour === 'Isolated') return stretches;
  if (behaviour === 'Removed') return stretches.filter(({ matched }) => !matched);
  const backwards = behaviour === 'MergedWithNext';
  if (backwards) stretches.reverse();
  const arranged: Stretch[] = [];
  let previous: boolean | undefined = behaviour === 'Contiguous' ? undefined : false;
  for (const stretch of stretches) {
    const { matched } = stretch;
    const last = arranged.at(-1);
    const joins = behaviour === 'Contiguous' ? matched === previous : matched && !previous;
    if (joins && last) {
      last.begin = Math.min(last.begin, stretch.begin);
      last.end = Math.max(last.end, stretch.end);
    } else {
      arranged.push(stretch);
    }
    previous = matched;
  }
  return backwards ? arranged.reverse() : arranged;
}

function behaviourOf({ behavior }: TokenizerDocument, byDefault?: Behaviour): Behaviour {
  const behaviour = behavior ?? byDefault;
  if (BEHAVIOURS.has(behaviour)) return behaviour as Behaviour;
  throw new Error(
    `"pre_tokenizer": its behavior ${JSON.stringify(behaviour)?.slice(0, 60)} is not known`,
  );
}

function byteLevel({ add_prefix_space = true, use_regex = true }: TokenizerDocument): PreTokenize {
  return (piece) => {
    const text = add_prefix_space && !piece.startsWith(' ') ? ` ${piece}` : piece;
    const words = use_regex ? split(text, GPT2_WORDS, false, 'Isolated') : [text];
    return words.map(bytesAsCharacters);
  };
}

function metaspace(step: TokenizerDocument): PreTokenize {
  const { replacement = '▁', add_prefix_space, split: cuts = true } = step;
  const scheme = step.prepend_scheme ?? (add_prefix_space === false ? 'never' : 'always');
  if (!['always', 'first', 'never'].includes(scheme as string)) {
    throw new Error(
      `"pre_tokenizer": its prepend_scheme ${JSON.stringify(scheme)?.slice(0, 60)} is not known`,
    );
  }
  if (add_prefix_space === false && scheme !== 'never') {
    throw new Error(
      '"pre_tokenizer": its add_prefix_space and prepend_scheme contradict each other',
    );
  }
  if (typeof replacement !== 'string')
    throw new Error('"pre_tokenizer": no replacement for spaces');
  return (piece, atStart) => {
    const marked = piece.replaceAll(' ', () => replacement);
    const prepends = scheme === 'always' || (scheme === 'first' && atStart);
    const text = prepends && !marked.startsWith(replacement) ? replacement + marked : marked;
    if (cuts === false || replacement === '') return [text];
    const pieces: string[] = [];
    let begin = 0;
    for (let at; (at = text.indexOf(replacement, begin + 1)) > 0; begin = at) {
      pieces.push(text.slice(begin, at));
    }
    pieces.push(text.slice(begin));
    return pieces;
  };
}

function sequence(steps: readonly TokenizerDocument[]): PreTokenize {
  const made = steps.map((step) => ({
    cut: makePreTokenizer(step),
    // These write a text otherwise and leave nothing out.
    keepsBeginning: ['Metaspace', 'ByteLevel'].includes(step.type as string),
  }));
  return (piece, atStart) => {
    let pieces = [piece];
    let first = atStart;
    for (const { cut, keepsBeginning } of made) {
      const begin = pieces[0];
      pieces = pieces.flatMap((each, index) => cut(each, first && index === 0));
      // Where the beginning was left out, no piece begins the text.
      first &&= pieces.length > 0 && (keepsBeginning || begin.startsWith(pieces[0]));
    }
    return pieces;
  };
}

function fixedLength({ length = 5 }: TokenizerDocument): PreTokenize {
  if (!Number.isInteger(length) || (length as number) < 1) {
    throw new Error('"pre_tokenizer": its length is not a count');
  }
  return (piece) => {
    const characters = Array.from(piece);
    const pieces: string[] = [];
    for (let at = 0; at < characters.length; at += length as number) {
      pieces.push(characters.slice(at, at + (length as number)).join(''));
    }
    return pieces;
  };
}

/**
 * A pre-tokenizer as the reference (Rust's `tokenizers`) has it.
 * @throws an Error that names the kind or behaviour that is not known
 */
export function makePreTokenizer(step: TokenizerDocument): PreTokenize {
  switch (step.type) {
    case 'Sequence':
      return sequence((step.pretokenizers ?? []) as TokenizerDocument[]);
    case 'ByteLevel':
      return byteLevel(step);
    case 'Metaspace':
      return metaspace(step);
    case 'Split': {
      const pattern = makePattern(step.pattern);
      const behaviour = behaviourOf(step);
      const invert = step.invert === true;
      return (piece) => (pattern ? split(piece, pattern, invert, behaviour) : [piece]);
    }
    case 'Whitespace':
      return (piece) => split(piece, WHITESPACE_WORDS, true, 'Removed');
    case 'WhitespaceSplit':
      return (piece) => split(piece, WHITE_SPACE, false, 'Removed');
    case 'CharDelimiterSplit': {
      const pattern = makePattern(step.delimiter);
      return (piece) => (pattern ? split(piece, pattern, false, 'Removed') : [piece]);
    }
    case 'Digits': {
      const behaviour = step.individual_digits === true ? 'Isolated' : 'Contiguous';
      return (piece) => split(piece, NUMERIC, false, behaviour);
    }
    case 'Punctuation': {
      const behaviour = behaviourOf(step, 'Isolated');
      return (piece) => split(piece, PUNCTUATION, false, behaviour);
    }
    case 'BertPreTokenizer':
      return (piece) =>
        split(piece, WHITE_SPACE, false, 'Removed').flatMap((word) =>
          split(word, PUNCTUATION, false, 'Isolated'),
        );
    case 'FixedLength':
      return fixedLength(step);
    default:
      throw new Error(`"pre_tokenizer": its type ${quoted(String(step.type))} is not known`);
  }
}

import { Tokenizer } from '@huggingface/tokenizers';
import { checkTokenId } from './tokenIds.js';
import { checkTokenizerDocument, type TokenizerDocument } from './tokenizerDocument.js';

/** Longer words are cut where no merge can join them; most tokenizers never make such words. */
const LONG_WORD = 256;

/**
 * A text's token ids, the tokenizer's own special tokens included.
 * @throws where a document is not a tokenizer, or a piece of the text has no id
 */
export function makeTextEncoder(
  tokenizerDocument: TokenizerDocument,
  configuration: TokenizerDocument,
): (text: string) => Int32Array {
  checkTokenizerDocument(tokenizerDocument);
  const document: TokenizerDocument = { ...ABSENT_PARTS, ...tokenizerDocument };
  checkMerges(document.model);
  const tokenizer = new Tokenizer(document, configuration);
  const { model } = tokenizer;
  if (!model) throw new Error('it has no model');
  const encodeWords = model.encode.bind(model);
  const splitters = [metaspaceSplitter(document.pre_tokenizer), mergeSplitter(document.model)];
  // Word by word: the library would pass all tokens of a long text as arguments of one call.
  model.encode = (words: string[]) => {
    const tokens: string[] = [];
    for (const word of words) {
      let pieces = [word];
      for (const split of splitters) if (split) pieces = pieces.flatMap(split);
      for (const piece of pieces) for (const token of encodeWords([piece])) tokens.push(token);
    }
    return tokens;
  };
  return (text) => {
    const { ids, tokens } = tokenizer.encode(text);
    return Int32Array.from(ids as unknown[], (id, index) => checkTokenId(id, tokens[index]));
  };
}

/** Parts that a `tokenizer.json` may leave out. */
const ABSENT_PARTS = {
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  added_tokens: [],
};

function isObject(value: unknown): value is TokenizerDocument {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws where a merge is no pair of texts, in the one way or the other in which files write it */
function checkMerges(model: unknown): void {
  if (!isObject(model) || !Array.isArray(model.merges)) return;
  const merges = model.merges as unknown[];
  const isText = (each: unknown): each is string => typeof each === 'string';
  const isPair = (each: unknown) => Array.isArray(each) && each.length === 2 && each.every(isText);
  const isMerge = isText(merges[0]) ? isText : isPair;
  const wrong = merges.findIndex((merge) => !isMerge(merge));
  if (wrong >= 0) throw new Error(`merge ${wrong + 1} is not a pair of texts like the others`);
}

/**
 * Metaspace cuts in front of every replacement character unless told not to; the library marks
 * the spaces but leaves the text in one piece.
 */
function metaspaceSplitter(preTokenizer: unknown): ((word: string) => string[]) | undefined {
  if (!isObject(preTokenizer)) return undefined;
  const { type, split, replacement = '▁', pretokenizers } = preTokenizer;
  if (type === 'Sequence' && Array.isArray(pretokenizers)) {
    return pretokenizers.map(metaspaceSplitter).find((splitter) => splitter !== undefined);
  }
  if (type !== 'Metaspace' || split === false) return undefined;
  if (typeof replacement !== 'string' || replacement === '') return undefined;
  return (word) => {
    const pieces: string[] = [];
    let begin = 0;
    for (let at; (at = word.indexOf(replacement, begin + 1)) > 0; begin = at) {
      pieces.push(word.slice(begin, at));
    }
    pieces.push(word.slice(begin));
    return pieces;
  };
}

/**
 * Cuts long words between characters that stand side by side in the result of no merge. Byte-pair
 * encoding never joins anything across such a place, so the tokens stay exactly those of the whole
 * word; a tokenizer that takes a text for one word is spared a queue over all of it.
 */
function mergeSplitter(model: unknown): ((word: string) => string[]) | undefined {
  if (!isObject(model) || !Array.isArray(model.merges)) return undefined;
  // Both mark the end of a word, which pieces do not have.
  if (model.end_of_word_suffix || model.continuing_subword_prefix) return undefined;
  const merges = model.merges as (string | string[])[];
  let neighbours: Set<number> | undefined;
  return (word) => {
    if (word.length <= LONG_WORD) return [word];
    neighbours ??= neighboursIn(merges);
    const pieces: string[] = [];
    let begin = 0;
    let at = 0;
    let previous = -1;
    for (const character of word) {
      const code = character.codePointAt(0)!;
      if (at > 0 && !neighbours.has(pairKey(previous, code))) {
        pieces.push(word.slice(begin, at));
        begin = at;
      }
      previous = code;
      at += character.length;
    }
    pieces.push(word.slice(begin));
    return pieces;
  };
}

function pairKey(first: number, second: number): number {
  return first * 0x110000 + second;
}

function neighboursIn(merges: readonly (string | string[])[]): Set<number> {
  const pairs = new Set<number>();
  for (const merge of merges) {
    const token = typeof merge === 'string' ? merge.split(' ', 2).join('') : merge.join('');
    let previous = -1;
    for (const character of token) {
      const code = character.codePointAt(0)!;
      if (previous >= 0) pairs.add(pairKey(previous, code));
      previous = code;
    }
  }
  return pairs;
}

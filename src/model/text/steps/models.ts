import { BPE, Unigram, WordPiece } from '@huggingface/tokenizers';
import { quoted } from '../../../storage/errors.js';
import type { TokenizerDocument } from '../tokenizerDocument.js';
import { mergeSplitter, readMerges } from './merges.js';

/** What makes ids of words. */
export interface WordModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Adds the ids of a word to a list. */
  encode(word: string, ids: number[]): void;
}

const encoder = new TextEncoder();

/** Ids of a text's bytes ("<0x0A>"), where the vocabulary has all of them. */
export function byteIds(
  text: string,
  vocabulary: ReadonlyMap<string, number>,
): number[] | undefined {
  const ids: number[] = [];
  for (const byte of encoder.encode(text)) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

/** The error of a text that no token stands for. */
export function noId(text: string): Error {
  return new Error(`it has no id for ${quoted(text)}`);
}

function bytePairs(model: TokenizerDocument, vocabulary: Map<string, number>): WordModel {
  const { unk_token, fuse_unk, byte_fallback, ignore_merges, dropout } = model;
  if (model.continuing_subword_prefix) {
    throw new Error(
      '"model": BPE with a continuing_subword_prefix is not supported, it would give other ids here',
    );
  }
  if (dropout) throw new Error('"model": BPE with dropout gives other ids each time');
  const merges = readMerges(model.merges, vocabulary);
  const library = new BPE({ ...model, merges } as never) as unknown as {
    bpe(word: string): string[];
  };
  const cut = mergeSplitter(merges, Boolean(model.end_of_word_suffix));
  const unknown = typeof unk_token === 'string' ? vocabulary.get(unk_token) : undefined;
  const known = (character: string) =>
    vocabulary.has(character) ||
    (byte_fallback === true && byteIds(character, vocabulary) !== undefined);
  // Without a token for it, what is unknown is left out first: its neighbours may be merged.
  const leaveOut = (word: string) => {
    const characters = Array.from(word);
    return characters.every(known) ? word : characters.filter(known).join('');
  };
  const leavesOut = typeof unk_token !== 'string' && !model.end_of_word_suffix;
  return {
    vocabulary,
    encode(word, ids) {
      const whole = ignore_merges ? vocabulary.get(word) : undefined;
      if (whole !== undefined) {
        ids.push(whole);
        return;
      }
      let afterUnknown = false;
      for (const piece of cut(leavesOut ? leaveOut(word) : word)) {
        for (const token of library.bpe(piece)) {
          const id = vocabulary.get(token);
          const bytes =
            id === undefined && byte_fallback === true ? byteIds(token, vocabulary) : undefined;
          if (id !== undefined) ids.push(id);
          else if (bytes) ids.push(...bytes);
          else if (typeof unk_token === 'string') {
            if (unknown === undefined) throw noId(unk_token);
            if (!fuse_unk || !afterUnknown) ids.push(unknown);
          }
          afterUnknown = id === undefined && !bytes && (afterUnknown || unknown !== undefined);
        }
      }
    },
  };
}

function unigram(model: TokenizerDocument): WordModel {
  const entries = model.vocab as [string, number][];
  const vocabulary = new Map(entries.map(([token], id) => [token, id]));
  const unknown = (model.unk_id ?? undefined) as number | undefined;
  const library = new Unigram(model as never, '') as unknown as {
    tokenize(word: string): string[];
    scores: number[];
  };
  // The library overwrites it, which is right for what is unknown and wrong for the token's own text.
  if (unknown !== undefined) library.scores[unknown] = entries[unknown][1];
  return {
    vocabulary,
    encode(word, ids) {
      let pending = '';
      const flush = () => {
        if (pending === '') return;
        const id = vocabulary.get(pending);
        const bytes =
          id === undefined && model.byte_fallback === true
            ? byteIds(pending, vocabulary)
            : undefined;
        if (bytes) for (const each of bytes) ids.push(each);
        else if (id === undefined && unknown === undefined) throw noId(pending);
        else ids.push(id ?? unknown!);
        pending = '';
      };
      for (const token of library.tokenize(word)) {
        const id = vocabulary.get(token);
        if (id === undefined || id === unknown) {
          // Side by side, what is unknown is one.
          pending += token;
          continue;
        }
        flush();
        ids.push(id);
      }
      flush();
    },
  };
}

function wordPieces(model: TokenizerDocument, vocabulary: Map<string, number>): WordModel {
  const { unk_token = '[UNK]', continuing_subword_prefix = '##' } = model;
  const library = new WordPiece({ ...model, unk_token, continuing_subword_prefix } as never);
  return {
    vocabulary,
    encode(word, ids) {
      for (const token of library.encode([word])) {
        const id = vocabulary.get(token);
        if (id === undefined) throw noId(token);
        ids.push(id);
      }
    },
  };
}

function words(model: TokenizerDocument, vocabulary: Map<string, number>): WordModel {
  const { unk_token = '<unk>' } = model;
  const unknown = vocabulary.get(unk_token as string);
  return {
    vocabulary,
    encode(word, ids) {
      const id = vocabulary.get(word) ?? unknown;
      if (id === undefined) throw noId(word);
      ids.push(id);
    },
  };
}

/** The type of a model, which old files leave to be seen. */
function typeOf(model: TokenizerDocument): unknown {
  const { type, vocab, merges } = model;
  if (type !== undefined) return type;
  if (Array.isArray(vocab)) return 'Unigram';
  if (merges !== undefined) return 'BPE';
  const isWordPiece = ['continuing_subword_prefix', 'max_input_chars_per_word'].every(
    (name) => model[name] !== undefined,
  );
  if (isWordPiece) return 'WordPiece';
  return typeof model.unk_token === 'string' ? 'WordLevel' : undefined;
}

/** @throws an Error where the model is of no kind that is known, or cannot be used as the reference does */
export function makeModel(model: TokenizerDocument): WordModel {
  const type = typeOf(model);
  if (type === 'Unigram') {
    if (Array.isArray(model.vocab)) return unigram(model);
    throw new Error('"model": "vocab" is not a list of tokens and their scores');
  }
  if (Array.isArray(model.vocab)) throw new Error('"model": "vocab" is not an object');
  const vocabulary = new Map(Object.entries(model.vocab as Record<string, number>));
  switch (type) {
    case 'BPE':
      return bytePairs(model, vocabulary);
    case 'WordPiece':
      return wordPieces(model, vocabulary);
    case 'WordLevel':
      return words(model, vocabulary);
    default:
      throw new Error(`"model": its type ${quoted(String(type))} is not known`);
  }
}

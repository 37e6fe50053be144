import { quoted } from '../../storage/errors.js';
import { BYTE_CHARACTERS, charactersOf } from './steps/byteLevel.js';
import { makeScoredPairs } from './steps/scoredPairs.js';
import { assembleTextEncoder, type EncodeText } from './textEncoder.js';
import { checkTokenId } from './tokenIds.js';
import type { TokenizerDocument } from './tokenizerDocument.js';

/** The largest published has 150,000 tokens. */
const MAX_TOKENS = 1 << 20;
const MAX_TOKEN_BYTES = 4096;

/** The token in front of texts, and its id in files that do not list special tokens. */
const BOS = '<s>';
const OLD_BOS_ID = 1;

/** Four characters for three bytes. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The tokenizer of a `tekken.json`, as Mistral's own code (`mistral-common`) uses it: byte pairs by rank within
 * the words that the file's expression cuts, ids behind those of special tokens, BOS in front. Special tokens in a
 * text are text.
 * @param document the parsed file
 * @throws an Error that names what is missing or contradicts
 */
export function makeTekkenEncoder(document: TokenizerDocument): EncodeText {
  const config = fieldsOf(document.config, '"config"');
  const { pattern } = config;
  if (typeof pattern !== 'string') throw new Error('"config": "pattern" is missing');
  const size = countOf(config, 'default_vocab_size');
  const specials = countOf(config, 'default_num_special_tokens');
  if (specials > size) {
    throw new Error(`"config": ${specials} special tokens of a vocabulary of ${size}`);
  }
  const vocabulary = readVocabulary(document.vocab, size - specials, specials);
  const scores = new Map(Array.from(vocabulary, ([token, id]) => [token, -id]));
  const pairs = makeScoredPairs(vocabulary, scores);
  const cut = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Removed', invert: true };
  const asBytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
  const frame = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: BOS, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { [BOS]: { id: BOS, ids: [readBos(document.special_tokens, specials)] } },
  };
  return assembleTextEncoder(
    {
      pre_tokenizer: { type: 'Sequence', pretokenizers: [cut, asBytes] },
      post_processor: frame,
    },
    {},
    {
      vocabulary,
      encode(word, ids) {
        // A word that is a token is that token, whether pairs lead to it or not.
        const whole = vocabulary.get(word);
        if (whole === undefined) pairs.encode(word, ids);
        else ids.push(whole);
      },
    },
  );
}

/** Ids of the tokens, by their bytes as characters; ranks beyond `count` are left out. */
function readVocabulary(given: unknown, count: number, offset: number): Map<string, number> {
  if (!Array.isArray(given)) throw new Error('"vocab" is missing; it should be a list');
  if (given.length < count) {
    throw new Error(`"vocab" has ${given.length} tokens, where the configuration counts ${count}`);
  }
  if (count < BYTE_CHARACTERS.length) {
    throw new Error(`the configuration counts ${count} tokens, which are not all the bytes`);
  }
  const vocabulary = new Map<string, number>();
  for (const [rank, entry] of (given as unknown[]).slice(0, count).entries()) {
    const place = `"vocab", entry ${rank + 1}`;
    const { rank: stated, token_bytes: encoded } = fieldsOf(entry, place);
    if (stated !== rank) throw new Error(`${place}: its rank is not ${rank}, as its place is`);
    const isText = typeof encoded === 'string' && encoded.length <= 2 * MAX_TOKEN_BYTES;
    if (!isText || encoded === '' || encoded.length % 4 !== 0 || !BASE64.test(encoded)) {
      throw new Error(`${place}: "token_bytes" are not the bytes of a token in base64`);
    }
    const binary = atob(encoded);
    const token = charactersOf(Uint8Array.from(binary, (byte) => byte.charCodeAt(0)));
    const other = vocabulary.get(token);
    if (other !== undefined)
      throw new Error(`${place}: the token of rank ${other - offset} is the same`);
    if (rank < BYTE_CHARACTERS.length && token !== BYTE_CHARACTERS[rank]) {
      throw new Error(`${place}: the first tokens are the bytes, and this is not that of ${rank}`);
    }
    vocabulary.set(token, rank + offset);
  }
  return vocabulary;
}

/** The id of BOS. */
function readBos(given: unknown, count: number): number {
  if (given === undefined || given === null) return OLD_BOS_ID;
  if (!Array.isArray(given)) throw new Error('"special_tokens" is not a list');
  for (const [index, entry] of (given as unknown[]).entries()) {
    const place = `"special_tokens", entry ${index + 1}`;
    const { rank, token_str: text } = fieldsOf(entry, place);
    if (text !== BOS) continue;
    const id = checkTokenId(rank, BOS);
    if (id < count) return id;
    throw new Error(`${place}: the id ${id} is that of another token`);
  }
  throw new Error(`"special_tokens" lacks ${quoted(BOS)}, with which texts begin`);
}

function countOf(config: TokenizerDocument, name: string): number {
  const value = config[name];
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TOKENS) {
    return value as number;
  }
  throw new Error(`"config": "${name}" is no number of tokens`);
}

function fieldsOf(value: unknown, place: string): TokenizerDocument {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as TokenizerDocument;
  }
  throw new Error(`${place} is not an object`);
}

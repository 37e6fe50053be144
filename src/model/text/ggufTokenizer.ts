import { KeyReader } from '../../gguf/keyReader.js';
import { quoted } from '../../storage/errors.js';
import {
  addedTokens,
  checkCount,
  MAX_MERGES,
  MAX_TOKEN_BYTES,
  MAX_TOKENS,
  readGgufTokens,
  specialTokenConfiguration,
  TOKEN_TYPE,
} from './ggufTokens.js';
import { GGUF_PRE_TOKENIZERS } from './ggufPreTokenizers.js';
import { BYTE_CHARACTERS } from './steps/byteLevel.js';
import { makeScoredPairs } from './steps/scoredPairs.js';
import { assembleTextEncoder, makeTextEncoder, type EncodeText } from './textEncoder.js';

/**
 * The tokenizer that a GGUF file carries in its header. Ids are those of the tokenizer that it was converted
 * from, special tokens in the text included.
 * @param header the file's beginning, its whole header included
 * @param fileName as errors name it
 * @throws an Error that names the kind of tokenizer or the key that cannot be used; encoding throws where a
 * text would have other ids or none
 */
export function makeGgufEncoder(header: Uint8Array, fileName: string): EncodeText {
  const keys = new KeyReader(header, fileName);
  const kind = keys.text('tokenizer.ggml.model');
  switch (kind) {
    case 'gpt2':
      return makeByteLevel(keys);
    case 'llama':
      return makeSentencePiece(keys);
    default:
      throw new Error(
        kind === undefined
          ? 'the key "tokenizer.ggml.model" is missing'
          : `a tokenizer of kind ${quoted(kind)} ("tokenizer.ggml.model") cannot be used`,
      );
  }
}

/** GPT-2's byte-pair encoding over bytes, behind the expression that the file names. */
function makeByteLevel(keys: KeyReader): EncodeText {
  const name = keys.text('tokenizer.ggml.pre');
  const preTokenizer = name === undefined ? undefined : GGUF_PRE_TOKENIZERS.get(name);
  if (!preTokenizer) {
    throw new Error(
      name === undefined
        ? 'the key "tokenizer.ggml.pre" is missing, without which it is not known how words are cut'
        : `how ${quoted(name)} ("tokenizer.ggml.pre") cuts words is not known`,
    );
  }
  refuseFlag(keys, 'add_space_prefix');
  const read = readGgufTokens(keys);
  const { vocabulary } = read;
  const missing = BYTE_CHARACTERS.findIndex((character) => !vocabulary.has(character));
  if (missing >= 0) throw new Error(`there is no token for the byte ${missing}`);
  const limits = { maxItems: MAX_MERGES, maxBytes: 2 * MAX_TOKEN_BYTES };
  const merges = keys.texts('tokenizer.ggml.merges', limits);
  if (!merges) throw new Error('the key "tokenizer.ggml.merges" is missing');
  const { steps, normalizer, ignoreMerges = false, addBos = false } = preTokenizer;
  const document = {
    added_tokens: addedTokens(read),
    normalizer: normalizer === 'NFC' ? { type: 'NFC' } : null,
    pre_tokenizer: steps,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(vocabulary),
      merges,
      ignore_merges: ignoreMerges,
    },
  };
  const encode = makeTextEncoder(document, specialTokenConfiguration(read, { addBos }));
  if (normalizer !== 'unknown') return encode;
  return Object.assign(
    (text: string) => {
      if (text !== text.normalize('NFC')) {
        throw new Error(
          `the text is not in Unicode's form C, and whether ${quoted(name!)} puts it into that form first the file does not say`,
        );
      }
      return encode(text);
    },
    { bos: encode.bos },
  );
}

/** llama.cpp's ids of special tokens where a file of SentencePiece does not name them. */
const SENTENCE_PIECE_DEFAULTS = { addBos: true, bosId: 1, eosId: 2 };

/** SentencePiece's byte-pair encoding, whose merges are the scores of tokens. */
function makeSentencePiece(keys: KeyReader): EncodeText {
  refuseFlag(keys, 'remove_extra_whitespaces');
  if (keys.count('tokenizer.ggml.precompiled_charsmap') > 0) {
    throw new Error('its map of characters ("tokenizer.ggml.precompiled_charsmap") is not used');
  }
  const read = readGgufTokens(keys);
  const { tokens, types, vocabulary } = read;
  const given = keys.numbers('tokenizer.ggml.scores', MAX_TOKENS);
  if (!given) throw new Error('the key "tokenizer.ggml.scores" is missing');
  checkCount('tokenizer.ggml.scores', given.length, tokens.length);
  const scores = new Map<string, number>();
  const learnt = new Map<string, number>();
  for (const [token, id] of vocabulary) {
    if (NEVER_JOINED.has(types[id])) continue;
    if (types[id] === TOKEN_TYPE.normal) learnt.set(token, given[id]);
    if (Number.isNaN(given[id])) throw new Error(`the score of token ${id} is not a number`);
    scores.set(token, given[id]);
  }
  refuseLostMerges(learnt);
  const marked = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };
  const addsSpace = keys.flag('tokenizer.ggml.add_space_prefix') ?? true;
  const document = {
    added_tokens: addedTokens(read, spaceBehind(keys.text('general.name'))),
    normalizer: addsSpace
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: SPACE }, marked] }
      : marked,
  };
  return assembleTextEncoder(
    document,
    specialTokenConfiguration(read, SENTENCE_PIECE_DEFAULTS),
    makeScoredPairs(vocabulary, scores),
  );
}

/**
 * llama.cpp's converter gives one score to all tokens where it has only a `tokenizer.json`, whose merges are
 * then lost.
 * @param scores of ordinary tokens
 * @throws an Error where all of several characters have the same score
 */
function refuseLostMerges(scores: ReadonlyMap<string, number>): void {
  let joined = 0;
  const different = new Set<number>();
  for (const [token, score] of scores) {
    if (token.length <= String.fromCodePoint(token.codePointAt(0)!).length) continue;
    joined++;
    if (different.add(score).size > 1) return;
  }
  if (joined < 2) return;
  throw new Error(
    'all its tokens have the same score ("tokenizer.ggml.scores"), so that the order of merges is lost',
  );
}

/** SentencePiece's mark of a space. */
const SPACE = '▁';

/** Kinds of tokens that nothing in a text is joined to. */
const NEVER_JOINED: ReadonlySet<number> = new Set([
  TOKEN_TYPE.unknown,
  TOKEN_TYPE.control,
  TOKEN_TYPE.byte,
]);

/** Phi-3's special tokens take the white space behind them but for these, as llama.cpp knows by the model's name. */
const PHI3_KEEPS_SPACE: ReadonlySet<string> = new Set(['<unk>', '<s>', '<|endoftext|>']);

function spaceBehind(modelName: string | undefined): (token: string) => boolean {
  const name = modelName?.toLowerCase() ?? '';
  if (!name.includes('phi-3') && !name.includes('phi3')) return () => false;
  return (token) => !PHI3_KEEPS_SPACE.has(token);
}

/** @throws an Error where a flag is set whose meaning for this kind of tokenizer is not known */
function refuseFlag(keys: KeyReader, name: string): void {
  if (keys.flag(`tokenizer.ggml.${name}`) !== true) return;
  throw new Error(`"tokenizer.ggml.${name}" is set, which would give other ids here`);
}

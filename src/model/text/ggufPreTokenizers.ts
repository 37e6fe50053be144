import type { TokenizerDocument } from './tokenizerDocument.js';

/** What a name in `tokenizer.ggml.pre` stands for: steps of the tokenizer that was converted under it. */
export interface GgufPreTokenizer {
  readonly steps: TokenizerDocument;
  /**
   * What that tokenizer does with a text first, which the file does not say: nothing, form C of Unicode, or
   * one of the two, where tokenizers of both kinds go by the name or it is not known.
   */
  readonly normalizer: 'none' | 'NFC' | 'unknown';
  /** True where a word that is a token is taken whole, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  /** True where texts begin with BOS unless the file says otherwise. */
  readonly addBos?: boolean;
}

const BYTES = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
/** GPT-2's own expression, which the step knows. */
const GPT2 = { ...BYTES, use_regex: true };

function sequence(...pretokenizers: readonly TokenizerDocument[]): TokenizerDocument {
  return { type: 'Sequence', pretokenizers };
}

/** An expression cuts, then bytes become characters. */
function cutBy(Regex: string): TokenizerDocument {
  const pattern = { Regex };
  return sequence({ type: 'Split', pattern, behavior: 'Isolated', invert: false }, BYTES);
}

const DIGITS = sequence({ type: 'Digits', individual_digits: true }, GPT2);

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const NO_LETTER = '[^\\r\\n\\p{L}\\p{N}]?';
const LINES_AND_SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const SIGNS = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*';
const LLAMA3 = cutBy(
  `${CONTRACTIONS}|${NO_LETTER}\\p{L}+|\\p{N}{1,3}|${SIGNS}|${LINES_AND_SPACES}`,
);
const QWEN2 = cutBy(`${CONTRACTIONS}|${NO_LETTER}\\p{L}+|\\p{N}|${SIGNS}|${LINES_AND_SPACES}`);

const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const SIGNS_AND_SLASHES = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*';

/** Words whose capitals stand in front, then numbers of so many digits. */
function cutByCase(contractions: string, digits: string): TokenizerDocument {
  const words = [`${UPPER}*${LOWER}+`, `${UPPER}+${LOWER}*`];
  return cutBy(
    [
      ...words.map((word) => `${NO_LETTER}${word}${contractions}`),
      digits,
      SIGNS_AND_SLASHES,
      LINES_AND_SPACES,
    ].join('|'),
  );
}

/**
 * Names of `tokenizer.ggml.pre`. llama.cpp's converter gives a name to a tokenizer whose ids of a test text it
 * knows, so that each stands for the vocabulary of one family. Listed are those whose original steps are known
 * and are what llama.cpp does; its list is in `src/llama-vocab.cpp` (ggml-org/llama.cpp).
 */
export const GGUF_PRE_TOKENIZERS: ReadonlyMap<string, GgufPreTokenizer> = new Map<
  string,
  GgufPreTokenizer
>([
  ['gpt-2', { steps: GPT2, normalizer: 'none' }],
  ['phi-2', { steps: GPT2, normalizer: 'none' }],
  ['mpt', { steps: GPT2, normalizer: 'NFC' }],
  ['olmo', { steps: GPT2, normalizer: 'NFC' }],
  ['starcoder', { steps: DIGITS, normalizer: 'none' }],
  ['refact', { steps: DIGITS, normalizer: 'unknown' }],
  ['smollm', { steps: DIGITS, normalizer: 'unknown' }],
  ['command-r', { steps: DIGITS, normalizer: 'NFC' }],
  ['llama-bpe', { steps: LLAMA3, normalizer: 'none', ignoreMerges: true, addBos: true }],
  ['llama3', { steps: LLAMA3, normalizer: 'none', ignoreMerges: true, addBos: true }],
  ['llama-v3', { steps: LLAMA3, normalizer: 'none', ignoreMerges: true, addBos: true }],
  ['dbrx', { steps: LLAMA3, normalizer: 'unknown' }],
  ['qwen2', { steps: QWEN2, normalizer: 'NFC' }],
  ['deepseek-r1-qwen', { steps: QWEN2, normalizer: 'unknown' }],
  ['stablelm2', { steps: QWEN2, normalizer: 'unknown' }],
  [
    'tekken',
    {
      steps: cutByCase('', '\\p{N}'),
      normalizer: 'unknown',
      ignoreMerges: true,
      addBos: true,
    },
  ],
  ['gpt-4o', { steps: cutByCase(`${CONTRACTIONS}?`, '\\p{N}{1,3}'), normalizer: 'unknown' }],
]);

import { quoted } from '../../storage/errors.js';
import type { TokenizerDocument } from './tokenizerDocument.js';

/** Classes that keep GPT-2's tokenizer in `vocab.json` and `merges.txt`. */
const GPT2_CLASSES: ReadonlySet<unknown> = new Set(['GPT2Tokenizer', 'GPT2TokenizerFast']);
/** Types of models whose tokenizer is of that class where nothing says so. */
const GPT2_MODELS: ReadonlySet<unknown> = new Set(['gpt2', 'opt', 'gpt_neo']);

/** The token that stands for all special ones of GPT-2. */
const END_OF_TEXT = '<|endoftext|>';

/**
 * What GPT-2's tokenizer is configured as: its class's defaults, and over them what its files say.
 * @throws an Error where the files belong to a tokenizer of another class, which cuts words otherwise
 */
export function gpt2Configuration(
  configuration: TokenizerDocument,
  modelType: string | undefined,
): TokenizerDocument {
  const { tokenizer_class: given } = configuration;
  const isGpt2 =
    given === undefined || given === null ? GPT2_MODELS.has(modelType) : GPT2_CLASSES.has(given);
  if (!isGpt2) {
    const whose =
      typeof given === 'string'
        ? `a ${quoted(given)}`
        : `a model of type ${quoted(String(modelType))}`;
    throw new Error(
      `vocab.json and merges.txt are read of GPT-2's tokenizer, and this is that of ${whose}, which may give other ids: save it as tokenizer.json`,
    );
  }
  return {
    add_prefix_space: false,
    bos_token: END_OF_TEXT,
    eos_token: END_OF_TEXT,
    unk_token: END_OF_TEXT,
    ...configuration,
  };
}

/**
 * The pairs of a `merges.txt`.
 * @throws an Error that names the line that is no pair
 */
export function parseMerges(text: string): [string, string][] {
  const merges: [string, string][] = [];
  for (const [index, written] of text.split('\n').entries()) {
    const line = written.endsWith('\r') ? written.slice(0, -1) : written;
    if (line === '' || line.startsWith('#version')) continue;
    const parts = line.split(' ');
    if (parts.length !== 2 || parts.includes('')) {
      throw new Error(`line ${index + 1} is not a pair of tokens`);
    }
    merges.push([parts[0], parts[1]]);
  }
  return merges;
}

/** The `tokenizer.json` that a vocabulary and its merges are equivalent to. */
export function gpt2Document(
  vocabulary: TokenizerDocument,
  merges: readonly (readonly [string, string])[],
): TokenizerDocument {
  return {
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: vocabulary, merges },
  };
}

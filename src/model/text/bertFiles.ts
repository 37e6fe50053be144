import { quoted } from '../../storage/errors.js';
import { SPECIAL_NAMES, textOf } from './specialTokens.js';
import type { TokenizerDocument } from './tokenizerDocument.js';

/** Classes that keep BERT's tokenizer in `vocab.txt`, with the same defaults. */
const BERT_CLASSES: ReadonlySet<unknown> = new Set(
  ['Bert', 'DistilBert', 'Electra'].flatMap((name) => [`${name}Tokenizer`, `${name}TokenizerFast`]),
);
/** Types of models whose tokenizer is of these classes where nothing says so. */
const BERT_MODELS: ReadonlySet<unknown> = new Set(['bert', 'distilbert', 'electra']);

const DEFAULTS = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
  do_lower_case: true,
  tokenize_chinese_chars: true,
  strip_accents: null,
} as const;

/**
 * What BERT's tokenizer is configured as: its class's defaults, and over them what its files say.
 * @throws an Error where the files belong to a tokenizer of another class, or say what gives other ids
 */
export function bertConfiguration(
  given: TokenizerDocument,
  modelType: string | undefined,
): TokenizerDocument {
  const { tokenizer_class } = given;
  const isBert =
    tokenizer_class === undefined || tokenizer_class === null
      ? BERT_MODELS.has(modelType)
      : BERT_CLASSES.has(tokenizer_class);
  if (!isBert) {
    const whose =
      typeof tokenizer_class === 'string'
        ? `a ${quoted(tokenizer_class)}`
        : `a model of type ${quoted(String(modelType))}`;
    throw new Error(
      `vocab.txt is read of BERT's tokenizer, and this is that of ${whose}, which may give other ids: save it as tokenizer.json`,
    );
  }
  const configuration: TokenizerDocument = { ...DEFAULTS, ...given };
  for (const name of ['do_lower_case', 'tokenize_chinese_chars'] as const) {
    if (typeof configuration[name] !== 'boolean')
      throw new Error(`tokenizer_config.json: "${name}" is not true or false`);
  }
  const { strip_accents, do_basic_tokenize = true } = configuration;
  if (strip_accents !== null && typeof strip_accents !== 'boolean') {
    throw new Error('tokenizer_config.json: "strip_accents" is not true, false or null');
  }
  // With it, the slow class cuts no words, while the fast one does.
  if (do_basic_tokenize !== true) {
    throw new Error(
      'tokenizer_config.json: "do_basic_tokenize" is not true, with which words are cut otherwise: save the tokenizer as tokenizer.json',
    );
  }
  return configuration;
}

/**
 * Ids of tokens by the lines of a `vocab.txt`; of equal lines the last one counts, as in the reference.
 * @throws an Error where there is no token
 */
export function parseVocabularyLines(text: string): Map<string, number> {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new Error('it has no tokens');
  return new Map(lines.map((token, id) => [token, id]));
}

/**
 * The `tokenizer.json` that a vocabulary of BERT's is equivalent to.
 * @param configuration of {@link bertConfiguration}
 * @throws an Error where the vocabulary lacks a token that texts cannot do without
 */
export function bertDocument(
  vocabulary: ReadonlyMap<string, number>,
  configuration: TokenizerDocument,
): TokenizerDocument {
  const required = (name: 'unk_token' | 'cls_token' | 'sep_token') => {
    const content = textOf(configuration[name]);
    const id = content === undefined ? undefined : vocabulary.get(content);
    if (content !== undefined && id !== undefined) return { content, id };
    throw new Error(
      content === undefined ? `there is no ${name}` : `it lacks ${quoted(content)}, its ${name}`,
    );
  };
  const unknown = required('unk_token').content;
  const cls = required('cls_token');
  const sep = required('sep_token');
  return {
    added_tokens: listSpecialTokens(vocabulary, configuration),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: configuration.tokenize_chinese_chars,
      strip_accents: configuration.strip_accents,
      lowercase: configuration.do_lower_case,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'BertProcessing',
      cls: [cls.content, cls.id],
      sep: [sep.content, sep.id],
    },
    model: {
      type: 'WordPiece',
      unk_token: unknown,
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary),
    },
  };
}

/** Special tokens with the fields that the configuration gives them, where it lists none by id. */
function listSpecialTokens(
  vocabulary: ReadonlyMap<string, number>,
  configuration: TokenizerDocument,
): TokenizerDocument[] {
  if ((configuration.added_tokens_decoder ?? undefined) !== undefined) return [];
  return SPECIAL_NAMES.flatMap((name) => {
    const token = configuration[name];
    const content = textOf(token);
    const id = content === undefined ? undefined : vocabulary.get(content);
    if (content === undefined || content === '' || id === undefined) return [];
    const fields = typeof token === 'string' ? { normalized: false } : (token as TokenizerDocument);
    return [{ special: true, ...fields, content, id }];
  });
}

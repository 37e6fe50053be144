import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import type { TokenizerDocument } from '../../../src/model/text/tokenizerDocument.js';
import { textInput, textOf, withPart, type Input } from '../input.js';
import { mutateJson } from '../mutateJson.js';
import { promise, type FuzzTarget } from '../target.js';

const TOKENIZER = 'tokenizer.json';
const CONFIGURATION = 'tokenizer_config.json';
const TEXT = 'text.txt';

/** No nested repetitions among them: those hang by themselves, which is why the product has a thread. */
const WORDS = [
  ...[
    '"BPE"',
    '"Unigram"',
    '"WordPiece"',
    '"WordLevel"',
    '"ByteLevel"',
    '"Metaspace"',
    '"Sequence"',
  ],
  ...[
    '"Split"',
    '"Regex"',
    '"String"',
    '"Replace"',
    '"Prepend"',
    '"NFC"',
    '"Lowercase"',
    '"Digits"',
  ],
  ...[
    '"TemplateProcessing"',
    '"ids"',
    '"id"',
    '"vocab"',
    '"merges"',
    '"added_tokens"',
    '"unk_token"',
  ],
  ...[
    '"unk_id"',
    '"byte_fallback"',
    '"pre_tokenizer"',
    '"normalizer"',
    '"content"',
    '"<s>"',
    '"a"',
  ],
  ...['"add_bos_token"', '"bos_token"', '"▁"', '["a","b"]', '"a b"', '-1', '4294967296', '1.5'],
];

/** A byte-pair tokenizer of a few tokens. */
const SMALL = {
  added_tokens: [
    { id: 0, content: '<s>', single_word: false, lstrip: false, rstrip: false, special: true },
  ],
  normalizer: {
    type: 'Sequence',
    normalizers: [{ type: 'Replace', pattern: { String: ' ' }, content: '▁' }],
  },
  pre_tokenizer: {
    type: 'Split',
    pattern: { Regex: '[a-z]+|▁' },
    behavior: 'Isolated',
    invert: false,
  },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
  },
  decoder: null,
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    byte_fallback: false,
    vocab: { '<s>': 0, '<unk>': 1, a: 2, b: 3, ab: 4, '▁': 5, aba: 6 },
    merges: ['a b', 'ab a'],
  },
};
const UNIGRAM = {
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
  model: {
    type: 'Unigram',
    unk_id: 0,
    vocab: [
      ['<unk>', 0],
      ['▁', -3],
      ['▁▁', -1],
      ['a', -1],
      ['▁a', -2],
    ],
  },
};
const WORD_PIECE = {
  normalizer: { type: 'BertNormalizer', lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: { '[UNK]': 0, a: 1, '##b': 2, '##a': 3 },
  },
};
const TEXTS = ['aba ab a', ' a\n\nb\t', '😀\u0301 é', ''];

/** Every whole number that stands in a document, where an id could have come from. */
function numbersIn(value: unknown, found = new Set<number>()): Set<number> {
  if (typeof value === 'number') found.add(value);
  else if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) numbersIn(each, found);
  }
  // The tokens of a list are known by their places; the library takes a text for a list.
  if (Array.isArray(value) || typeof value === 'string') {
    for (let i = 0; i < value.length; i++) found.add(i);
  }
  return found;
}

/** tokenizer.json over a small text: ids are those of the document, or it is refused. */
export const tokenizer: FuzzTarget = {
  name: 'tokenizer',
  seeds(root): Input[] {
    const sample = join(root, 'media/sample');
    const seed = (document: string, configuration: string, text: string): Input => [
      ...textInput(TOKENIZER, document),
      ...textInput(CONFIGURATION, configuration),
      ...textInput(TEXT, text),
    ];
    const settings = readFileSync(join(sample, CONFIGURATION), 'utf8');
    const small = [SMALL, UNIGRAM, WORD_PIECE].flatMap((document) =>
      TEXTS.map((text) => seed(JSON.stringify(document), settings, text)),
    );
    return [
      ...small,
      seed(readFileSync(join(sample, TOKENIZER), 'utf8'), settings, 'One day, a girl'),
    ];
  },
  mutate(input, random, pool) {
    const name = random.chance(0.8) ? TOKENIZER : random.pick([CONFIGURATION, TEXT]);
    const donors = [textOf(random.pick(pool), name)];
    return withPart(input, name, mutateJson(textOf(input, name), random, { donors, words: WORDS }));
  },
  check(input) {
    let documents: TokenizerDocument[];
    try {
      documents = [TOKENIZER, CONFIGURATION].map(
        (name) => JSON.parse(textOf(input, name)) as TokenizerDocument,
      );
    } catch {
      return false;
    }
    const [document, configuration] = documents;
    let ids: Int32Array;
    try {
      ids = makeTextEncoder(document, configuration)(textOf(input, TEXT));
    } catch (error) {
      // Whatever the library stumbles over, the product tells as a fault of the file.
      promise(error instanceof Error, 'what was thrown is no error');
      return false;
    }
    const known = numbersIn(document);
    const wrong = ids.find((id) => !known.has(id));
    promise(wrong === undefined, `id ${wrong} is none of the document`);
    return true;
  },
};

import {
  bertConfiguration,
  bertDocument,
  parseVocabularyLines,
} from '../../../src/model/text/bertFiles.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import type { TokenizerDocument } from '../../../src/model/text/tokenizerDocument.js';
import { bytesOf, textInput, textOf, withPart, type Input } from '../input.js';
import { mutateBytes } from '../mutateBytes.js';
import { mutateJson } from '../mutateJson.js';
import { promise, type FuzzTarget } from '../target.js';

const FILE = 'vocab.txt';
const CONFIGURATION = 'tokenizer_config.json';
const TEXT = 'Aabé [MASK] 中a\n[SEP]b';

const WORDS = [
  ...['"do_lower_case"', '"strip_accents"', '"tokenize_chinese_chars"', '"do_basic_tokenize"'],
  ...['"tokenizer_class"', '"cls_token"', '"added_tokens_decoder"', '"BertTokenizer"', '"[CLS]"'],
  ...['true', 'false', 'null', '-1', '1e9', '{"content": "a", "normalized": true}'],
];

function seed(configuration: object): Input {
  const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
  const lines = [...specials, 'a', 'b', '##a', '##b', 'é', '##é', '中', ''];
  return [
    ...textInput(FILE, lines.join('\n')),
    ...textInput(CONFIGURATION, JSON.stringify(configuration)),
  ];
}

/** BERT's vocab.txt over a small text: ids are those of its lines, or it is refused. */
export const wordPieces: FuzzTarget = {
  name: 'wordpieces',
  seeds: () => [
    seed({}),
    seed({ tokenizer_class: 'BertTokenizer', do_lower_case: false, strip_accents: true }),
    seed({
      added_tokens_decoder: { 4: { content: '[MASK]', lstrip: true } },
      mask_token: '[MASK]',
    }),
  ],
  mutate(input, random, pool) {
    const donor = random.pick(pool);
    if (random.chance(0.5)) {
      return withPart(input, FILE, mutateBytes(bytesOf(input, FILE), random, bytesOf(donor, FILE)));
    }
    const donors = [textOf(donor, CONFIGURATION)];
    const options = { donors, words: WORDS };
    const changed = mutateJson(textOf(input, CONFIGURATION), random, options);
    return withPart(input, CONFIGURATION, changed);
  },
  check(input) {
    let given: TokenizerDocument;
    try {
      given = JSON.parse(textOf(input, CONFIGURATION)) as TokenizerDocument;
    } catch {
      return false;
    }
    if (typeof given !== 'object' || given === null) return false;
    let vocabulary: ReadonlyMap<string, number>;
    let ids: Int32Array;
    try {
      const configuration = bertConfiguration(given, 'bert');
      vocabulary = parseVocabularyLines(textOf(input, FILE));
      ids = makeTextEncoder(bertDocument(vocabulary, configuration), configuration)(TEXT);
    } catch (error) {
      promise(error instanceof Error, 'what was thrown is no error');
      promise(!(error instanceof TypeError || error instanceof RangeError), String(error));
      return false;
    }
    const known = new Set(vocabulary.values());
    // Tokens that only the configuration names get ids behind those of the vocabulary.
    const wrong = ids.find((id) => id < 0 || (id < vocabulary.size && !known.has(id)));
    promise(wrong === undefined, `id ${wrong} is none of the vocabulary`);
    return true;
  },
};

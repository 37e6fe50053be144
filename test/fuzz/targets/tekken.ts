import { makeTekkenEncoder } from '../../../src/model/text/tekken.js';
import type { TokenizerDocument } from '../../../src/model/text/tokenizerDocument.js';
import { textInput, textOf, withPart, type Input } from '../input.js';
import { mutateJson } from '../mutateJson.js';
import { promise, type FuzzTarget } from '../target.js';

const FILE = 'tekken.json';
const TEXT = 'ab a  ab\n12';
const SPECIALS = 3;

const WORDS = [
  ...['"config"', '"pattern"', '"vocab"', '"rank"', '"token_bytes"', '"special_tokens"', '"<s>"'],
  ...['"default_vocab_size"', '"default_num_special_tokens"', '"YWI="', '"YQ=="', '-1', '1e9', '3'],
];

function seed(withSpecials: boolean): Input {
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  const tokens = [...bytes, 'ab', ' a'];
  const document = {
    config: {
      pattern: '[ab]+|\\d| +|\\n',
      default_vocab_size: tokens.length + SPECIALS,
      default_num_special_tokens: SPECIALS,
    },
    vocab: tokens.map((token, rank) => ({ rank, token_bytes: btoa(token) })),
    ...(withSpecials && { special_tokens: [{ rank: 1, token_str: '<s>', is_control: true }] }),
  };
  return textInput(FILE, JSON.stringify(document));
}

/** Mistral's tekken.json over a small text: ids are those of the file, or it is refused. */
export const tekken: FuzzTarget = {
  name: 'tekken',
  seeds: () => [seed(true), seed(false)],
  mutate(input, random, pool) {
    const donors = [textOf(random.pick(pool), FILE)];
    return withPart(input, FILE, mutateJson(textOf(input, FILE), random, { donors, words: WORDS }));
  },
  check(input) {
    let document: TokenizerDocument;
    try {
      document = JSON.parse(textOf(input, FILE)) as TokenizerDocument;
    } catch {
      return false;
    }
    if (typeof document !== 'object' || document === null) return false;
    let ids: Int32Array;
    try {
      ids = makeTekkenEncoder(document)(TEXT);
    } catch (error) {
      promise(error instanceof Error, 'what was thrown is no error');
      promise(!(error instanceof TypeError || error instanceof RangeError), String(error));
      return false;
    }
    const size = (document.config as TokenizerDocument).default_vocab_size as number;
    const wrong = ids.find((id) => id < 0 || id >= size);
    promise(wrong === undefined, `id ${wrong} is none of a vocabulary of ${size}`);
    return true;
  },
};

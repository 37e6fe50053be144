import { encodeGguf } from '../../../scripts/lib/writeGguf.mjs';
import { KeyReader } from '../../../src/gguf/keyReader.js';
import { makeGgufEncoder } from '../../../src/model/text/ggufTokenizer.js';
import { BYTE_CHARACTERS } from '../../../src/model/text/steps/byteLevel.js';
import { bytesOf, withPart, type Input } from '../input.js';
import { mutateBytes } from '../mutateBytes.js';
import { promise, type FuzzTarget } from '../target.js';

const FILE = 'model.gguf';
const TEXT = '<s>ab a  ab\n12 é😀</s>';

type Keys = Parameters<typeof encodeGguf>[0];

function seedOf(keys: Keys): Input {
  return [{ name: FILE, bytes: encodeGguf(keys, []) }];
}

function sentencePiece(): Keys {
  const tokens = ['<unk>', '<s>', '</s>', 'a', 'b', '▁', 'ab', '▁a', '▁ab', '1', '<0x0A>'];
  return [
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'strings', tokens],
    ['tokenizer.ggml.scores', 'float32s', tokens.map((_, id) => -id)],
    ['tokenizer.ggml.token_type', 'int32s', [2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 6]],
    ['tokenizer.ggml.bos_token_id', 'uint32', 1],
    ['tokenizer.ggml.add_bos_token', 'bool', true],
  ];
}

function byteLevel(pre: string): Keys {
  const tokens = [...BYTE_CHARACTERS, 'ab', 'Ġa', '<s>'];
  return [
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', pre],
    ['tokenizer.ggml.tokens', 'strings', tokens],
    ['tokenizer.ggml.token_type', 'int32s', tokens.map((token) => (token === '<s>' ? 3 : 1))],
    ['tokenizer.ggml.merges', 'strings', ['a b', 'Ġ a']],
  ];
}

/** Vocabularies of GGUF files over a small text: ids are those of the file, or it is refused. */
export const ggufTokenizer: FuzzTarget = {
  name: 'gguf-tokenizer',
  seeds: () => [
    seedOf(sentencePiece()),
    ...['gpt-2', 'llama-bpe', 'tekken'].map((pre) => seedOf(byteLevel(pre))),
  ],
  mutate(input, random, pool) {
    const donor = bytesOf(random.pick(pool), FILE);
    return withPart(input, FILE, mutateBytes(bytesOf(input, FILE), random, donor));
  },
  check(input) {
    const header = bytesOf(input, FILE);
    let ids: Int32Array;
    try {
      ids = makeGgufEncoder(header, FILE)(TEXT);
    } catch (error) {
      promise(error instanceof Error, 'what was thrown is no error');
      return false;
    }
    const count = new KeyReader(header, FILE).count('tokenizer.ggml.tokens');
    const wrong = ids.find((id) => id < 0 || id >= count);
    promise(wrong === undefined, `id ${wrong} is none of the ${count} of the file`);
    return true;
  },
};

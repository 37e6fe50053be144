import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeGguf } from '../../../scripts/lib/writeGguf.mjs';
import { makeGgufEncoder } from '../../../src/model/text/ggufTokenizer.js';
import { GGUF_PRE_TOKENIZERS } from '../../../src/model/text/ggufPreTokenizers.js';
import { BYTE_CHARACTERS } from '../../../src/model/text/steps/byteLevel.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import { tokenize } from '../../../src/model/text/tokenizer.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { openLocalCheckpoint, HOST, SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import type { GgufKeys } from '../../support/ggufFiles.js';
import {
  byteLevelKeys,
  learnSentencePiece,
  sentencePieceKeys,
  type ConvertedTokenizer,
} from '../../support/ggufTokenizers.js';
import { SPECIAL_TEXTS, TOKENIZER_TEXTS } from '../../support/tokenizerTexts.js';

const LLAMA = { add_bos_token: true, bos_token: '<s>', eos_token: '</s>' };

async function ownText(): Promise<string> {
  return (await readFile(join(SAMPLE, 'eval.txt'), 'utf8')).slice(0, 20_000);
}

type Document = Readonly<Record<string, unknown>>;
type Tokenizer = ConvertedTokenizer & Document;

async function readJson<Value>(...path: string[]): Promise<Value> {
  return JSON.parse(await readFile(join(...path), 'utf8')) as Value;
}

const ggufOf = (keys: GgufKeys) =>
  encodeGguf([['general.architecture', 'string', 'llama'], ...keys], []);
const encoderOf = (keys: GgufKeys) => makeGgufEncoder(ggufOf(keys), '');

/** Keys with one replaced, or left out. */
function withKey(keys: GgufKeys, name: string, type?: string, value?: unknown): GgufKeys {
  const rest = keys.filter(([key]) => key !== `tokenizer.ggml.${name}`);
  return type === undefined ? rest : [...rest, [`tokenizer.ggml.${name}`, type, value]];
}

/** A byte-level tokenizer of bytes, a few merges and two special tokens. */
function smallTokenizer(): ConvertedTokenizer {
  const merges = ['1 2', '12 3', 'a b', 'Ġ a', 'Ġa b', 'Ċ Ċ', 'Ġ Ġ'];
  const tokens = [
    ...BYTE_CHARACTERS,
    ...merges.map((merge) => merge.replace(' ', '')),
    '<s>',
    '</s>',
  ];
  return {
    model: { vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
    added_tokens: ['<s>', '</s>'].map((content) => ({
      content,
      id: tokens.indexOf(content),
      special: true,
    })),
  };
}

describe('ids by the vocabulary of a GGUF file are those of the tokenizer.json it was made of', () => {
  it.each(['byte-level', 'SentencePiece'])('%s', async (kind) => {
    const own = await ownText();
    const isByteLevel = kind === 'byte-level';
    const tokenizer = isByteLevel
      ? await readJson<Tokenizer>(SAMPLE, 'tokenizer.json')
      : learnSentencePiece(own);
    const configuration = isByteLevel
      ? await readJson<Document>(SAMPLE, 'tokenizer_config.json')
      : LLAMA;
    const expected = makeTextEncoder(tokenizer, configuration);
    const keys = isByteLevel ? byteLevelKeys(tokenizer, 'gpt-2') : sentencePieceKeys(tokenizer);
    const encode = encoderOf(keys);
    expect(encode.bos).toEqual(expected.bos);
    for (const text of [...TOKENIZER_TEXTS, ...SPECIAL_TEXTS, own, 'e\u0301 A\u030a']) {
      expect([...encode(text)], JSON.stringify(text)).toEqual([...expected(text)]);
    }
  });

  it('for a thousand texts of random pieces', async () => {
    const tokenizer = learnSentencePiece(await ownText());
    const expected = makeTextEncoder(tokenizer, LLAMA);
    const encode = encoderOf(sentencePieceKeys(tokenizer));
    const pieces = [...Object.keys(tokenizer.model.vocab), ' ', '\n', 'é', '<s>', '😀'];
    let state = 1;
    const draw = (count: number) =>
      (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % count;
    for (let round = 0; round < 1000; round++) {
      const text = Array.from({ length: 40 }, () => pieces[draw(pieces.length)]).join('');
      expect([...encode(text)], JSON.stringify(text)).toEqual([...expected(text)]);
    }
  });
});

describe('a SentencePiece vocabulary', () => {
  const tokens = ['<unk>', '<s>', '</s>', 'a', 'b', 'ab', 'ba', '▁', 'user', '<0x41>', 'aba'];
  const scores = [0, 0, 0, -9, -9, -1, -1, -9, 0, 0, -2];
  const types = [2, 3, 3, 1, 1, 1, 1, 1, 4, 6, 1];
  const keys: GgufKeys = [
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'strings', tokens],
    ['tokenizer.ggml.scores', 'float32s', scores],
    ['tokenizer.ggml.token_type', 'int32s', types],
  ];

  it('joins the leftmost of equal scores first, and puts BOS and a space in front by default', () => {
    expect([...encoderOf(keys)('bab')]).toEqual([1, 7, 6, 4]);
    expect([...encoderOf(keys)('abab')]).toEqual([1, 7, 5, 5]);
    const bare = withKey(
      withKey(keys, 'add_space_prefix', 'bool', false),
      'add_bos_token',
      'bool',
      false,
    );
    expect([...encoderOf(bare)('ab userA')]).toEqual([5, 7, 8, 9]);
  });

  it('adds EOS where the file says so', () => {
    expect([...encoderOf(withKey(keys, 'add_eos_token', 'bool', true))('a')]).toEqual([1, 7, 3, 2]);
  });

  it.each<[string, GgufKeys, string]>([
    ['a character without a token or bytes', keys, 'it has no id for "x"'],
    ['missing scores', withKey(keys, 'scores'), '"tokenizer.ggml.scores" is missing'],
    ['missing kinds', withKey(keys, 'token_type'), '"tokenizer.ggml.token_type" is missing'],
    ['too few scores', withKey(keys, 'scores', 'float32s', [1]), 'has 1 items for 11 tokens'],
    [
      'a score that is no number',
      withKey(keys, 'scores', 'float32s', scores.with(4, NaN)),
      'the score of token 4',
    ],
    [
      'scores that are all the same',
      withKey(
        keys,
        'scores',
        'float32s',
        tokens.map(() => -1000),
      ),
      'the order of merges is lost',
    ],
    [
      'a token twice',
      withKey(keys, 'tokens', 'strings', tokens.with(4, 'a')),
      'tokens 3 and 4 are both "a"',
    ],
    [
      'white space that is left out',
      withKey(keys, 'remove_extra_whitespaces', 'bool', true),
      'remove_extra_whitespaces',
    ],
    [
      'a map of characters',
      withKey(keys, 'precompiled_charsmap', 'int32s', [1]),
      'precompiled_charsmap',
    ],
    [
      'a BOS that there is not',
      withKey(keys, 'bos_token_id', 'uint32', 99),
      'BOS is to be added, but there is no token 99',
    ],
    [
      'a long token',
      withKey(keys, 'tokens', 'strings', ['a'.repeat(5000)]),
      'over the limit of 4096',
    ],
    ['texts that are numbers', withKey(keys, 'tokens', 'int32s', [1]), 'it lists no texts'],
  ])('is refused for %s', (_, each, message) => {
    expect(() => encoderOf(each)('x')).toThrow(message);
  });
});

describe('a byte-level vocabulary', () => {
  const small = smallTokenizer();
  const keys = byteLevelKeys(small, 'llama-bpe');

  it.each([
    // Numbers of three digits; a word that is a token needs no merges; NFC or not.
    ['llama-bpe', '1234', ['123', '4']],
    ['qwen2', '1234', ['1', '2', '3', '4']],
    ['starcoder', '1234', ['1', '2', '3', '4']],
    ['gpt-2', '1234', ['123', '4']],
    ['gpt-2', 'ab ab', ['ab', 'Ġ', 'ab']],
    ['llama-bpe', 'ab ab', ['ab', 'Ġab']],
    ['llama-bpe', 'x\n\ny', ['x', 'ĊĊ', 'y']],
    ['gpt-2', 'x\n\ny', ['x', 'Ċ', 'Ċ', 'y']],
    ['gpt-2', 'e\u0301', ['e', 'Ì', 'ģ']],
    ['qwen2', 'e\u0301', ['Ã', '©']],
  ])('is cut as %s says: %j', (pre, text, expected) => {
    const encode = encoderOf(byteLevelKeys(small, pre, false));
    const tokens = Object.keys(small.model.vocab);
    const ids = Object.fromEntries(tokens.map((token) => [small.model.vocab[token], token]));
    expect([...encode(text)].map((id) => ids[id])).toEqual(expected);
  });

  it('is cut by every name that is known', () => {
    for (const pre of GGUF_PRE_TOKENIZERS.keys()) {
      const encode = encoderOf(byteLevelKeys(small, pre, false));
      for (const text of TOKENIZER_TEXTS) {
        if (text !== text.normalize('NFC')) continue;
        // No character is lost: each byte has a token, and tokens say what they stand for.
        const tokens = Object.entries(small.model.vocab);
        const texts = new Map(tokens.map(([token, id]) => [id, token]));
        const written = [...encode(text)].map((id) => texts.get(id)).join('');
        const bytes = Uint8Array.from(written, (each) => BYTE_CHARACTERS.indexOf(each));
        expect(new TextDecoder().decode(bytes), `${pre}: ${JSON.stringify(text)}`).toBe(text);
      }
    }
  });

  it.each<[string, GgufKeys, string]>([
    ['another kind', withKey(keys, 'model', 'string', 'rwkv'), 'a tokenizer of kind "rwkv"'],
    ['no kind', withKey(keys, 'model'), '"tokenizer.ggml.model" is missing'],
    [
      'an unknown expression',
      withKey(keys, 'pre', 'string', 'new'),
      'how "new" ("tokenizer.ggml.pre")',
    ],
    ['no expression', withKey(keys, 'pre'), '"tokenizer.ggml.pre" is missing'],
    ['missing merges', withKey(keys, 'merges'), '"tokenizer.ggml.merges" is missing'],
    [
      'a merge of tokens that it lacks',
      withKey(keys, 'merges', 'strings', ['q q']),
      'merge 1: the vocabulary lacks "qq"',
    ],
    [
      'a byte without a token',
      withKey(withKey(keys, 'tokens', 'strings', ['a']), 'token_type', 'int32s', [1]),
      'no token for the byte 0',
    ],
    [
      'a space in front',
      withKey(keys, 'add_space_prefix', 'bool', true),
      'add_space_prefix" is set',
    ],
    [
      'a text that may be normalized',
      withKey(keys, 'pre', 'string', 'tekken'),
      'not in Unicode\'s form C, and whether "tekken"',
    ],
  ])('is refused for %s', (_, each, message) => {
    expect(() => encoderOf(each)('e\u0301')).toThrow(message);
  });
});

describe('tokenize', () => {
  async function modelOf(keys: GgufKeys, beside: readonly string[] = []) {
    const folder = join(await temporaryFolder(), 'model');
    await mkdir(folder);
    await writeFile(join(folder, 'a.gguf'), ggufOf(keys));
    for (const name of beside) {
      await writeFile(join(folder, name), await readFile(join(SAMPLE, name)));
    }
    const { files } = await openLocalCheckpoint(join(folder, 'a.gguf'));
    return { files, folder, fileSystem: localFileSystem };
  }
  const keys = byteLevelKeys(smallTokenizer(), 'gpt-2');
  const unknown = withKey(keys, 'pre', 'string', 'new');

  it('takes the vocabulary of the file, also where a tokenizer.json is beside it', async () => {
    for (const beside of [[], ['tokenizer.json']]) {
      const { ids, notes } = await tokenize(HOST, await modelOf(keys, beside), ['ab']);
      expect([...ids[0]]).toEqual([263, 258]);
      expect(notes).toEqual([expect.stringContaining('the vocabulary in a.gguf')]);
    }
  });

  it('takes the tokenizer beside it where that cannot be used, and says so', async () => {
    const { ids, notes } = await tokenize(HOST, await modelOf(unknown, ['tokenizer.json']), ['ab']);
    const document = await readJson<Document>(SAMPLE, 'tokenizer.json');
    expect([...ids[0]]).toEqual([...makeTextEncoder(document, {})('ab')]);
    expect(notes).toEqual([expect.stringContaining('how "new"')]);
    const bare = await modelOf([], ['tokenizer.json']);
    expect((await tokenize(HOST, bare, ['ab'])).notes).toEqual([]);
  });

  it('says what is wrong with it where nothing is beside it', async () => {
    await expect(tokenize(HOST, await modelOf(unknown), ['ab'])).rejects.toMatchObject({
      message: expect.stringMatching(
        /a\.gguf: this is no tokenizer that can be used: how "new"/,
      ) as unknown,
      remedy: 'token-ids',
    });
    await expect(tokenize(HOST, await modelOf([]), ['ab'])).rejects.toThrow(
      'there is no such file',
    );
  });
});

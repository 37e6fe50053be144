import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeTekkenEncoder } from '../../../src/model/text/tekken.js';
import { tokenize } from '../../../src/model/text/tokenizer.js';
import type { TokenizerDocument } from '../../../src/model/text/tokenizerDocument.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { HOST, temporaryFolder } from '../../support/checkpoints.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures/tekken');
const read = (name: string) => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as unknown;

const DOCUMENT = read('tekken.json') as {
  readonly config: TokenizerDocument;
  readonly vocab: readonly TokenizerDocument[];
};
const EXPECTED = read('expected.json') as readonly { text: string; ids: readonly number[] }[];
const BOS = 1;

describe('a tekken.json', () => {
  it('gives the ids of tiktoken behind those of special tokens, and BOS in front', () => {
    const encode = makeTekkenEncoder(DOCUMENT);
    expect(EXPECTED.length).toBeGreaterThan(10);
    for (const { text, ids } of EXPECTED) {
      expect({ text, ids: Array.from(encode(text)) }).toEqual({ text, ids: [BOS, ...ids] });
    }
    expect(encode.bos).toEqual({ id: BOS, added: true, needed: false });
  });

  it('takes the id of BOS from the list of special tokens', () => {
    const special_tokens = [
      { rank: 0, token_str: '<unk>' },
      { rank: 4, token_str: '<s>' },
    ];
    expect(makeTekkenEncoder({ ...DOCUMENT, special_tokens })('a')[0]).toBe(4);
  });

  it('is read from the model folder', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'tekken.json'), JSON.stringify(DOCUMENT));
    const model = { folder, fileSystem: localFileSystem, files: [] };
    const texts = EXPECTED.map(({ text }) => text);
    const { ids } = await tokenize(HOST, model, texts);
    expect(ids.map((each) => Array.from(each))).toEqual(EXPECTED.map((each) => [BOS, ...each.ids]));
    await writeFile(join(folder, 'tekken.json'), '{"config": {}}');
    await expect(tokenize(HOST, model, texts)).rejects.toThrow(
      /tekken\.json: this is no tokenizer that can be used: "config": "pattern" is missing/,
    );
  });

  const { config, vocab } = DOCUMENT;
  it.each<[what: string, document: TokenizerDocument, message: RegExp]>([
    ['no configuration', {}, /"config" is not an object/],
    [
      'a vocabulary that is too short',
      { config, vocab: vocab.slice(9) },
      /"vocab" has \d+ tokens, where/,
    ],
    ['ranks out of order', { config, vocab: [vocab[1], ...vocab] }, /entry 1: its rank is not 0/],
    [
      'no base64',
      { config, vocab: [{ rank: 0, token_bytes: 'a' }, ...vocab.slice(1)] },
      /entry 1: "token_bytes"/,
    ],
    [
      'an empty token',
      { config, vocab: [{ rank: 0, token_bytes: '' }, ...vocab.slice(1)] },
      /entry 1: "token_bytes"/,
    ],
    [
      'a token twice',
      { config, vocab: vocab.with(257, { ...vocab[256], rank: 257 }) },
      /entry 258: the token of rank 256 is the same/,
    ],
    [
      'another token in the place of a byte',
      { config, vocab: [{ ...vocab[1], rank: 0 }, ...vocab.slice(1)] },
      /entry 1: the first tokens are the bytes, and this is not that of 0/,
    ],
    [
      'fewer tokens than bytes',
      { config: { ...config, default_vocab_size: 100 }, vocab },
      /counts \d+ tokens, which are not all the bytes/,
    ],
    [
      'sizes that are none',
      { config: { ...config, default_vocab_size: '9' }, vocab },
      /"default_vocab_size" is no number/,
    ],
    [
      'more special tokens than tokens',
      { config: { ...config, default_vocab_size: 3 }, vocab },
      /12 special tokens of a vocabulary of 3/,
    ],
    [
      'BOS among ordinary tokens',
      { config, vocab, special_tokens: [{ rank: 99, token_str: '<s>' }] },
      /entry 1: the id 99/,
    ],
    ['no BOS', { config, vocab, special_tokens: [] }, /"special_tokens" lacks "<s>"/],
    ['an expression that is none', { config: { ...config, pattern: '(' }, vocab }, /./],
  ])('with %s is refused', (_, document, message) => {
    expect(() => makeTekkenEncoder(document)).toThrow(message);
  });
});

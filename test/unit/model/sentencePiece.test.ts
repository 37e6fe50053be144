import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sentencePieceDocuments } from '../../../src/model/text/sentencePieceDocument.js';
import { readSentencePieceModel } from '../../../src/model/text/sentencePieceModel.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import { tokenize } from '../../../src/model/text/tokenizer.js';
import type { TokenizerDocument } from '../../../src/model/text/tokenizerDocument.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { encodeSentencePieces } from '../../support/sentencePieces.js';
import { HOST, temporaryFolder } from '../../support/checkpoints.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures/sentencepiece');

interface Expected {
  readonly text: string;
  readonly ids: readonly number[];
}
const expected = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as Readonly<
  Record<string, readonly Expected[]>
>;
const bytesOf = (name: string) => new Uint8Array(readFileSync(join(FIXTURES, `${name}.model`)));

const LLAMA = { tokenizer_class: 'LlamaTokenizer', add_bos_token: false };
const GEMMA = { tokenizer_class: 'GemmaTokenizer', add_bos_token: false };

function encoderOf(name: string, configuration: TokenizerDocument, added?: TokenizerDocument) {
  const made = sentencePieceDocuments(bytesOf(name), configuration, added);
  return makeTextEncoder(made.document, made.configuration);
}

describe('a SentencePiece model', () => {
  it.each([
    ['llama-bpe', LLAMA],
    ['llama-unigram', LLAMA],
    ['gemma-bpe', GEMMA],
  ])('%s gives the ids of SentencePiece', (name, configuration) => {
    const encode = encoderOf(name, configuration);
    expect(expected[name].length).toBeGreaterThan(10);
    for (const { text, ids } of expected[name]) {
      expect({ text, ids: Array.from(encode(text)) }).toEqual({ text, ids });
    }
  });

  it('begins texts with BOS where its class does, and not where it is told otherwise', () => {
    const [{ ids }] = expected['llama-bpe'].filter(({ text }) => text === 'a');
    const byClass = encoderOf('llama-bpe', { tokenizer_class: 'LlamaTokenizer' });
    expect(Array.from(byClass('a'))).toEqual([1, ...ids]);
    expect(byClass.bos).toMatchObject({ id: 1, added: true });
    const gemma = encoderOf('gemma-bpe', { tokenizer_class: 'GemmaTokenizerFast' });
    expect(gemma('a')[0]).toBe(2);
    expect(gemma.bos.needed).toBe(true);
    expect(Array.from(encoderOf('llama-bpe', LLAMA)('a'))).toEqual(ids);
  });

  it('finds special and added tokens, with the fields that the configuration gives them', () => {
    const plain = encoderOf('llama-bpe', LLAMA);
    const [{ ids }] = expected['llama-bpe'].filter(({ text }) => text === 'a');
    expect(Array.from(plain('</s>a'))).toEqual([2, ...ids]);
    const added = encoderOf('llama-bpe', LLAMA, { '<|im_end|>': 640 });
    // It is looked for in the normalized text, to which its space was added.
    const [letter] = Array.from(plain('ba')).slice(-1);
    expect(Array.from(added('<|im_end|>a'))).toEqual([640, letter]);
    const special = encoderOf(
      'llama-bpe',
      { ...LLAMA, pad_token: { content: '<|im_end|>' } },
      { '<|im_end|>': 640 },
    );
    expect(Array.from(special('<|im_end|>a'))).toEqual([640, ...ids]);
    const takesSpace = encoderOf('llama-bpe', {
      ...LLAMA,
      added_tokens_decoder: { 2: { content: '</s>', rstrip: true, special: true } },
    });
    expect(Array.from(takesSpace('</s>  a'))).toEqual([2, ...ids]);
  });

  it('gives added tokens the ids of their file, in any order, unless the configuration lists them', () => {
    const plain = encoderOf('llama-bpe', LLAMA);
    const file = { '<|b|>': 641, '<|a|>': 640 };
    const special = { bos_token: '<s>', eos_token: '<|a|>', pad_token: '<|b|>' };
    const added = encoderOf('llama-bpe', { ...LLAMA, ...special }, file);
    expect(Array.from(added('<|b|><|a|>'))).toEqual([641, 640]);
    const added_tokens_decoder = { 2: { content: '</s>', special: true } };
    const listed = encoderOf('llama-bpe', { ...LLAMA, added_tokens_decoder }, file);
    expect(Array.from(listed('<|b|>'))).toEqual(Array.from(plain('<|b|>')));
  });

  it('puts no space in front of later sections where "legacy" is false', () => {
    const space = expected['llama-bpe'].find(({ text }) => text === ' a')!.ids[0];
    const legacy = encoderOf('llama-bpe', LLAMA);
    const modern = encoderOf('llama-bpe', { ...LLAMA, legacy: false });
    expect(Array.from(legacy(' a'))).toEqual([space, ...Array.from(legacy('a'))]);
    // Metaspace adds none where the text begins with one.
    expect(Array.from(modern(' a'))).toEqual(Array.from(modern('a')));
    expect(modern('</s>a')).not.toEqual(legacy('</s>a'));
  });

  it('takes the tokens of the file for Llama’s, whatever they are called', () => {
    const pieces = ['<unk>', '<|startoftext|>', '<|endoftext|>', '▁', 'a', '▁a'];
    const bos = { ...LLAMA, add_bos_token: true, bos_token: '<|startoftext|>' };
    const made = sentencePieceDocuments(encodeSentencePieces(pieces), bos);
    expect(Array.from(makeTextEncoder(made.document, made.configuration)('a'))).toEqual([1, 5]);
    // Its class begins texts with a token that is not there.
    const none = sentencePieceDocuments(encodeSentencePieces(pieces), {
      ...LLAMA,
      add_bos_token: true,
    });
    expect(() => makeTextEncoder(none.document, none.configuration)).toThrow(/"<s>" has no id/);
  });

  it.each<[name: string, configuration: TokenizerDocument, message: RegExp]>([
    ['removes-spaces', LLAMA, /remove_extra_whitespaces joins spaces/],
    ['adds-no-space', LLAMA, /add_dummy_prefix is false/],
    ['spaces-behind', LLAMA, /treat_whitespace_as_suffix/],
    ['llama-bpe', GEMMA, /piece 0 is "<unk>", where Gemma's tokenizers have "<pad>"/],
    ['llama-bpe', { ...LLAMA, add_prefix_space: null }, /"add_prefix_space" is neither true/],
    ['llama-bpe', { tokenizer_class: 'T5Tokenizer' }, /this is that of a "T5Tokenizer"/],
    ['llama-bpe', {}, /this is that of a model of unknown type: save it as tokenizer\.json/],
  ])('is refused where it would give other ids: %s, %j', (name, configuration, message) => {
    expect(() => encoderOf(name, configuration)).toThrow(message);
  });

  it('is read from the model folder, and named where it is damaged', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'tokenizer.model'), bytesOf('llama-bpe'));
    const model = { folder, fileSystem: localFileSystem, files: [] };
    const texts = expected['llama-bpe'].map(({ text }) => text);
    const { ids, bos } = await tokenize(HOST, model, texts, { modelType: 'mistral' });
    expect(ids.map((each) => Array.from(each))).toEqual(
      expected['llama-bpe'].map((each) => [1, ...each.ids]),
    );
    expect(bos.added).toBe(true);
    await writeFile(join(folder, 'tokenizer.model'), bytesOf('llama-bpe').subarray(0, 5000));
    await expect(tokenize(HOST, model, texts, { modelType: 'mistral' })).rejects.toThrow(
      /tokenizer\.model: this is no tokenizer that can be used: byte \d+: a field of \d+ bytes/,
    );
  });
});

describe('a damaged SentencePiece model', () => {
  it('is refused with the byte at fault wherever it is cut off', () => {
    const bytes = bytesOf('llama-bpe');
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => readSentencePieceModel(bytes.subarray(0, length))).toThrow(
        /^(byte \d+: |it has no (pieces|trainer_spec|normalizer_spec))/,
      );
    }
  });

  const field = (number: number, wire: number, ...content: number[]) => [
    number * 8 + wire,
    ...content,
  ];
  const piece = (...content: number[]) => field(1, 2, content.length, ...content);
  const text = (...letters: number[]) => field(1, 2, letters.length, ...letters);
  it.each<[what: string, bytes: number[], message: RegExp]>([
    [
      'a length beyond the end',
      field(1, 2, 200, 1),
      /byte 0: a field of 200 bytes, of which 0 are/,
    ],
    ['a length of 64 bits', field(1, 2, ...Array<number>(9).fill(255), 1), /a field of \d+ bytes/],
    ['an endless number', field(1, 2, ...Array<number>(20).fill(255)), /more than 64 bits/],
    ['a group', field(1, 3), /fields of kind 3 are not used/],
    ['field 0', [0, 0], /0 is no number of a field/],
    ['an integer for a piece', field(1, 0, 5), /field 1 is not a text or a message/],
    [
      'a text for a score',
      piece(...text(97), ...field(2, 2, 0)),
      /field 2 is not a number of four/,
    ],
    ['no UTF-8', piece(...text(0xc3)), /byte \d+: a text that is not UTF-8/],
    ['a piece without text', piece(), /piece 0 has no text/],
    ['a score that is no number', piece(...text(97), ...field(2, 5, 0, 0, 0xc0, 0x7f)), /is NaN/],
    ['an unknown kind', piece(...text(97), ...field(3, 0, 9)), /piece 0 is of kind 9/],
    [
      'a huge kind',
      piece(...text(97), ...field(3, 0, ...Array<number>(9).fill(255), 1)),
      /of kind/,
    ],
    [
      'a long piece',
      [1 * 8 + 2, 0x84, 0x05, 0x0a, 0x81, 0x05, ...Array<number>(641).fill(97)],
      /more than 512/,
    ],
    ['nothing', [], /it has no pieces/],
  ])('with %s is refused', (_, bytes, message) => {
    expect(() => readSentencePieceModel(Uint8Array.from(bytes))).toThrow(message);
  });
});

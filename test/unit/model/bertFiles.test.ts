import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  bertConfiguration,
  bertDocument,
  parseVocabularyLines,
} from '../../../src/model/text/bertFiles.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import { tokenize } from '../../../src/model/text/tokenizer.js';
import type { TokenizerDocument } from '../../../src/model/text/tokenizerDocument.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { HOST, temporaryFolder } from '../../support/checkpoints.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures/wordpiece');
const vocabulary = readFileSync(join(FIXTURES, 'vocab.txt'), 'utf8');
const { texts, cases } = JSON.parse(readFileSync(join(FIXTURES, 'expected.json'), 'utf8')) as {
  readonly texts: readonly string[];
  readonly cases: readonly {
    readonly configuration: TokenizerDocument;
    readonly ids: readonly (readonly number[])[];
  }[];
};

function encoderOf(given: TokenizerDocument, lines = vocabulary, modelType = 'bert') {
  const configuration = bertConfiguration(given, modelType);
  return makeTextEncoder(bertDocument(parseVocabularyLines(lines), configuration), configuration);
}

describe("BERT's vocab.txt", () => {
  it.each(cases)('gives the ids of the original code, $configuration', ({ configuration, ids }) => {
    const encode = encoderOf({ tokenizer_class: 'BertTokenizer', ...configuration });
    expect(texts.length).toBeGreaterThan(80);
    for (const [index, text] of texts.entries()) {
      expect({ text, ids: Array.from(encode(text)) }).toEqual({ text, ids: ids[index] });
    }
  });

  it('is read with any ends of lines, and of equal lines the last counts', () => {
    const expected = new Map([
      ['a', 3],
      ['b', 1],
      ['', 2],
    ]);
    for (const end of ['\n', '\r\n', '\r']) {
      const lines = ['a', 'b', '', 'a'].join(end);
      expect(parseVocabularyLines(lines)).toEqual(expected);
      expect(parseVocabularyLines(lines + end)).toEqual(expected);
    }
    expect(() => parseVocabularyLines('')).toThrow('it has no tokens');
  });

  it.each<[given: TokenizerDocument, message: RegExp]>([
    [{ tokenizer_class: 'MPNetTokenizer' }, /this is that of a "MPNetTokenizer", which may give/],
    [{ do_basic_tokenize: false }, /"do_basic_tokenize" is not true/],
    [{ do_lower_case: null }, /"do_lower_case" is not true or false/],
    [{ tokenize_chinese_chars: 1 }, /"tokenize_chinese_chars" is not true or false/],
    [{ strip_accents: 'no' }, /"strip_accents" is not true, false or null/],
    [{ cls_token: '<s>' }, /it lacks "<s>", its cls_token/],
    [{ sep_token: null }, /there is no sep_token/],
    [{ unk_token: { content: '?!' } }, /it lacks "\?!", its unk_token/],
  ])('is refused where it would give other ids: %j', (given, message) => {
    expect(() => encoderOf(given)).toThrow(message);
  });

  it('is read from the model folder, and named where it is at fault', async () => {
    const folder = await temporaryFolder();
    const write = (name: string, content: string | Uint8Array) =>
      writeFile(join(folder, name), content);
    const attempt = async (modelType = 'bert') => {
      const model = { folder, fileSystem: localFileSystem, files: [] };
      return (await tokenize(HOST, model, texts, { modelType })).ids.map((ids) => Array.from(ids));
    };
    await write('vocab.txt', vocabulary);
    expect(await attempt()).toEqual(cases[0].ids);
    await write('tokenizer_config.json', '{"do_lower_case": false}');
    expect(await attempt()).toEqual(cases[1].ids);
    await expect(attempt('gpt2')).rejects.toThrow(/vocab\.txt: .* a model of type "gpt2"/);
    await write('vocab.txt', `\ufeff${vocabulary}`);
    // The first token is another one then; the reference finds no [PAD] either.
    const pad = texts.findIndex((text) => text.includes('[PAD]'));
    expect((await attempt())[pad]).not.toEqual(cases[1].ids[pad]);
    await write('vocab.txt', Uint8Array.of(0x61, 0x0a, 0xff));
    await expect(attempt()).rejects.toThrow(/vocab\.txt: this is no tokenizer that can be used: /);
    await write('added_tokens.json', '{}');
    await expect(attempt()).rejects.toThrow(/added_tokens\.json: .* beside vocab\.txt/);
  });

  it('is that of no other type of model', () => {
    expect(() => encoderOf({}, vocabulary, 'gpt2')).toThrow(/of a model of type "gpt2"/);
    const encode = encoderOf({ tokenizer_class: 'BertTokenizerFast' }, vocabulary, 'gpt2');
    expect(Array.from(encode('a'))).toEqual(Array.from(encoderOf({})('a')));
  });
});

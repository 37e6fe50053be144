import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkTokenizerDocument } from '../../../src/model/text/tokenizerDocument.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import { SAMPLE } from '../../support/checkpoints.js';

interface Document {
  [part: string]: unknown;
  model: Record<string, unknown>;
  added_tokens: Record<string, unknown>[];
}

async function sampleDocument(): Promise<Document> {
  return JSON.parse(await readFile(join(SAMPLE, 'tokenizer.json'), 'utf8')) as Document;
}

test('a tokenizer of a wrong form is refused by the name of the place', async () => {
  const split = (pattern: unknown) => ({ type: 'Split', behavior: 'Isolated', pattern });
  const wrong: [(document: Document) => void, RegExp][] = [
    [(document) => (document.model = [] as never), /"model" is not an object/],
    [
      (document) => (document.model.vocab = { a: 0.5 }),
      /the id of "a" is [".0-9]+, not a whole number/,
    ],
    [
      (document) => (document.model.vocab = { a: '0' }),
      /the id of "a" is [".0-9]+, not a whole number/,
    ],
    [(document) => (document.model.vocab = [['a', 'b']]), /entry 1 is not a token and its score/],
    [(document) => (document.model.merges = [1, 2]), /merge 1 is not a pair of texts/],
    [(document) => (document.model.merges = { a: 'b' }), /"merges" is not a list/],
    [(document) => (document.model.unk_token = 3), /"unk_token" is not a text/],
    [
      (document) => (document.added_tokens[0].id = 4294967296),
      /the id of "<s>" is 4294967296, not a whole number/,
    ],
    [(document) => (document.added_tokens[0].content = null), /"content" is not a text/],
    [(document) => (document.pre_tokenizer = 'ByteLevel'), /"pre_tokenizer" is not an object/],
    [(document) => (document.pre_tokenizer = split({ Regex: 3 })), /"pattern" is not a text/],
    [(document) => (document.pre_tokenizer = split({})), /"pattern" is missing/],
    [
      (document) => (document.normalizer = { type: 'Sequence', normalizers: [null] }),
      /"normalizers", entry 1 is not an object/,
    ],
    [
      (document) => (document.post_processor = { type: 'TemplateProcessing', single: 'A' }),
      /"single" is not a list/,
    ],
  ];
  for (const [spoil, message] of wrong) {
    const document = await sampleDocument();
    spoil(document);
    expect(() => makeTextEncoder(document, {})).toThrow(message);
  }
});

test('steps that are nested without end are refused', async () => {
  const document = await sampleDocument();
  let step: unknown = { type: 'Lowercase' };
  for (let depth = 0; depth < 100_000; depth++) step = { type: 'Sequence', normalizers: [step] };
  document.normalizer = step;
  expect(() => checkTokenizerDocument(document)).toThrow(/nested more than 16 deep/);
});

test('a tokenizer as published is of the right form', async () => {
  expect(() => checkTokenizerDocument(undefined)).toThrow(/the text is missing/);
  const document = await sampleDocument();
  expect(() => checkTokenizerDocument(document)).not.toThrow();
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gpt2Configuration, gpt2Document, parseMerges } from '../../../src/model/text/gpt2Files.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures/tokenizers');

async function read<Entry>(name: string): Promise<Entry[]> {
  return JSON.parse(await readFile(join(FIXTURES, name), 'utf8')) as Entry[];
}

type Document = Record<string, unknown>;
interface Published {
  name: string;
  text: string;
  ids: number[];
  configuration: Document;
  tokenizer: Document;
}

describe('ids are those of the reference', () => {
  it('for tokenizers after public reports', async () => {
    for (const { name, text, ids, configuration, tokenizer } of await read<Published>(
      'published.json',
    )) {
      expect([...makeTextEncoder(tokenizer, configuration)(text)], name).toEqual(ids);
    }
  });

  it('for every kind of normalizer, pre-tokenizer, model and added token (tokenizers 0.23.2)', async () => {
    type Entry = { tokenizer: Document; texts: { text: string; ids: number[] }[] };
    for (const { tokenizer, texts } of await read<Entry>('random.json')) {
      const encode = makeTextEncoder(tokenizer, {});
      for (const { text, ids } of texts) {
        const { normalizer, pre_tokenizer } = tokenizer;
        expect([...encode(text)], JSON.stringify({ normalizer, pre_tokenizer, text })).toEqual(ids);
      }
    }
  });
});

const LETTERS = { a: 0, b: 1, '<s>': 2, '</s>': 3, '<bos>': 4 };
const model = { type: 'WordLevel', unk_token: 'a', vocab: LETTERS };
const TEMPLATE = {
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  special_tokens: { '<s>': { id: '<s>', ids: [2], tokens: ['<s>'] } },
};

describe('special tokens', () => {
  const NAMED = { bos_token: '<s>', eos_token: { content: '</s>', lstrip: false } };
  it.each<[string, unknown, Document, number[]]>([
    ['the template as it is without a word of it', TEMPLATE, {}, [2, 1]],
    ['a flag that takes BOS away', TEMPLATE, { ...NAMED, add_bos_token: false }, [1]],
    [
      'flags that add both',
      null,
      { ...NAMED, add_bos_token: true, add_eos_token: true },
      [2, 1, 3],
    ],
    ['EOS alone, which leaves no BOS', TEMPLATE, { ...NAMED, add_eos_token: true }, [1, 3]],
    ['the class of Llama', null, { tokenizer_class: 'LlamaTokenizerFast' }, [2, 1]],
    ['the class of Gemma', null, { tokenizer_class: 'GemmaTokenizer' }, [4, 1]],
    [
      'the class of Llama told not to',
      null,
      { tokenizer_class: 'LlamaTokenizer', add_bos_token: false },
      [1],
    ],
    ['another class', null, { ...NAMED, tokenizer_class: 'PreTrainedTokenizerFast' }, [1]],
    [
      'a BOS to be added that there is not',
      TEMPLATE,
      { add_bos_token: true, bos_token: null },
      [2, 1],
    ],
  ])('follow %s', (_, post_processor, configuration, ids) => {
    expect([...makeTextEncoder({ model, post_processor }, configuration)('b')]).toEqual(ids);
  });

  it('are the ids that the template gives, not what its names are in the vocabulary', () => {
    const special_tokens = { '<s>': { id: '<s>', ids: [4, 3], tokens: ['<bos>', '</s>'] } };
    const document = { model, post_processor: { ...TEMPLATE, special_tokens } };
    expect([...makeTextEncoder(document, {})('b')]).toEqual([4, 3, 1]);
  });

  it('are refused where they have no id', () => {
    const configuration = { tokenizer_class: 'LlamaTokenizer', bos_token: '<new>' };
    expect(() => makeTextEncoder({ model }, configuration)).toThrow('"<new>" has no id');
  });
});

describe('what would give other ids is refused by name', () => {
  const bpe = { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: [['a', 'b']] };
  const added = (tokens: Document[]) => ({ model, added_tokens: tokens });
  it.each<[string, Document, string]>([
    ['dropout', { model: { ...bpe, dropout: 0.1 } }, 'dropout'],
    [
      'prefixes',
      { model: { ...bpe, continuing_subword_prefix: '##' } },
      'continuing_subword_prefix',
    ],
    [
      'merges outside the vocabulary',
      { model: { ...bpe, merges: [['b', 'a']] } },
      'merge 1: the vocabulary lacks "ba"',
    ],
    [
      'atomic groups',
      { model, normalizer: { type: 'Replace', pattern: { Regex: '(?>a|ab)c' }, content: '' } },
      'atomic group',
    ],
    [
      'possessive quantifiers',
      { model, pre_tokenizer: { type: 'Split', behavior: 'Removed', pattern: { Regex: 'a++ab' } } },
      'possessive',
    ],
    [
      'scripts',
      { model, pre_tokenizer: { type: 'UnicodeScripts' } },
      '"UnicodeScripts" is not known',
    ],
    [
      'numbers of added tokens',
      added([{ content: 'x', id: 9 }]),
      '"x" has id 9 in the file but gets 5',
    ],
    ['a type of its own', { model: { ...model, type: 'New' } }, '"New" is not known'],
  ])('%s', (_, document, message) => {
    expect(() => makeTextEncoder(document, {})).toThrow(message);
  });
});

describe('vocab.json and merges.txt', () => {
  it('are a byte-level tokenizer of GPT-2', () => {
    const vocabulary = { Ġ: 0, a: 1, b: 2, ab: 3, '<|endoftext|>': 4 };
    const document = gpt2Document(vocabulary, parseMerges('#version: 0.2\r\na b\r\n'));
    const encode = makeTextEncoder(document, gpt2Configuration({}, 'gpt2'));
    expect([...encode('ab ba<|endoftext|>')]).toEqual([3, 0, 2, 1, 4]);
    const configuration = { tokenizer_class: 'GPT2Tokenizer', add_bos_token: true };
    const withBos = makeTextEncoder(document, gpt2Configuration(configuration, undefined));
    expect([...withBos('ab')]).toEqual([4, 3]);
  });

  it('are refused of other tokenizers, and where a line is no pair', () => {
    expect(() => gpt2Configuration({ tokenizer_class: 'Qwen2Tokenizer' }, 'gpt2')).toThrow(
      'that of a "Qwen2Tokenizer"',
    );
    expect(() => gpt2Configuration({}, 'llama')).toThrow('a model of type "llama"');
    expect(() => parseMerges('a b\na b c')).toThrow('line 2 is not a pair of tokens');
  });
});

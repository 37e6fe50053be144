import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import { tokenize } from '../../../src/model/text/tokenizer.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { HOST, SAMPLE, temporaryFolder } from '../../support/checkpoints.js';

const texts = ['One day, a girl'];

/** A tokenizer that takes a whole text for one word, as SentencePiece's converted ones do. */
function wholeTextTokenizer() {
  const merges = [
    ['a', 'b'],
    ['ab', 'a'],
    ['▁', 'a'],
    ['▁', '▁'],
    ['b', 'b'],
    ['▁▁', '▁▁'],
    ['c', '😀'],
  ];
  const tokens = ['<unk>', ...Array.from('abc▁😀'), ...merges.map((merge) => merge.join(''))];
  return {
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

/** Unigram behind Metaspace, with a token that crosses no word but joins spaces. */
function unigramTokenizer(split: boolean | undefined) {
  return {
    pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split },
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
}

describe('textEncoder', () => {
  it('cuts long words without changing a single id', () => {
    const document = wholeTextTokenizer();
    const encode = makeTextEncoder(document, {});
    // The library over the whole word, uncut.
    const library = new Tokenizer(document, {});
    const piece = fc.constantFrom('a', 'b', 'c', ' ', '  ', 'x', '😀', 'ab', 'aba', 'bb');
    const text = fc.array(piece, { minLength: 300, maxLength: 900 }).map((all) => all.join(''));
    fc.assert(
      fc.property(text, (text) => {
        expect([...encode(text)]).toEqual(library.encode(text).ids);
      }),
      { numRuns: 100 },
    );
  });

  it.each([0.5, '0', -1, 4294967296, 1e20, null, true, [1], { a: 1 }])(
    'refuses the id %j, which would be folded into that of another token',
    (id) => {
      const encode = (change: object, more: object = {}) =>
        makeTextEncoder({ model: { ...wholeTextTokenizer().model, ...change }, ...more }, {});
      const { vocab } = wholeTextTokenizer().model;
      const message = /^the id of "[^"]+" is .*, not a whole number from 0 to 2147483647$/;
      expect(() => encode({ vocab: { ...vocab, new: id } })).toThrow(message);
      expect(() => encode({}, { added_tokens: [{ id, content: 'new' }] })).toThrow(message);
      if (id === null) return;
      const unigram = { ...unigramTokenizer(true).model, unk_id: id };
      expect(() => makeTextEncoder({ model: unigram }, {})).toThrow(message);
    },
  );

  it('lets Metaspace cut in front of every space unless told not to', () => {
    // "▁▁▁a": three words, or one whose best pieces join spaces.
    expect([...makeTextEncoder(unigramTokenizer(undefined), {})('   a')]).toEqual([1, 1, 4]);
    expect([...makeTextEncoder(unigramTokenizer(false), {})('   a')]).toEqual([2, 4]);
  });

  it('takes a Metaspace that replaces spaces by nothing', () => {
    const tokenizer = unigramTokenizer(true);
    const pre_tokenizer = { ...tokenizer.pre_tokenizer, replacement: '' };
    expect([...makeTextEncoder({ ...tokenizer, pre_tokenizer }, {})('aa')]).toEqual([3, 3]);
  });

  it('takes texts of more tokens than a call has room for', () => {
    const ids = makeTextEncoder(unigramTokenizer(true), {})(' a'.repeat(300_000));
    expect(ids).toHaveLength(300_000);
    expect(ids.every((id) => id === 4)).toBe(true);
  });
});

describe('tokenize', () => {
  const local = (folder: string) => ({ files: [], folder, fileSystem: localFileSystem });

  it("gives the sample's ids, its special tokens included", async () => {
    const card = JSON.parse(await readFile(join(SAMPLE, 'card.json'), 'utf8'));
    const text = await readFile(join(SAMPLE, 'eval.txt'), 'utf8');
    const {
      ids: [ids, short],
    } = await tokenize(HOST, local(SAMPLE), [text, '']);
    expect(ids).toHaveLength(card.totalIds);
    expect([...ids.subarray(0, card.firstIds.length)]).toEqual(card.firstIds);
    expect([...short]).toEqual([0]);
  });

  it('says which file is missing, and that others do not do', async () => {
    const folder = await temporaryFolder();
    const attempt = () => tokenize(HOST, local(folder), texts);
    await expect(attempt()).rejects.toThrow(`${join(folder, 'tokenizer.json')}: there is no such`);
    await writeFile(join(folder, 'spiece.model'), '');
    await expect(attempt()).rejects.toThrow(/tokenizer\.json.*\(spiece\.model alone cannot/);
  });

  it("reads GPT-2's two files where there is no other", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'vocab.json'), '{"a": 0, "b": 1, "ab": 2, "<s>": 3}');
    await writeFile(join(folder, 'merges.txt'), '#version: 0.2\na b\n');
    await writeFile(join(folder, 'special_tokens_map.json'), '{"bos_token": {"content": "<s>"}}');
    const configuration = '{"tokenizer_class": "GPT2Tokenizer", "add_bos_token": true}';
    await writeFile(join(folder, 'tokenizer_config.json'), configuration);
    const { ids, bos } = await tokenize(HOST, local(folder), ['aba']);
    expect([...ids[0]]).toEqual([3, 2, 0]);
    expect(bos).toMatchObject({ id: 3, added: true });
    await writeFile(join(folder, 'merges.txt'), 'a b\nab\n');
    await expect(tokenize(HOST, local(folder), ['a'])).rejects.toThrow(
      `${join(folder, 'merges.txt')}: this is no tokenizer that can be used: line 2 is not`,
    );
    await writeFile(join(folder, 'added_tokens.json'), '{}');
    await expect(tokenize(HOST, local(folder), ['a'])).rejects.toThrow('added_tokens.json: added');
  });

  it.each(['spiece.model', 'tiktoken.model', 'merges.txt'])(
    'names %s where that is all there is',
    async (name) => {
      const folder = await temporaryFolder();
      await writeFile(join(folder, name), '{}');
      await expect(tokenize(HOST, local(folder), texts)).rejects.toThrow(`(${name} alone cannot`);
    },
  );

  it('names the file that is no tokenizer', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'tokenizer.json');
    await writeFile(path, '{"model": {"type": "\\nNEW"}}');
    const attempt = () => tokenize(HOST, local(folder), texts);
    await expect(attempt()).rejects.toThrow(new RegExp(`^${path}: .*its type .* is not known`));
    await copyFile(join(SAMPLE, 'tokenizer.json'), path);
    await writeFile(join(folder, 'tokenizer_config.json'), '{');
    await expect(attempt()).rejects.toThrow(/tokenizer_config\.json: /);
  });

  /** A folder with the sample's tokenizer, changed. */
  async function folderWith(changes: object): Promise<string> {
    const folder = await temporaryFolder();
    const sample = JSON.parse(await readFile(join(SAMPLE, 'tokenizer.json'), 'utf8')) as object;
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify({ ...sample, ...changes }));
    return folder;
  }

  const ENDLESS = { Regex: '(a+)+$' };

  it.each([
    [
      'a pre-tokenizer',
      { pre_tokenizer: { type: 'Split', pattern: ENDLESS, behavior: 'Isolated' } },
    ],
    ['a normalizer', { normalizer: { type: 'Replace', pattern: ENDLESS, content: '' } }],
  ])('ends %s whose expression never finishes', async (_, changes) => {
    const folder = await folderWith(changes);
    const text = `${'a'.repeat(40)}!`;
    const work = tokenize(HOST, local(folder), [text], { limitSeconds: 2 });
    const path = join(folder, 'tokenizer.json');
    await expect(work).rejects.toThrow(
      `${path}: its expressions did not finish within 2 seconds on this text`,
    );
    await expect(work).rejects.toMatchObject({ remedy: 'token-ids' });
  });

  it('stops such an expression when cancelled, too', async () => {
    const folder = await folderWith({
      normalizer: { type: 'Replace', pattern: ENDLESS, content: '' },
    });
    const signal = AbortSignal.timeout(500);
    const work = tokenize(HOST, local(folder), [`${'a'.repeat(40)}!`], { signal });
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
  });

  it.each([
    ['['.repeat(1_000_000), 'the JSON cannot be read: byte 127: nesting deeper than 127 levels'],
    ['null', 'the text is JSON but not an object'],
    [
      '{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b",["a","b"]]}}',
      'merge 2 is not a pair of texts',
    ],
  ])('says in plain words what is wrong with %.60j', async (text, problem) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'tokenizer.json'), text);
    await expect(tokenize(HOST, local(folder), texts)).rejects.toThrow(problem);
  });

  it('stops at once when cancelled', async () => {
    const cancellation = new AbortController();
    const { signal } = cancellation;
    // Aborted as soon as somebody listens: the thread is at work then.
    const listen = signal.addEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof listen>) => {
      listen(...args);
      cancellation.abort();
    };
    const work = tokenize(HOST, local(SAMPLE), ['word '.repeat(5_000_000)], { signal });
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
  });
});

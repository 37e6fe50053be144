import { describe, expect, it } from 'vitest';
import {
  cutDocumentWindows,
  splitDocuments,
  cutStreamWindows,
  findBosWindows,
  parseTokenIdWindows,
  readTokenIdWindows,
} from '../../../src/model/text/windows.js';

const limits = { vocabularySize: 1000, maxPositions: 512, positionsAreHard: false };
const hard = { ...limits, positionsAreHard: true };

function ids(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => index % 1000);
}

describe('BOS in every window', () => {
  const BOS = 900;
  const rows = (windows: { ids: readonly Int32Array[] }) => windows.ids.map((each) => [...each]);

  it('stands in the place of the first id of each, so that windows lie where they lay', () => {
    const text = Int32Array.from([BOS, 1, 2, 3, 4, 5, 6, 7]);
    const windows = cutStreamWindows(text, { context: 4 }, limits, BOS);
    expect(rows(windows)).toEqual([
      [BOS, 1, 2, 3],
      [BOS, 5, 6, 7],
    ]);
    expect([...text]).toEqual([BOS, 1, 2, 3, 4, 5, 6, 7]);
    expect(findBosWindows(windows.ids, BOS)).toBe('every');
  });

  it('is put in front of a text that the tokenizer begins otherwise', () => {
    const text = Int32Array.from([1, 2, 3, 4, 5]);
    expect(rows(cutStreamWindows(text, { context: 3 }, limits, BOS))).toEqual([
      [BOS, 1, 2],
      [BOS, 4, 5],
    ]);
    const documents = cutDocumentWindows([text, Int32Array.of(BOS, 1)], {}, limits, BOS);
    expect(rows(documents)).toEqual([
      [BOS, 1, 2, 3, 4, 5],
      [BOS, 1],
    ]);
  });

  it('is told of windows as they are', () => {
    const [with_, without] = [Int32Array.of(BOS, 1), Int32Array.of(1, 2)];
    expect(findBosWindows([with_, without], BOS)).toBe('first');
    expect(findBosWindows([without, with_], BOS)).toBe('some');
    expect(findBosWindows([without], BOS)).toBe('none');
    expect(findBosWindows([with_], undefined)).toBe('none');
  });
});

describe('stream', () => {
  it('cuts windows that do not overlap and drops the tail', () => {
    const windows = cutStreamWindows(ids(11), { context: 4 }, limits);
    expect(windows.ids.map((window) => [...window])).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    expect(windows).toMatchObject({
      protocol: 'stream',
      context: 4,
      totalTokens: 11,
    });
  });

  it('keeps a last window that is just full, and only as many as asked for', () => {
    expect(cutStreamWindows(ids(8), { context: 4 }, limits).ids).toHaveLength(2);
    const first = cutStreamWindows(ids(12), { context: 4, windows: 2 }, limits);
    expect(first.ids).toHaveLength(2);
    expect(cutStreamWindows(ids(8), { context: 4, windows: 9 }, limits).ids).toHaveLength(2);
  });

  it("takes the model's positions, at most 2048, where no context is asked for", () => {
    expect(cutStreamWindows(ids(600), {}, limits).context).toBe(512);
    const long = { ...limits, maxPositions: 131072 };
    expect(cutStreamWindows(ids(5000), {}, long).context).toBe(2048);
    expect(cutStreamWindows(ids(5000), { context: 4096 }, long).context).toBe(4096);
  });

  it('says how many tokens a text has that is too short', () => {
    expect(() => cutStreamWindows(ids(511), {}, limits)).toThrow(
      /the text has 511 tokens, too few for a single window of 512/,
    );
    expect(() => cutStreamWindows(ids(1), {}, limits)).toThrow('the text has 1 token; at least 2');
    expect(() => cutStreamWindows(ids(0), {}, limits)).toThrow('the text has 0 tokens');
  });

  it('refuses windows beyond positions that are learned, and only those', () => {
    const request = { context: 513 };
    expect(() => cutStreamWindows(ids(600), request, hard)).toThrow(
      'windows of 513 tokens are too long: the model has 512 positions',
    );
    expect(cutStreamWindows(ids(600), request, limits).ids[0]).toHaveLength(513);
  });

  it("refuses ids beyond the model's vocabulary", () => {
    expect(() =>
      cutStreamWindows(ids(1000), { context: 4 }, { ...limits, vocabularySize: 999 }),
    ).toThrow("the tokenizer gives id 999, but the model's vocabulary has 999 tokens");
  });
});

describe('per document', () => {
  it('splits on the separator, trims, and leaves out what is empty', () => {
    expect(splitDocuments('<|e|> a b \n<|e|>\n\n<|e|>c<|e|>', '<|e|>')).toEqual(['a b', 'c']);
    expect(splitDocuments('a.b', '.')).toEqual(['a', 'b']);
  });

  it('makes a window of each document, cut to the context; a lone token predicts nothing', () => {
    const windows = cutDocumentWindows([ids(3), ids(1), ids(9)], { context: 4 }, limits);
    expect(windows.ids.map(({ length }) => length)).toEqual([3, 4]);
    expect(windows).toMatchObject({
      protocol: 'per-document',
      totalTokens: 13,
    });
    const one = cutDocumentWindows([ids(3), ids(4)], { windows: 1 }, limits);
    expect(one.ids.map(({ length }) => length)).toEqual([3]);
  });

  it('needs a document with something to predict', () => {
    expect(() => cutDocumentWindows([ids(1), ids(0)], {}, limits)).toThrow(
      "none of the text's 2 documents has at least 2 tokens",
    );
  });
});

describe('token ids', () => {
  it('takes an array as one window, and arrays as windows of any length', () => {
    const one = readTokenIdWindows([1, 2, 3], {}, limits);
    expect(one).toMatchObject({ protocol: 'token-ids', context: 3, totalTokens: 3 });
    expect(one.ids.map((window) => [...window])).toEqual([[1, 2, 3]]);
    const two = readTokenIdWindows(
      [
        [5, 0],
        [999, 998, 997, 996],
      ],
      {},
      limits,
    );
    expect(two.ids.map((window) => [...window])).toEqual([
      [5, 0],
      [999, 998, 997, 996],
    ]);
    expect(two.context).toBe(4);
  });

  it.each([
    [{}, 'a JSON array of token ids is wanted'],
    [[], 'there are no token ids'],
    [[7], 'the window has 1 token; at least 2 are needed'],
    [[1, 2.5], 'id 2: 2.5 is not a token id of the model (0 to 999)'],
    [[1, -1], 'id 2: -1 is not a token id'],
    [[1, '2'], 'id 2: "2" is not a token id'],
    [[1, null], 'id 2: null is not a token id'],
    [
      [
        [1, 2],
        [3, 1000],
      ],
      'window 2, id 2: 1000 is not a token id of the model (0 to 999)',
    ],
    [[[1, 2], 3], 'window 2 is not an array of token ids'],
    [[[1, 2], []], 'window 2 has 0 tokens; at least 2 are needed'],
    [
      [
        [1, 2],
        [[3], 4],
      ],
      'window 2, id 1: an array is not a token id',
    ],
  ])('names the place that is wrong in %j', (json, message) => {
    expect(() => readTokenIdWindows(json, {}, limits)).toThrow(message);
  });

  it.each([
    ['[1, 2.0]', 'id 2: 2.0 is not a token id of the model (0 to 999)'],
    ['[[1, 2], [3, 4, 1e1]]', 'window 2, id 3: 1e1 is not a token id'],
    ['[[1, 2], [0.99999999999999999999, 4]]', 'window 2, id 1: 0.99999999999999999999 is not'],
    ['[-0, 2]', 'id 1: -0 is not a token id'],
    ['[1, 4294967296]', 'id 2: 4294967296 is not a token id'],
    ['[1, 1e400]', 'id 2: Infinity is not a token id'],
    ['[1, "__proto__"]', 'id 2: "__proto__" is not a token id'],
    ['[1, {"length": 2.5}]', 'id 2: an object is not a token id'],
    ['[[1, 2], {"0": 1}]', 'window 2 is not an array of token ids'],
  ])('takes ids as they are written in %s', (text, message) => {
    expect(() => parseTokenIdWindows(text, {}, limits)).toThrow(message);
    expect(parseTokenIdWindows('[ [1,2] ,\n[3, 4]]', {}, limits).ids).toHaveLength(2);
  });

  it('checks lengths against the context and against learned positions', () => {
    const long = [Array.from(ids(600))];
    expect(readTokenIdWindows(long, {}, limits).ids[0]).toHaveLength(600);
    expect(() => readTokenIdWindows(long, {}, hard)).toThrow(
      'window 1 has 600 tokens, but the model',
    );
    expect(() => readTokenIdWindows(long, { context: 100 }, limits)).toThrow(
      'window 1 has 600 tokens, more than the context of 100',
    );
  });
});

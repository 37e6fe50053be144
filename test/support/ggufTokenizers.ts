import type { GgufKeys } from './ggufFiles.js';

// What llama.cpp's converter makes of a tokenizer, written once more for tests.

/** The parts of `tokenizer.json` that are converted. */
export interface ConvertedTokenizer {
  readonly added_tokens: readonly { id: number; content: string; special: boolean }[];
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly string[])[];
  };
}

const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const BYTE = 6;

const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;

/** Tokens and their kinds. */
function tokenLists({ added_tokens, model }: ConvertedTokenizer) {
  const tokens: string[] = [];
  const types: number[] = [];
  for (const [token, id] of Object.entries(model.vocab)) {
    tokens[id] = token;
    types[id] = BYTE_TOKEN.test(token) ? BYTE : NORMAL;
  }
  for (const { id, content, special } of added_tokens) {
    tokens[id] = content;
    types[id] = content === '<unk>' ? UNKNOWN : special ? CONTROL : USER_DEFINED;
  }
  return { tokens, types };
}

function specialKeys(tokens: readonly string[], addBos: boolean): GgufKeys {
  return [
    ['tokenizer.ggml.bos_token_id', 'uint32', tokens.indexOf('<s>')],
    ['tokenizer.ggml.eos_token_id', 'uint32', tokens.indexOf('</s>')],
    ['tokenizer.ggml.add_bos_token', 'bool', addBos],
  ];
}

/** Keys of a byte-level tokenizer. */
export function byteLevelKeys(tokenizer: ConvertedTokenizer, pre: string, addBos = true): GgufKeys {
  const { tokens, types } = tokenLists(tokenizer);
  const merges = tokenizer.model.merges.map((merge) =>
    typeof merge === 'string' ? merge : merge.join(' '),
  );
  return [
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', pre],
    ['tokenizer.ggml.tokens', 'strings', tokens],
    ['tokenizer.ggml.token_type', 'int32s', types],
    ['tokenizer.ggml.merges', 'strings', merges],
    ...specialKeys(tokens, addBos),
  ];
}

/** Keys of a SentencePiece tokenizer whose tokens are numbered as they were learnt: each scores less than the one before. */
export function sentencePieceKeys(tokenizer: ConvertedTokenizer): GgufKeys {
  const { tokens, types } = tokenLists(tokenizer);
  return [
    ['tokenizer.ggml.model', 'string', 'llama'],
    ['tokenizer.ggml.tokens', 'strings', tokens],
    ['tokenizer.ggml.scores', 'float32s', types.map((type, id) => (type === NORMAL ? -id : 0))],
    ['tokenizer.ggml.token_type', 'int32s', types],
    ...specialKeys(tokens, true),
  ];
}

const SPACE = '▁';
const LEARNT = 300;
const SPECIAL = ['<unk>', '<s>', '</s>'];
const BYTE_FALLBACK = {
  type: 'BPE',
  unk_token: '<unk>',
  fuse_unk: true,
  byte_fallback: true,
  ignore_merges: false,
};

/**
 * A tokenizer as SentencePiece learns one from a text, in the words of `tokenizer.json`: special tokens, bytes, what was
 * merged in that order, characters. Every way to cut a token in two is a merge, as converters write them.
 */
export function learnSentencePiece(text: string): ConvertedTokenizer & Record<string, unknown> {
  const words = new Map<string, number>();
  for (const word of text.split(/(?= )/)) {
    const spelled = word.replaceAll(' ', SPACE);
    words.set(spelled, (words.get(spelled) ?? 0) + 1);
  }
  let cut = [...words].map(([word, count]) => ({ parts: Array.from(word), count }));
  const characters = new Set(cut.flatMap(({ parts }) => parts));
  const learnt: string[] = [];
  while (learnt.length < LEARNT) {
    const pairs = new Map<string, number>();
    for (const { parts, count } of cut) {
      for (let i = 1; i < parts.length; i++) {
        const pair = `${parts[i - 1]}\0${parts[i]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    }
    const [[pair]] = [...pairs].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const [first, second] = pair.split('\0');
    if (!learnt.includes(first + second)) learnt.push(first + second);
    cut = cut.map(({ parts, count }) => ({ parts: mergePair(parts, first, second), count }));
  }
  const bytes = Array.from({ length: 256 }, (_, byte) => byteToken(byte));
  const tokens = [...SPECIAL, ...bytes, ...learnt, ...characters];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const merges = learnt.flatMap((token) =>
    Array.from({ length: token.length - 1 }, (_, i) => [token.slice(0, i + 1), token.slice(i + 1)])
      .filter((pair) => pair.every((each) => each in vocab))
      .sort(([a, b], [c, d]) => vocab[a] - vocab[c] || vocab[b] - vocab[d]),
  );
  return {
    added_tokens: SPECIAL.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: SPACE },
        { type: 'Replace', pattern: { String: ' ' }, content: SPACE },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { ...BYTE_FALLBACK, vocab, merges },
  };
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

function mergePair(parts: readonly string[], first: string, second: string): string[] {
  const merged: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === first && parts[i + 1] === second) merged.push(parts[i] + parts[++i]);
    else merged.push(parts[i]);
  }
  return merged;
}

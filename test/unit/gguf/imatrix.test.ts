// llama.cpp's importance matrices: what is read, what is written, and what is refused in which words.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeGguf } from '../../../scripts/lib/writeGguf.mjs';
import { findFamily, storedNameOfLinear, translateName } from '../../../src/gguf/families.js';
import {
  meanSquaresOf,
  readImatrixAtOnce,
  type ImportanceMatrix,
} from '../../../src/gguf/imatrix.js';
import { encodeImatrix } from '../../../src/gguf/imatrixBytes.js';
import { CheckpointError } from '../../../src/storage/errors.js';

type Keys = Parameters<typeof encodeGguf>[0];

const KEYS: Keys = [
  ['general.type', 'string', 'imatrix'],
  ['imatrix.datasets', 'strings', ['wiki.train.raw', 'more.txt']],
  ['imatrix.chunk_count', 'uint32', 12],
  ['imatrix.chunk_size', 'uint32', 512],
];

/** Bytes of f32. */
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
/** A tensor by llama.cpp's order of dimensions reversed: [matrices, inputs]. */
const tensor = (name: string, shape: number[], ...values: number[]) => ({
  name,
  shape,
  type: 0,
  data: floats(...values),
});
const SUMS = tensor('blk.0.attn_q.weight.in_sum2', [1, 3], 2, 4, 0);
const COUNTS = tensor('blk.0.attn_q.weight.counts', [1, 1], 4);

const read = (bytes: Uint8Array) => readImatrixAtOnce(bytes, 'a.gguf');
const join = (parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts));

function refusal(bytes: Uint8Array): string {
  try {
    read(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    const { message } = error as Error;
    expect(message).not.toContain('\n');
    return message;
  }
  throw new Error('accepted');
}

/** The older format: entries of [name, calls, values], then chunks and the text. */
function legacy(
  entries: readonly (readonly [name: string, calls: number, values: number[]])[],
  end: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const int = (value: number) => new Uint8Array(Int32Array.of(value).buffer);
  const text = (value: string) => [int(Buffer.byteLength(value)), Buffer.from(value)];
  return join([
    int(entries.length),
    ...entries.flatMap(([name, calls, values]) => [
      ...text(name),
      int(calls),
      int(values.length),
      floats(...values),
    ]),
    end,
  ]);
}

describe('an importance matrix in GGUF', () => {
  it('is read with what it says of itself', () => {
    const others = [tensor('blk.0.attn_q.weight.in_sum', [1, 3], -1, 0, 1)];
    const matrix = read(encodeGguf(KEYS, [SUMS, COUNTS, ...others]));
    expect(matrix).toMatchObject({
      datasets: ['wiki.train.raw', 'more.txt'],
      chunkCount: 12,
      chunkSize: 512,
    });
    expect([...matrix.entries.keys()]).toEqual(['blk.0.attn_q.weight']);
    const entry = matrix.entries.get('blk.0.attn_q.weight')!;
    expect(entry).toMatchObject({ inputs: 3, matrices: 1 });
    expect([...meanSquaresOf(entry)]).toEqual([0.5, 1, 0]);
  });

  it('may have a matrix for each expert; one that saw nothing counts all inputs alike', () => {
    const name = 'blk.1.ffn_up_exps.weight';
    const { entries } = read(
      encodeGguf(KEYS, [
        tensor(`${name}.counts`, [3, 1], 2, 0, 1),
        tensor(`${name}.in_sum2`, [3, 2], 2, 4, 0, 0, 5, 6),
      ]),
    );
    const entry = entries.get(name)!;
    expect([0, 1, 2].map((expert) => [...meanSquaresOf(entry, expert)])).toEqual([
      [1, 2],
      [1, 1],
      [5, 6],
    ]);
  });

  it('does without keys that llama.cpp writes', () => {
    expect(read(encodeGguf([], [SUMS, COUNTS]))).toMatchObject({
      datasets: [],
      chunkCount: 0,
      chunkSize: 0,
    });
  });

  it.each<[string, Uint8Array, string]>([
    [
      'of a model',
      encodeGguf([['general.type', 'string', 'model']], [SUMS, COUNTS]),
      'a.gguf: key "general.type": it is "model", of an importance matrix "imatrix" (InvalidHeader)',
    ],
    [
      'without sums',
      encodeGguf(KEYS, [tensor('a', [1], 1)]),
      'a.gguf: it has no tensors named ….in_sum2: it is no importance matrix (InvalidHeader)',
    ],
    [
      'without counts',
      encodeGguf(KEYS, [SUMS]),
      'a.gguf: tensor "blk.0.attn_q.weight.in_sum2": there is no "blk.0.attn_q.weight.counts" to it (TensorInvalidInfo)',
    ],
    [
      'with counts alone',
      encodeGguf(KEYS, [COUNTS]),
      'a.gguf: tensor "blk.0.attn_q.weight.counts": there is no "blk.0.attn_q.weight.in_sum2" to it (TensorInvalidInfo)',
    ],
    [
      'with NaN',
      encodeGguf(KEYS, [tensor(SUMS.name, [1, 3], 1, NaN, 2), COUNTS]),
      'a.gguf: tensor "blk.0.attn_q.weight.in_sum2": element 2 is NaN, where a finite number from 0 belongs (TensorInvalidInfo)',
    ],
    [
      'with a negative sum',
      encodeGguf(KEYS, [tensor(SUMS.name, [1, 3], 1, 2, -2), COUNTS]),
      'a.gguf: tensor "blk.0.attn_q.weight.in_sum2": element 3 is -2, where a finite number from 0 belongs (TensorInvalidInfo)',
    ],
    [
      'with an endless count',
      encodeGguf(KEYS, [SUMS, tensor(COUNTS.name, [1, 1], Infinity)]),
      'a.gguf: tensor "blk.0.attn_q.weight.counts": element 1 is Infinity, where a finite number from 0 belongs (TensorInvalidInfo)',
    ],
    [
      'with sums for half an expert',
      encodeGguf(KEYS, [SUMS, tensor(COUNTS.name, [2, 1], 1, 1)]),
      'a.gguf: tensor "blk.0.attn_q.weight.in_sum2": 3 sums for 2 counts (TensorInvalidInfo)',
    ],
    [
      'of another type of numbers',
      encodeGguf(KEYS, [{ ...SUMS, type: 1, data: new Uint8Array(6) }, COUNTS]),
      'a.gguf: tensor "blk.0.attn_q.weight.in_sum2": it is F16, where F32 belongs (TensorInvalidInfo)',
    ],
    [
      'that ends early',
      encodeGguf(KEYS, [SUMS, COUNTS]).subarray(0, 40),
      'a.gguf: header: its 4 keys: it needs bytes up to 76, the file ends after 40 (incomplete download?) (InvalidHeaderLength)',
    ],
  ])('%s is refused', (_, bytes, message) => {
    expect(refusal(bytes)).toBe(message);
  });
});

describe('the older format', () => {
  it('holds means times calls', () => {
    const end = join([new Uint8Array(Int32Array.of(7, 3).buffer), Buffer.from('a.b')]);
    const matrix = read(
      legacy(
        [
          ['blk.0.ffn_up.weight', 4, [2, 4]],
          ['b', 0, [3]],
        ],
        end,
      ),
    );
    expect(matrix).toMatchObject({ datasets: ['a.b'], chunkCount: 7, chunkSize: 0 });
    expect([...meanSquaresOf(matrix.entries.get('blk.0.ffn_up.weight')!)]).toEqual([0.5, 1]);
    expect([...meanSquaresOf(matrix.entries.get('b')!)]).toEqual([3]);
    // What stands at the end is not needed.
    expect(read(legacy([['b', 1, [3]]])).datasets).toEqual([]);
  });

  it.each<[string, Uint8Array, string]>([
    [
      'an empty file',
      new Uint8Array(0),
      'a.gguf: header: it needs bytes up to 4, the file ends after 0 (no importance matrix, or an incomplete one) (InvalidHeaderLength)',
    ],
    [
      'a text',
      Buffer.from('An importance matrix, or is it?'),
      'a.gguf: entry 1: a name of 1919905901 bytes: the file is no importance matrix (InvalidHeader)',
    ],
    [
      'no entries',
      legacy([]),
      'a.gguf: header: 0 entries: it is no importance matrix (InvalidHeader)',
    ],
    [
      'NaN',
      legacy([['b', 1, [1, NaN]]]),
      'a.gguf: entry "b": value 2 is NaN, where a finite number from 0 belongs (TensorInvalidInfo)',
    ],
    [
      'an entry twice',
      legacy([
        ['b', 1, [1]],
        ['b', 1, [1]],
      ]),
      'a.gguf: entry "b": it is there twice (DuplicateName)',
    ],
    [
      'an entry of nothing',
      legacy([['b', 1, []]]),
      'a.gguf: entry "b": 0 values (TensorInvalidInfo)',
    ],
    [
      'values that are cut off',
      legacy([['b', 1, [1, 2]]]).subarray(0, 20),
      'a.gguf: entry "b": it needs bytes up to 25, the file ends after 20 (no importance matrix, or an incomplete one) (InvalidHeaderLength)',
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(refusal(bytes)).toBe(message);
  });
});

it('is written so that it reads back, entries by name', () => {
  const number = fc.float({ min: 0, max: 2 ** 100, noNaN: true });
  const entry = fc
    .record({ inputs: fc.integer({ min: 1, max: 9 }), matrices: fc.integer({ min: 1, max: 4 }) })
    .chain(({ inputs, matrices }) =>
      fc.record({
        inputs: fc.constant(inputs),
        matrices: fc.constant(matrices),
        sums: fc.float32Array({ ...exactly(inputs * matrices), min: 0, max: 2 ** 40, noNaN: true }),
        counts: fc.array(number, exactly(matrices)).map((list) => Float32Array.from(list)),
      }),
    );
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'grapheme' }), entry, { minKeys: 1 }),
      fc.array(fc.string()),
      fc.nat(),
      (entries, datasets, chunkSize) => {
        const matrix: ImportanceMatrix = {
          datasets,
          chunkCount: 3,
          chunkSize,
          entries: new Map(Object.entries(entries)),
        };
        const bytes = join(encodeImatrix(matrix));
        const again = read(bytes);
        expect(again).toEqual(matrix);
        expect([...again.entries.keys()]).toEqual(Object.keys(entries).sort());
        // Tensors begin at multiples of 32, as llama.cpp insists.
        expect(bytes.length % 32).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
});

const ARCHITECTURES = [
  ...['llama', 'qwen2', 'qwen3', 'qwen3moe', 'gemma', 'gemma2', 'phi2', 'phi3', 'gpt2', 'gptneox'],
];
const LINEARS = [
  ...['attn_q', 'attn_k', 'attn_v', 'attn_qkv', 'attn_output'],
  ...['ffn_gate', 'ffn_up', 'ffn_down', 'ffn_gate_inp'],
];

const exactly = (length: number) => ({ minLength: length, maxLength: length });

it('is by llama.cpp’s names of linear maps, which its reader translates back', () => {
  expect(storedNameOfLinear('model.layers.12.self_attn.q_proj.weight')).toBe(
    'blk.12.attn_q.weight',
  );
  expect(storedNameOfLinear('language_model.model.layers.0.mlp.down_proj.weight')).toBe(
    'blk.0.ffn_down.weight',
  );
  expect(storedNameOfLinear('transformer.h.3.mlp.c_fc.weight')).toBe('blk.3.ffn_up.weight');
  expect(storedNameOfLinear('model.layers.0.fc1.weight')).toBeUndefined();
  expect(storedNameOfLinear('model.layers.x.self_attn.q_proj.weight')).toBeUndefined();
  expect(storedNameOfLinear('lm_head.weight')).toBeUndefined();
  let translated = 0;
  for (const architecture of ARCHITECTURES) {
    const family = findFamily(architecture, architecture === 'qwen3moe' ? 8 : 0)!;
    for (const module of LINEARS) {
      const stored = `blk.4.${module}.weight`;
      const { name } = translateName(stored, family, { queries: 4, keys: 2 });
      if (name === stored) continue;
      translated++;
      expect(storedNameOfLinear(name)).toBe(stored);
    }
  }
  expect(translated).toBeGreaterThan(50);
});

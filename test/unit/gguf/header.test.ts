import { describe, expect, it } from 'vitest';
import { encodeGguf } from '../../../scripts/lib/writeGguf.mjs';
import { gguf } from '../../../src/gguf/container.js';
import { makeMemorySource } from '../../../src/storage/byteSource.js';
import { CheckpointError, type CheckpointRule } from '../../../src/storage/errors.js';

type Keys = Parameters<typeof encodeGguf>[0];
type Tensors = Parameters<typeof encodeGguf>[1];

const read = (bytes: Uint8Array) => gguf.readHeader(makeMemorySource('a.gguf', bytes), 'a.gguf');

function tensor(name: string, shape: readonly number[], type = 0, bytes?: number) {
  const count = shape.reduce((product, each) => product * each, 1);
  return { name, shape, type, data: new Uint8Array(bytes ?? count * 4) };
}

function file(keys: Keys, tensors: Tensors = [tensor('a', [2, 3])]): Buffer {
  return encodeGguf(keys, tensors);
}

/** The bytes with a 64-bit number written over them. */
function overwritten(bytes: Buffer, at: number, value: bigint): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeBigUInt64LE(value, at);
  return copy;
}

describe('a GGUF header', () => {
  it('lists tensors outermost dimension first, and values as text', async () => {
    const keys: Keys = [
      ['general.architecture', 'string', 'other'],
      ['other.epsilon', 'float32', 1e-5],
      ['other.flag', 'bool', true],
      ['other.sections', 'int32s', [1, 2, 3]],
      ['tokenizer.ggml.tokens', 'strings', ['a', 'b', 'c']],
    ];
    const { tensors, metadata, configuration } = await read(
      file(keys, [tensor('a.weight', [5, 3, 2]), tensor('b.weight', [2, 64], 8, 2 * 2 * 34)]),
    );
    expect(metadata).toEqual({
      'general.architecture': 'other',
      'other.epsilon': '0.00001',
      'other.flag': 'true',
      'other.sections': '[1, 2, 3]',
      'tokenizer.ggml.tokens': '3 texts',
    });
    expect(configuration).toEqual({ model_type: 'other' });
    const [plain, blocks] = tensors;
    expect(plain).toMatchObject({ name: 'a.weight', dtype: 'F32', shape: [5, 3, 2], bytes: 120 });
    expect(blocks).toMatchObject({ dtype: 'U8', shape: [2, 68], bytes: 136, elements: 136 });
    expect(blocks.encoding).toMatchObject({
      label: 'Q8_0',
      shape: [2, 64],
      storedName: 'b.weight',
    });
    expect(blocks.offset % 32).toBe(0);
  });

  it('goes by the names of the model’s definition where the architecture is known', async () => {
    const keys: Keys = [
      ['general.architecture', 'string', 'llama'],
      ['llama.attention.head_count', 'uint32', 2],
    ];
    const names = ['token_embd.weight', 'blk.12.ffn_down.weight', 'blk.0.attn_q.weight', 'x.y'];
    const { tensors } = await read(
      file(
        keys,
        names.map((name) => tensor(name, [4, 4])),
      ),
    );
    expect(tensors.map(({ name }) => name)).toEqual([
      'model.embed_tokens.weight',
      'model.layers.12.mlp.down_proj.weight',
      'model.layers.0.self_attn.q_proj.weight',
      'x.y',
    ]);
    expect(tensors.map(({ encoding }) => encoding?.parameters.rowOrder)).toEqual([
      undefined,
      undefined,
      'interleaved',
      undefined,
    ]);
  });

  it('is read however long its vocabulary is', async () => {
    const words = Array.from({ length: 60_000 }, (_, i) => `a longer token than usual ${i}`);
    const { tensors, metadata } = await read(file([['tokens', 'strings', words]]));
    expect(metadata.tokens).toBe('60,000 texts');
    expect(tensors).toHaveLength(1);
  });

  const good = file([['k', 'string', 'v']]);
  const KEYS = 24;
  /** Bytes after the last tensor, which nobody misses. */
  const PADDING = 8;
  const cases: readonly (readonly [what: string, bytes: Uint8Array, rule: CheckpointRule])[] = [
    ['empty', new Uint8Array(0), 'InvalidHeaderLength'],
    ['another format', Buffer.from('{"a": "JSON text, and long enough"}'), 'InvalidHeader'],
    [
      'an unknown version',
      Buffer.concat([good.subarray(0, 4), Buffer.from([9, 0, 0, 0]), good.subarray(8)]),
      'InvalidHeader',
    ],
    [
      'big-endian',
      Buffer.concat([good.subarray(0, 4), Buffer.from([0, 0, 0, 3]), good.subarray(8)]),
      'InvalidHeader',
    ],
    ['more tensors than bytes', overwritten(good, 8, 1n << 40n), 'InvalidHeaderLength'],
    ['more tensors than can be counted', overwritten(good, 8, 1n << 60n), 'ValidationOverflow'],
    ['too many keys', overwritten(good, 16, 20_000n), 'TooMuchMetadata'],
    ['a key longer than the file', overwritten(good, KEYS, 1n << 33n), 'InvalidHeaderLength'],
    [
      'a type that there is not',
      Buffer.concat([good.subarray(0, 33), Buffer.from([77, 0, 0, 0]), good.subarray(37)]),
      'InvalidHeader',
    ],
    [
      'a key twice',
      file([
        ['k', 'bool', true],
        ['k', 'bool', true],
      ]),
      'DuplicateName',
    ],
    ['a tensor twice', file([], [tensor('a', [1]), tensor('a', [1])]), 'DuplicateName'],
    ['five dimensions', file([], [tensor('a', [1, 1, 1, 1, 1])]), 'TooManyDimensions'],
    ['rows that are no blocks', file([], [tensor('a', [2, 33], 8, 136)]), 'TensorInvalidInfo'],
    [
      'data that is missing',
      file([], [tensor('a', [64])]).subarray(0, -32),
      'MetadataIncompleteBuffer',
    ],
    [
      'sizes that cannot be counted',
      file([], [tensor('a', [2 ** 30, 2 ** 30], 0, 8)]),
      'ValidationOverflow',
    ],
    ['an alignment of 3', file([['general.alignment', 'uint32', 3]]), 'InvalidHeader'],
    ['an alignment of 0', file([['general.alignment', 'uint32', 0]]), 'InvalidHeader'],
    [
      'two names for one tensor',
      file(
        [['general.architecture', 'string', 'qwen2']],
        [tensor('output.weight', [1]), tensor('lm_head.weight', [1])],
      ),
      'DuplicateName',
    ],
  ];
  it.each(cases)('%s is refused in one line', async (_, bytes, rule) => {
    const error = await read(bytes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as CheckpointError).rule).toBe(rule);
    expect((error as CheckpointError).message).toMatch(/^a\.gguf: .*$/);
  });

  it('is refused or read wherever the file is cut off', async () => {
    for (let length = 0; length < good.length - PADDING; length++) {
      const error = await read(good.subarray(0, length)).catch((thrown: unknown) => thrown);
      expect(error, `${length} bytes`).toBeInstanceOf(CheckpointError);
    }
  });
});

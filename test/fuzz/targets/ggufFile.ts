import { encodeGguf } from '../../../scripts/lib/writeGguf.mjs';
import type { OpenedModel } from '../../../src/checkpoint/types.js';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { openStoredSources } from '../../../src/layouts/node/openStored.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openModel } from '../../../src/model/openModel.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import { decodeWeights } from '../decodeWeights.js';
import { bytesOf, withPart, type Input } from '../input.js';
import { filesOf, FOLDER } from '../memoryFiles.js';
import { mutateBytes } from '../mutateBytes.js';
import { plainRefusal, promise, promiseOneLine, refusal, type FuzzTarget } from '../target.js';

const FILE = 'model.gguf';
/** Of a file in parts, which the first part opens. */
const PARTS = ['model-00001-of-00002.gguf', 'model-00002-of-00002.gguf'] as const;

type Keys = Parameters<typeof encodeGguf>[0];

/** A file with one matrix in a type, of two rows. */
function seedOf(architecture: string, type: number, blockBytes: number, blockSize: number): Input {
  const keys: Keys = [
    ['general.architecture', 'string', architecture],
    [`${architecture}.block_count`, 'uint32', 1],
    [`${architecture}.embedding_length`, 'uint32', blockSize],
    [`${architecture}.attention.head_count`, 'uint32', 2],
    [`${architecture}.rope.freq_base`, 'float32', 10000],
    ['tokenizer.ggml.tokens', 'strings', ['a', 'b', 'ab']],
    ['tokenizer.ggml.token_type', 'int32s', [1, 1, 1]],
  ];
  const block = (rows: number) => Uint8Array.from({ length: rows * blockBytes }, (_, i) => i * 37);
  const tensors = [
    { name: 'blk.0.attn_q.weight', shape: [4, blockSize], type, data: block(4) },
    {
      name: 'blk.0.attn_norm.weight',
      shape: [blockSize],
      type: 0,
      data: new Uint8Array(blockSize * 4),
    },
  ];
  return [{ name: FILE, bytes: encodeGguf(keys, tensors) }];
}

/** Types by number, bytes and elements of their blocks. */
const TYPES: readonly (readonly [type: number, bytes: number, size: number])[] = [
  ...([
    [0, 128, 32],
    [1, 64, 32],
    [2, 18, 32],
    [8, 34, 32],
    [39, 17, 32],
    [40, 36, 64],
  ] as const),
  ...([
    [12, 144, 256],
    [14, 210, 256],
    [34, 54, 256],
    [20, 18, 32],
  ] as const),
];

/** A layer of a model of experts: those of a linear map together, or each by itself as older files have them. */
function expertSeed(architecture: string, together: boolean): Input {
  const [size, width, experts] = [32, 64, 2];
  const tensor = (name: string, ...shape: number[]) => {
    const elements = shape.reduce((product, dimension) => product * dimension, 1);
    const type = shape.length > 1 && !name.includes('inp') ? 8 : 0;
    const data = Uint8Array.from({ length: type === 8 ? (elements / 32) * 34 : 4 * elements });
    return { name: `${name}.weight`, shape, type, data: data.fill(0x3c) };
  };
  const linears = [['gate', width, size] as const, ['up', width, size] as const];
  const experted = [...linears, ['down', size, width] as const].flatMap(([name, ...shape]) =>
    together
      ? [tensor(`blk.0.ffn_${name}_exps`, experts, ...shape)]
      : [0, 1].map((expert) => tensor(`blk.0.ffn_${name}.${expert}`, ...shape)),
  );
  const bytes = encodeGguf(
    [
      ['general.architecture', 'string', architecture],
      ...(
        [
          ['block_count', 1],
          ['embedding_length', size],
          ['feed_forward_length', width],
          ['expert_feed_forward_length', width],
          ['attention.head_count', 2],
          ['context_length', 64],
          ['expert_count', experts],
          ['expert_used_count', 1],
        ] as const
      ).map(([key, value]) => [`${architecture}.${key}`, 'uint32', value] as const),
      [`${architecture}.attention.layer_norm_rms_epsilon`, 'float32', 1e-5],
    ],
    [
      ...[tensor('token_embd', 8, size), tensor('output_norm', size)],
      ...[tensor('blk.0.attn_norm', size), tensor('blk.0.ffn_norm', size)],
      ...['q', 'k', 'v', 'output'].map((name) => tensor(`blk.0.attn_${name}`, size, size)),
      ...['q', 'k'].map((name) => tensor(`blk.0.attn_${name}_norm`, size / 2)),
      tensor('blk.0.ffn_gate_inp', experts, size),
      ...experted,
    ],
  );
  return [{ name: FILE, bytes }];
}

/** A file in two parts. */
function splitSeed(): Input {
  return PARTS.map((name, part) => {
    const split: Keys = [
      ['split.no', 'uint32', part],
      ['split.count', 'uint32', 2],
      ['split.tensors.count', 'uint32', 2],
    ];
    const keys: Keys = [
      ['general.architecture', 'string', 'llama'],
      ['llama.attention.head_count', 'uint32', 2],
    ];
    const tensor = { name: `blk.${part}.attn_q.weight`, shape: [4, 32], type: 8 };
    const tensors = [{ ...tensor, data: Uint8Array.from({ length: 136 }, (_, i) => i) }];
    return { name, bytes: encodeGguf(part === 0 ? [...keys, ...split] : split, tensors) };
  });
}

/** Lays the model out, or has it refused in one line. */
async function planModel(model: OpenedModel): Promise<void> {
  try {
    await planLanguageModel(model);
  } catch (error) {
    plainRefusal(error);
  }
}

/** GGUF files, opened as models, decoded and laid out. */
export const ggufFile: FuzzTarget = {
  name: 'gguf',
  seeds: () => [
    ...['llama', 'gemma', 'gptneox'].flatMap((architecture) =>
      TYPES.map(([type, bytes, size]) => seedOf(architecture, type, bytes, size)),
    ),
    ...['llama', 'qwen3moe'].flatMap((architecture) =>
      [true, false].map((together) => expertSeed(architecture, together)),
    ),
    splitSeed(),
  ],
  mutate(input, random, pool) {
    const { name } = random.pick(input);
    const donor = random.pick(random.pick(pool)).bytes;
    return withPart(input, name, mutateBytes(bytesOf(input, name), random, donor));
  },
  async check(input) {
    const sources = openStoredSources();
    try {
      const model = await openModel(`${FOLDER}/${input[0].name}`, filesOf(input));
      for (const { message } of [...model.problems, ...model.notes]) promiseOneLine(message);
      describeModel(model);
      promise(
        new Set(model.tensors.map(({ name }) => name)).size === model.tensors.length,
        'two tensors have one name',
      );
      await decodeWeights(model, sources);
      await planModel(model);
      return true;
    } catch (error) {
      return refusal(error, CheckpointError);
    } finally {
      await sources.close();
    }
  },
};

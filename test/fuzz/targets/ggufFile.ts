import { encodeGguf } from '../../../scripts/lib/writeGguf.mjs';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { openStoredSources } from '../../../src/layouts/node/openStored.js';
import { openModel } from '../../../src/model/openModel.js';
import { CheckpointError } from '../../../src/storage/errors.js';
import { bytesOf, withPart, type Input } from '../input.js';
import { filesOf, FOLDER } from '../memoryFiles.js';
import { mutateBytes } from '../mutateBytes.js';
import { promise, promiseOneLine, refusal, type FuzzTarget } from '../target.js';

const FILE = 'model.gguf';

/** Larger weights are not decoded here: time goes with their number. */
const MOST_ELEMENTS = 1 << 16;

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

/** GGUF files, opened as models and decoded. */
export const ggufFile: FuzzTarget = {
  name: 'gguf',
  seeds: () =>
    ['llama', 'gemma', 'gptneox'].flatMap((architecture) =>
      TYPES.map(([type, bytes, size]) => seedOf(architecture, type, bytes, size)),
    ),
  mutate(input, random, pool) {
    const donor = bytesOf(random.pick(pool), FILE);
    return withPart(input, FILE, mutateBytes(bytesOf(input, FILE), random, donor));
  },
  async check(input) {
    const sources = openStoredSources();
    try {
      const model = await openModel(`${FOLDER}/${FILE}`, filesOf(input));
      for (const { message } of [...model.problems, ...model.notes]) promiseOneLine(message);
      describeModel(model);
      for (const tensor of model.tensors) {
        if (!tensor.storage || tensor.elements > MOST_ELEMENTS) continue;
        const values = new Float32Array(tensor.elements);
        await sources.read(tensor.source, 0, new Uint8Array(values.buffer));
        promise(values.length === tensor.elements, `"${tensor.name}" has another size`);
      }
      return true;
    } catch (error) {
      return refusal(error, CheckpointError);
    } finally {
      await sources.close();
    }
  },
};

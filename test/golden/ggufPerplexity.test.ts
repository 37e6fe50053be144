import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { GGML_TYPES } from '../../src/formats/ggmlTypes.js';
import type { ElementTypeName } from '../../src/storage/elementTypes.js';
import {
  f32Tensor,
  syntheticWeights,
  temporaryFolder,
  writeCheckpoint,
  type TestTensor,
} from '../support/checkpoints.js';
import { run } from '../support/commandLine.js';
import { quantizeByReference } from '../support/ggml.js';
import { encodeValues, floatValues, makeGguf, type MatrixType } from '../support/ggufFiles.js';
import type { RawTensor } from '../support/rawSafetensors.js';

const SIZE = 256;
const VOCABULARY = 48;
const CONFIG = {
  model_type: 'llama',
  hidden_size: SIZE,
  intermediate_size: SIZE,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: SIZE / 4,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  vocab_size: VOCABULARY,
};

/** A model of one layer whose rows fill blocks of 256. */
function makeTensors(): Map<string, RawTensor> {
  const layer = 'model.layers.0';
  const shapes: readonly (readonly [name: string, ...shape: number[]])[] = [
    ['model.embed_tokens', VOCABULARY, SIZE],
    ['model.norm', SIZE],
    [`${layer}.input_layernorm`, SIZE],
    [`${layer}.post_attention_layernorm`, SIZE],
    [`${layer}.self_attn.q_proj`, SIZE, SIZE],
    [`${layer}.self_attn.k_proj`, SIZE / 2, SIZE],
    [`${layer}.self_attn.v_proj`, SIZE / 2, SIZE],
    [`${layer}.self_attn.o_proj`, SIZE, SIZE],
    [`${layer}.mlp.gate_proj`, SIZE, SIZE],
    [`${layer}.mlp.up_proj`, SIZE, SIZE],
    [`${layer}.mlp.down_proj`, SIZE, SIZE],
  ];
  return new Map(
    shapes.map(([name, ...shape], seed) => {
      const count = shape.reduce((product, each) => product * each, 1);
      const drawn = syntheticWeights(count, seed + 1);
      const values = shape.length === 1 ? drawn.map((each) => each + 1) : drawn.map((w) => 3 * w);
      return [`${name}.weight`, f32Tensor(shape, values)];
    }),
  );
}

async function perplexityOf(path: string, ids: string): Promise<unknown> {
  const options = ['--token-ids', ids, '--no-cache', '--json'];
  const { stdout, stderr } = await run('perplexity', path, ...options);
  if (stdout === '') throw new Error(stderr);
  const { baseline } = JSON.parse(stdout) as { baseline: { perplexity: { value: number } } };
  expect(baseline.perplexity.value).toBeGreaterThan(1);
  return baseline;
}

/** A matrix as safetensors can hold it: what blocks decode to, or the numbers of a plain type. */
function twinOf(shape: readonly number[], values: Float32Array, type: MatrixType): TestTensor {
  if (type === 'f32' || type === 'f16' || type === 'bf16') {
    const dtype = type.toUpperCase() as ElementTypeName;
    return { dtype, shape, bytes: encodeValues(values, type) };
  }
  return f32Tensor(shape, quantizeByReference(GGML_TYPES[type], values).values);
}

it.each<MatrixType>(['f16', 'q8_0', 'q4_k'])(
  'a GGUF file in %s has the perplexity of safetensors with the same values',
  async (type) => {
    const folder = await temporaryFolder();
    const ids = join(folder, 'ids.json');
    const windows = [3, 20].map((first) =>
      Array.from({ length: 64 }, (_, i) => (i * i * 31 + first * i + first) % VOCABULARY),
    );
    await writeFile(ids, JSON.stringify(windows));
    const sample = makeTensors();
    const file = join(folder, 'sample.gguf');
    await writeFile(file, makeGguf(sample, CONFIG, type));
    const twin = join(folder, 'twin');
    await mkdir(twin);
    await writeFile(join(twin, 'config.json'), JSON.stringify(CONFIG));
    const tensors = [...sample].map(([name, raw]): [string, TestTensor] => {
      const values = floatValues(raw);
      const { shape } = raw;
      return [name, shape.length > 1 ? twinOf(shape, values, type) : f32Tensor(shape, values)];
    });
    await writeCheckpoint(Object.fromEntries(tensors), twin);
    expect(await perplexityOf(file, ids)).toEqual(await perplexityOf(twin, ids));
  },
);

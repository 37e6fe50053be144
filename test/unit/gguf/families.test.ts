import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findFamily, translateName } from '../../../src/gguf/families.js';
import { openStoredSources } from '../../../src/layouts/node/openStored.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { temporaryFolder } from '../../support/checkpoints.js';
import { floatValues, makeGguf } from '../../support/ggufFiles.js';
import type { RawTensor } from '../../support/rawSafetensors.js';

const HEADS = { queries: 4, keys: 2 };

describe('names of experts in GGUF', () => {
  const mixtral = findFamily('llama', 8)!;
  const qwen = findFamily('qwen3moe', 8)!;

  it('are those of the model’s definition, of all experts together and of one', () => {
    expect(mixtral.modelType).toBe('mixtral');
    const all = translateName('blk.3.ffn_down_exps.weight', mixtral, HEADS);
    expect(all.ofExpert?.(7)).toBe('model.layers.3.block_sparse_moe.experts.7.w2.weight');
    // As converters wrote them until 2024.
    expect(translateName('blk.3.ffn_up.7.weight', mixtral, HEADS)).toEqual({
      name: 'model.layers.3.block_sparse_moe.experts.7.w3.weight',
    });
    expect(translateName('blk.0.ffn_gate_exps.weight', qwen, HEADS).ofExpert?.(0)).toBe(
      'model.layers.0.mlp.experts.0.gate_proj.weight',
    );
    expect(translateName('blk.0.ffn_gate_inp.weight', qwen, HEADS).name).toBe(
      'model.layers.0.mlp.gate.weight',
    );
  });

  it('stay as they are in files without experts, and where they are no numbers', () => {
    const llama = findFamily('llama')!;
    for (const name of ['blk.3.ffn_down_exps.weight', 'blk.3.ffn_up.7.weight']) {
      expect(translateName(name, llama, HEADS)).toEqual({ name });
    }
    for (const name of [
      'blk.3.ffn_up.x.weight',
      'blk.x.ffn_up_exps.weight',
      'blk.3.other_exps.weight',
    ]) {
      expect(translateName(name, mixtral, HEADS)).toEqual({ name });
    }
  });
});

it('experts of blocks are each decoded from their own part of the tensor', async () => {
  const rows = 4;
  const columns = 32;
  const tensors = new Map<string, RawTensor>();
  const values = Array.from({ length: 3 }, (_, expert) =>
    Float32Array.from({ length: rows * columns }, (_, i) => (expert + 1) * ((i % 255) - 127)),
  );
  for (const [expert, each] of values.entries()) {
    const bytes = new Uint8Array(each.buffer);
    const raw = { dtype: 'F32', shape: [rows, columns], bytes };
    tensors.set(`model.layers.0.mlp.experts.${expert}.up_proj.weight`, raw);
  }
  const config = {
    ...{ model_type: 'qwen3_moe', num_experts: 3, num_experts_per_tok: 1, num_hidden_layers: 1 },
    ...{ hidden_size: columns, num_attention_heads: 4, rope_theta: 10000, rms_norm_eps: 1e-6 },
    ...{ max_position_embeddings: 8, moe_intermediate_size: rows },
  };
  const path = join(await temporaryFolder(), 'experts.gguf');
  await writeFile(path, makeGguf(tensors, config, 'q8_0'));
  const model = await openLocalModel(path);
  const sources = openStoredSources();
  expect(model.tensors.map(({ name }) => name)).toEqual([...tensors.keys()]);
  for (const [expert, tensor] of model.tensors.entries()) {
    const decoded = new Float32Array(tensor.elements);
    await sources.read(tensor.source, tensor.offset, new Uint8Array(decoded.buffer));
    const raw = floatValues(tensors.get(tensor.name)!);
    const most = decoded.reduce((max, value, i) => Math.max(max, Math.abs(value - raw[i])), 0);
    // Half a step of Q8_0, whose scale is a 127th of the largest, in half precision.
    expect(most).toBeLessThan(0.52 * (expert + 1));
    expect(tensor.storage?.label).toBe('Q8_0');
    expect(tensor.storage?.parts[0].name).toBe(`blk.0.ffn_up_exps.weight[${expert}]`);
  }
  await sources.close();
});

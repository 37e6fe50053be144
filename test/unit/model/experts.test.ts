import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../../src/formats/index.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { LanguageModel, Variant } from '../../../src/model/evaluation/types.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import {
  f32Tensor,
  temporaryFolder,
  writeCheckpoint,
  type TestTensor,
} from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { logicalValues, openModel, SETTINGS, someWindows } from '../../support/languageModels.js';
import { quantizedCopy } from '../../support/quantizedCopy.js';
import { floatsOf, readRawSafetensors } from '../../support/rawSafetensors.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
const MIXTRAL = join(OWN_MODELS, 'mixtral-window');
const MIXTRAL_FUSED = join(OWN_MODELS, 'mixtral-fused');
const QWEN = join(OWN_MODELS, 'qwen3_moe-dense-layer');
const QWEN_FUSED = join(OWN_MODELS, 'qwen3_moe-fused');

type Tensors = Record<string, TestTensor>;

function tensorsOf(path: string): Tensors {
  return Object.fromEntries(readRawSafetensors(join(path, 'model.safetensors'))) as Tensors;
}

/** A model with the configuration of another, in other fields and tensors. */
async function changedModel(path: string, tensors: Tensors, changes: object = {}): Promise<string> {
  const folder = await temporaryFolder();
  const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as object;
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, ...changes }));
  await writeCheckpoint(tensors, folder);
  return folder;
}

/** A format for all weights that quantizers take, and for each of some alone. */
function variantsOf(model: LanguageModel, id: string, alone: readonly string[] = []): Variant[] {
  const format = parseFormat(id);
  const all = selectTensors(model.opened, {}).map(({ name }) => name);
  return [
    { id, changes: inFormat(format, all) },
    ...alone.map((name) => ({ id: `${id} ${name}`, changes: inFormat(format, [name]) })),
  ];
}

describe('formats', () => {
  it.each([MIXTRAL, QWEN, MIXTRAL_FUSED, QWEN_FUSED])(
    'are measured as if the file had been written and opened: %s',
    async (path) => {
      const pool = await sharedPool();
      const model = await openModel(path);
      const windows = someWindows(model, [20, 9]);
      const ids = ['int3:g8', 'int4:tensor', 'bnb-nf4', 'nvfp4'];
      const variants = ids.flatMap((id) => variantsOf(model, id));
      const found = await evaluate({ pool, model, windows, variants, settings: SETTINGS });
      for (const [index, variant] of variants.entries()) {
        const written = await quantizedCopy(pool, path, variant);
        const direct = await evaluate({ pool, model: written, windows, settings: SETTINGS });
        const nll = direct.baseline.map((score) => score.nll);
        expect(found.variants[index].map((score) => score.nll)).toEqual(nll);
        expect(nll).not.toEqual(found.baseline.map((score) => score.nll));
      }
    },
  );

  it('change all experts and leave routers alone', async () => {
    for (const path of [MIXTRAL, QWEN, MIXTRAL_FUSED, QWEN_FUSED]) {
      const { opened } = await openModel(path);
      const targets = new Set(selectTensors(opened, {}).map(({ name }) => name));
      const names = opened.tensors.map(({ name }) => name);
      const experts = names.filter((name) => name.includes('.experts.'));
      const routers = names.filter((name) => name.endsWith('.gate.weight'));
      expect(experts.filter((name) => !targets.has(name))).toEqual([]);
      expect(routers.length).toBeGreaterThan(0);
      expect(routers.filter((name) => targets.has(name))).toEqual([]);
    }
  });

  it('of one expert move only windows with a row that goes to it', async () => {
    const pool = await sharedPool();
    const model = await openModel(QWEN);
    const windows = someWindows(model, [2, 2, 2, 2]);
    const experts = Array.from({ length: 8 }, (_, e) => `model.layers.2.mlp.experts.${e}.`);
    const names = experts.map((expert) => `${expert}down_proj.weight`);
    const [, ...alone] = variantsOf(model, 'int2', names);
    const settings = SETTINGS;
    const found = await evaluate({ pool, model, windows, variants: alone, settings });
    for (const [window, { nll }] of found.baseline.entries()) {
      // Only the first of two rows is scored: it goes to two experts.
      const moved = found.variants.filter((scores) => scores[window].nll !== nll);
      expect(moved).toHaveLength(2);
    }
  });
});

describe('experts', () => {
  it('give the same bits with any number of threads, and however memory cuts the work', async () => {
    const model = await openModel(QWEN);
    const windows = someWindows(model, [40, 7, 64, 33]);
    const variants = variantsOf(model, 'int3:g8', [
      'model.layers.0.self_attn.q_proj.weight',
      'model.layers.0.mlp.experts.3.up_proj.weight',
      'model.layers.2.mlp.experts.5.down_proj.weight',
      'model.layers.2.mlp.gate.weight',
    ]);
    const windowBytes = 64 * (2 * model.plan.hiddenSize * 4 + 16);
    const results: unknown[] = [];
    for (const [threads, memoryBudgetBytes] of [
      [2, 256 << 20],
      [1, 7 * windowBytes],
      [3, 4 * windowBytes],
    ]) {
      const pool = await sharedPool({ threads });
      const settings = { ...SETTINGS, memoryBudgetBytes };
      const found = await evaluate({ pool, model, windows, variants, settings });
      results.push([found.baseline, found.variants]);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('count all of their work as progress, and no more', async () => {
    const pool = await sharedPool();
    const model = await openModel(MIXTRAL);
    const windows = someWindows(model, [20, 30]);
    const seen: number[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }) =>
      void seen.push(done / total);
    await evaluate({ pool, model, windows, settings: SETTINGS }, { onProgress });
    expect(seen.at(-1)).toBe(1);
    expect(seen.filter((share) => share === 1)).toHaveLength(1);
  });

  it('are the same stored apart and fused', async () => {
    const pool = await sharedPool();
    const fused = tensorsOf(MIXTRAL_FUSED);
    const apart: Tensors = {};
    for (const [name, tensor] of Object.entries(fused)) {
      const router = name.replace('.mlp.gate.', '.block_sparse_moe.gate.');
      if (!name.includes('.experts.')) apart[router] = tensor;
      else for (const [key, each] of cutExperts(name, tensor)) apart[key] = each;
    }
    expect(Object.keys(apart)).toHaveLength(Object.keys(fused).length + 2 * (4 * 3 - 2));
    const models = [
      await openModel(MIXTRAL_FUSED),
      await openModel(await changedModel(MIXTRAL_FUSED, apart)),
    ];
    const results: unknown[] = [];
    for (const model of models) {
      const windows = someWindows(model, [30, 12]);
      const variants = ['int3:g8', 'bnb-nf4'].flatMap((id) => variantsOf(model, id));
      const found = await evaluate({ pool, model, windows, variants, settings: SETTINGS });
      results.push([found.baseline, found.variants]);
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('take other values as formats', async () => {
    const pool = await sharedPool();
    const model = await openModel(QWEN_FUSED);
    const windows = someWindows(model, [20]);
    const [rounded] = variantsOf(model, 'int3:g8');
    const changes = new Map<string, { values: Float32Array }>();
    for (const name of rounded.changes.keys()) {
      changes.set(name, { values: await logicalValues(pool, model, name, 'int3:g8') });
    }
    const variants = [rounded, { id: 'values', changes }];
    const found = await evaluate({ pool, model, windows, variants, settings: SETTINGS });
    expect(found.variants[1]).toEqual(found.variants[0]);
  });

  it('are not read where no token goes to them', async () => {
    const pool = await sharedPool();
    const own = tensorsOf(QWEN);
    const windows = [Int32Array.of(5, 9)];
    const read: number[] = [];
    for (let expert = 0; expert < 8; expert++) {
      const name = `model.layers.2.mlp.experts.${expert}.up_proj.weight`;
      const damaged = floatsOf(own[name]).map((value, i) => (i === 3 ? NaN : value));
      const tensors = { ...own, [name]: f32Tensor(own[name].shape, damaged) };
      const model = await openModel(await changedModel(QWEN, tensors));
      const { nonFinite } = await evaluate({ pool, model, windows, settings: SETTINGS });
      if (nonFinite === 1) read.push(expert);
      else expect(nonFinite).toBe(0);
    }
    // Two tokens, two experts each.
    expect(read.length).toBeGreaterThanOrEqual(2);
    expect(read.length).toBeLessThanOrEqual(4);
  });
});

/** Mixtral's tensors of each expert, from a fused one. */
function cutExperts(name: string, tensor: TestTensor): [string, TestTensor][] {
  const [experts, outputs, inputs] = tensor.shape;
  const values = floatsOf(tensor);
  const module = name.slice(0, name.lastIndexOf('.')).replace('.mlp.', '.block_sparse_moe.');
  const leaves = name.endsWith('gate_up_proj') ? ['w1', 'w3'] : ['w2'];
  const rows = outputs / leaves.length;
  const parts: [string, TestTensor][] = [];
  for (let expert = 0; expert < experts; expert++) {
    leaves.forEach((leaf, index) => {
      const from = (expert * outputs + index * rows) * inputs;
      const part = values.slice(from, from + rows * inputs);
      parts.push([`${module}.${expert}.${leaf}.weight`, f32Tensor([rows, inputs], part)]);
    });
  }
  return parts;
}

describe('a mixture that cannot be is refused by name', () => {
  const planned = async (path: string, changes: object, without?: string) => {
    const opened = await openLocalModel(path);
    const tensors = opened.tensors.filter(({ name }) => name !== without);
    const config = { ...opened.config, ...changes };
    return planLanguageModel({ ...opened, config, tensors });
  };

  it.each([
    [MIXTRAL, { num_experts_per_tok: 5 }, '"num_experts_per_tok" is 5, but there are 4 experts'],
    [MIXTRAL, { num_experts_per_tok: 0 }, '"num_experts_per_tok" is not a whole number from 1'],
    [MIXTRAL, { num_local_experts: null }, '"num_experts" is missing'],
    [MIXTRAL, { num_experts: 6 }, '"num_experts" and "num_local_experts" differ: 6 and 4'],
    [MIXTRAL, { num_local_experts: 1e9 }, 'gate.weight" has shape [4, 32]; config.json asks for'],
    [QWEN, { num_experts: 7 }, 'gate.weight" has shape [8, 32]; config.json asks for [7, 32]'],
    [QWEN, { moe_intermediate_size: 23 }, 'gate_proj.weight" has shape [24, 32]'],
    [QWEN, { mlp_only_layers: [] }, 'needs a tensor "model.layers.1.mlp.gate.weight"'],
    [QWEN, { mlp_only_layers: 1 }, '"mlp_only_layers" is not a list of numbers'],
    [QWEN, { mlp_only_layers: [0.5] }, '"mlp_only_layers[0]" is not a whole number from 0'],
    [QWEN, { decoder_sparse_step: 0 }, '"decoder_sparse_step" is not a whole number from 1'],
    [QWEN, { norm_topk_prob: 1 }, '"norm_topk_prob" is not true or false'],
    [QWEN, { use_sliding_window: true }, '"use_sliding_window" is not supported'],
    [QWEN_FUSED, { num_local_experts: 5 }, 'config.json asks for [5, 32]'],
    [QWEN_FUSED, { moe_intermediate_size: 12 }, 'config.json asks for [4, 24, 32]'],
  ])('%s %j', async (path, changes, message) => {
    await expect(planned(path, changes)).rejects.toThrow(message);
  });

  it('says which expert is lost', async () => {
    const name = 'model.layers.1.block_sparse_moe.experts.3.w2.weight';
    await expect(planned(MIXTRAL, {}, name)).rejects.toThrow(`needs a tensor "${name}"`);
  });

  it.each(['qwen2_moe', 'deepseek_v3', 'gpt_oss', 'olmoe', 'qwen3_vl_moe_text'])(
    'relatives that are not understood: %s',
    async (modelType) => {
      await expect(planned(QWEN, { model_type: modelType })).rejects.toThrow(
        `model_type "${modelType}" is not an architecture that can be run`,
      );
    },
  );

  it('notes experts that the configuration leaves out', async () => {
    const more = f32Tensor([24, 32], new Float32Array(24 * 32));
    const name = 'model.layers.2.mlp.experts.8.up_proj.weight';
    const { plan } = await openModel(
      await changedModel(QWEN, { ...tensorsOf(QWEN), [name]: more }),
    );
    expect(plan.notes.join()).toContain(
      `not used by the model that config.json describes: "${name}"`,
    );
  });
});

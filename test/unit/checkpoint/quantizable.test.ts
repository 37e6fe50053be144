import { describe, expect, it } from 'vitest';
import { findExperts } from '../../../src/checkpoint/experts.js';
import { describeQuantization } from '../../../src/checkpoint/quantizable.js';
import type { StoredTensor } from '../../../src/storage/container.js';
import { runAtOnce } from '../../../src/storage/slices.js';

function tensor(name: string, shape: readonly number[]): StoredTensor {
  const elements = shape.reduce((product, size) => product * size, 1);
  const bytes = elements * 2;
  return { name, file: 'model.safetensors', dtype: 'BF16', shape, offset: 0, bytes, elements };
}

function describeAll(tensors: readonly StoredTensor[], config?: Record<string, unknown>) {
  const experts = runAtOnce(findExperts(tensors, config, () => undefined));
  return new Map(
    tensors.map((each) => [
      each.name,
      {
        ...describeQuantization(each, undefined, experts),
        transposed: experts.fused.get(each.name)?.transposed,
      },
    ]),
  );
}

const reasonOf = (name: string, shape: readonly number[] = [64, 64]) =>
  describeQuantization(tensor(name, shape)).notByDefault;

describe('linear weights', () => {
  it.each([
    ['model.layers.0.self_attn.q_proj.weight'],
    ['bert.encoder.layer.0.attention.self.query.weight'],
    ['bert.encoder.layer.0.attention.output.dense.weight'],
    ['vit.encoder.layer.0.intermediate.dense.weight'],
    ['model.encoder.layers.0.fc1.weight'],
    ['encoder.block.0.layer.0.SelfAttention.q.weight'],
    ['model.layers.0.mlp.experts.3.gate_proj.weight'],
    ['model.layers.0.mlp.gate_proj.weight'],
    ['model.layers.0.block_sparse_moe.experts.0.w1.weight'],
    ['model.decoder.project_in.weight'],
    ['encoder.embedding_hidden_mapping_in.weight'],
    ['visual_projection.weight'],
    ['layers.0.attention.wq.weight'],
    ['blk.0.attn_output.weight'],
    ['backbone.layers.0.mixer.in_proj.weight'],
    ['vision_model.encoder.layers.0.self_attn.in_proj_weight'],
  ])('%s is one', (name) => {
    expect(reasonOf(name)).toBeUndefined();
  });

  it.each([
    ['a router', 'model.layers.0.mlp.gate.weight', [8, 64]],
    ['a router', 'model.layers.0.mlp.shared_expert_gate.weight', [1, 64]],
    ['a router', 'model.layers.0.block_sparse_moe.gate.weight', [64, 64]],
    ['a router', 'model.layers.0.mlp.router.weight', [64, 64]],
    ['a router', 'model.layers.0.feed_forward.router.classifier.weight', [64, 64]],
    ['a router', 'blk.0.ffn_gate_inp.weight', [64, 64]],
    ['an embedding', 'model.embed_tokens.weight'],
    ['an embedding', 'bert.embeddings.token_type_embeddings.weight'],
    ['an embedding', 'transformer.wpe.weight'],
    ['an embedding', 'shared.weight'],
    ['an embedding', 'model.visual.patch_embed.proj.weight', [64, 588]],
    ['an embedding', 'vision_model.embeddings.position_embedding.weight'],
    ['an embedding', 'positional_embedding'],
    ['an embedding', 'decoder.embed_tokens.0.weight'],
    ['a positional table', 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight'],
    ['a positional table', 'layers.0.blocks.0.attn.relative_position_bias_table'],
    ['a head', 'lm_head.weight'],
    ['a head', 'score.weight'],
    ['a head', 'output.weight'],
    ['a head', 'classifier.out_proj.weight'],
    ['a head', 'cls.predictions.transform.dense.weight'],
    ['a head', 'proj_out.weight'],
    ['a state-space parameter', 'backbone.layers.0.mixer.A_log', [128, 16]],
    ['a convolution', 'backbone.layers.0.mixer.conv1d.weight', [128, 1, 4]],
    ['a convolution', 'model.encoder.conv1.weight', [64, 16, 3]],
    ['a convolution', 'unet.down.0.weight', [8, 4, 3, 3]],
    ['a bias', 'model.layers.0.mlp.experts.gate_up_proj_bias', [4, 128]],
    ['a norm', 'transformer.h.0.ln_1.weight'],
    ['a scale', 'model.layers.0.mlp.up_proj.zero', [64, 1]],
    ['a scale', 'model.layers.0.mlp.up_proj.weight_zero_point', [64, 1]],
    ['a single number', 'logit_scale', []],
    ['3 dimensions', 'model.layers.0.unheard_of', [2, 3, 4]],
  ])('%s: %s', (reason, name, shape = [64, 64]) => {
    expect(reasonOf(name, shape)).toBe(reason);
  });

  it('take a gate for a router by what lies beside it, and for a dense one else', () => {
    const found = describeAll([
      tensor('a.mlp.gate.weight', [64, 64]),
      tensor('a.mlp.experts.0.up_proj.weight', [64, 64]),
      tensor('b.mlp.gate.weight', [256, 64]),
      tensor('b.mlp.up.weight', [256, 64]),
    ]);
    expect(found.get('a.mlp.gate.weight')!.notByDefault).toBe('a router');
    expect(found.get('b.mlp.gate.weight')!.notByDefault).toBeUndefined();
  });
});

describe('experts in one tensor', () => {
  const pairOf = (up: readonly number[], down: readonly number[], config?: object) => {
    const found = describeAll(
      [
        tensor('l.0.mlp.experts.gate_up_proj', up),
        tensor('l.0.mlp.experts.down_proj', down),
        tensor('l.0.mlp.experts.down_proj_bias', [4, 64]),
      ],
      config as Record<string, unknown>,
    );
    return ['gate_up_proj', 'down_proj'].map((name) => found.get(`l.0.mlp.experts.${name}`)!);
  };

  it.each([
    ['inputs first', [4, 64, 96], [4, 48, 64], true],
    ['inputs last', [4, 96, 64], [4, 64, 48], false],
    ['inputs first, twice as wide', [4, 64, 64], [4, 32, 64], true],
    ['inputs last, twice as wide', [4, 64, 64], [4, 64, 32], false],
  ])('know by their shapes: %s', (_, up, down, transposed) => {
    for (const each of pairOf(up, down)) {
      expect(each).toMatchObject({ transposed, quantizedByDefault: true });
    }
  });

  it('say where outputs and inputs are', () => {
    const [up, down] = pairOf([4, 64, 96], [4, 48, 64]);
    expect(up.matrixShape).toEqual([4, 96, 64]);
    expect(down.matrixShape).toEqual([4, 64, 48]);
  });

  it('know by the configuration what one tensor alone does not say', () => {
    const config = { text_config: { hidden_size: 64 } };
    const alone = tensor('l.0.mlp.experts.gate_up_proj', [4, 64, 96]);
    expect(describeAll([alone], config).get(alone.name)).toMatchObject({ transposed: true });
    expect(describeAll([alone]).get(alone.name)).toMatchObject({
      quantizedByDefault: false,
      notByDefault: 'a tensor of experts that may have inputs or outputs first',
    });
  });

  it('know by the family what squares do not say', () => {
    const [square] = pairOf([4, 64, 64], [4, 64, 64], { model_type: 'gpt_oss', hidden_size: 64 });
    expect(square).toMatchObject({ transposed: true, quantizedByDefault: true });
    const [unknown] = pairOf([4, 64, 64], [4, 64, 64], { model_type: 'another', hidden_size: 64 });
    expect(unknown.quantizedByDefault).toBe(false);
  });

  it('are left alone where they are decoded from MXFP4, and taken where from another layout', () => {
    const up = tensor('l.0.mlp.experts.gate_up_proj', [4, 128, 64]);
    const reason = (label: string) => {
      const experts = runAtOnce(findExperts([up], undefined, () => label));
      return describeQuantization(up, undefined, experts).notByDefault;
    };
    expect(reason('MXFP4 experts')).toBe('a tensor of experts stored as MXFP4');
    expect(reason('MLX 4-bit g64')).toBeUndefined();
  });

  it('are found under other names too', () => {
    const config = { hidden_size: 64 };
    const names = [
      'blk.0.ffn_gate_exps.weight',
      'model.layers.0.mlp.switch_mlp.up_proj.weight',
      'model.layers.0.block_sparse_moe.input_linear.weight',
    ];
    const found = describeAll(
      names.map((name) => tensor(name, [4, 96, 64])),
      config,
    );
    for (const name of names) {
      expect(found.get(name)).toMatchObject({ transposed: false, quantizedByDefault: true });
    }
  });
});

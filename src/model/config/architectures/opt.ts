import type { OpenedModel } from '../../../checkpoint/types.js';
import type { Configuration } from '../configuration.js';
import type { BlockPlan, ModelPlan, NormPlan, NormPlaces } from '../plan.js';
import { TensorIndex } from '../tensorIndex.js';
import {
  readActivation,
  readEqualHeads,
  planPlainFeedForward,
  planSeparateProjections,
  planVocabulary,
  type Architecture,
} from './shared.js';

/** The library fixes it; configurations have no field for it. */
const EPSILON = 1e-5;
/** Rows that the position table has before position 0. */
const POSITION_OFFSET = 2;

function planOpt(config: Configuration, model: OpenedModel): ModelPlan {
  const tensors = TensorIndex.of(model, ['model.decoder.', 'decoder.', ''], 'embed_tokens.weight');
  const { prefix } = tensors;
  const hiddenSize = config.count('hidden_size');
  const embeddingSize = config.count('word_embed_proj_dim', hiddenSize);
  const width = config.count('ffn_dim');
  const maxPositions = config.positions('max_position_embeddings', 2048);
  const layers = tensors.layerCount(config, 'num_hidden_layers', 'layers.');
  const counts = readEqualHeads(config, hiddenSize);
  const bias = config.boolean('enable_bias', true);
  const affine = config.boolean('layer_norm_elementwise_affine', true);
  const before = config.boolean('do_layer_norm_before', true);
  const activation = readActivation(config, 'activation_function', 'relu');
  const place = (norm: NormPlan): NormPlaces => (before ? { before: norm } : { ofSum: norm });
  const blocks = Array.from({ length: layers }, (_, layer): BlockPlan => {
    const module = `${prefix}layers.${layer}`;
    const norm = (name: string) =>
      place(tensors.layerNorm(`${module}.${name}`, hiddenSize, EPSILON, affine));
    const attention = `${module}.self_attn`;
    return {
      attention: {
        ...planSeparateProjections(tensors, attention, counts, hiddenSize, bias),
        ...counts,
        scale: counts.headSize ** -0.5,
        window: 0,
        softCap: 0,
        output: tensors.linear(`${attention}.out_proj`, hiddenSize, hiddenSize, { bias }),
      },
      attentionNorms: norm('self_attn_layer_norm'),
      feedForward: planPlainFeedForward(
        tensors.linear(`${module}.fc1`, width, hiddenSize, { bias }),
        activation,
        tensors.linear(`${module}.fc2`, hiddenSize, width, { bias }),
      ),
      feedForwardNorms: norm('final_layer_norm'),
      parallel: false,
    };
  });
  const { tokens, vocabulary } = planVocabulary(config, tensors, embeddingSize, {
    tiedByDefault: true,
  });
  const projected = embeddingSize !== hiddenSize;
  const finalNorm = before && !config.boolean('_remove_final_layer_norm', false);
  return {
    modelType: 'opt',
    hiddenSize,
    maxPositions,
    positionsAreHard: true,
    embedding: {
      tokens,
      size: embeddingSize,
      scale: 1,
      projection: projected
        ? tensors.linear(`${prefix}project_in`, hiddenSize, embeddingSize)
        : undefined,
      positions: {
        tensor: tensors.require(`${prefix}embed_positions.weight`, [
          maxPositions + POSITION_OFFSET,
          hiddenSize,
        ]),
        offset: POSITION_OFFSET,
      },
    },
    blocks,
    finalNorm: finalNorm
      ? tensors.layerNorm(`${prefix}final_layer_norm`, hiddenSize, EPSILON, affine)
      : undefined,
    outputProjection: projected
      ? tensors.linear(`${prefix}project_out`, embeddingSize, hiddenSize)
      : undefined,
    ...vocabulary,
    logitSoftCap: 0,
    notes: config.notes,
  };
}

/** OPT. */
export const opt: Architecture = { modelType: 'opt', plan: planOpt };

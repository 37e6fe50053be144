import type { ModelTensor } from '../../checkpoint/types.js';
import { quoted, visible } from '../../storage/errors.js';
import { tensorsAfter, tensorsBefore, tensorsOfBlock, type ModelPlan } from './plan.js';

const NAMED = 3;

/** Buffers that training code stores and every forward pass makes anew: rotary tables, positions. */
const BUFFER =
  /(^|\.)(rotary_emb\.(inv_freq|cos_cached|sin_cached)|masked_bias|(position|token_type)_ids)$/;
/** GPT-2's and GPT-NeoX's causal masks, [1, 1, positions, positions]; a bias has one dimension. */
const MASK = /(^|\.)(attn|attention)\.bias$/;

/** Rotary factors of GGUF files: a part of the configuration. */
const FACTORS = /^rope_(freqs|factors_(long|short))\.weight$/;

function isBuffer({ name, shape }: ModelTensor): boolean {
  return BUFFER.test(name) || FACTORS.test(name) || (MASK.test(name) && shape.length > 1);
}

/** Names of all tensors that a plan reads, or knows to be the same as one that it reads. */
function tensorsOf(plan: ModelPlan): ReadonlySet<string> {
  const names = new Set([...tensorsBefore(plan), ...tensorsAfter(plan)]);
  for (const block of plan.blocks) for (const name of tensorsOfBlock(block)) names.add(name);
  if (plan.tiedTwin !== undefined) names.add(plan.tiedTwin);
  return names;
}

/** "layers." of "layers.0". */
function stemOf(layer: string): string {
  return layer.slice(0, layer.lastIndexOf('.') + 1);
}

function listSome(names: readonly string[], write: (name: string) => string): string {
  const shown = names.slice(0, NAMED).map(write).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

/**
 * What a checkpoint holds and the model that its configuration describes does without: layers beyond
 * the last, biases that are switched off, parts that have nothing to do with text. A reader of a
 * perplexity must know, since a wrong configuration looks the same.
 * @returns a note on layers, one on other tensors, or none
 */
export function noteUnusedTensors(plan: ModelPlan, tensors: readonly ModelTensor[]): string[] {
  const used = tensorsOf(plan);
  const layers = new Set<string>();
  const usedLayers = new Set<string>();
  for (const { name, layer } of tensors) {
    if (layer === '') continue;
    layers.add(layer);
    if (used.has(name)) usedLayers.add(layer);
  }
  const stems = new Set(Array.from(usedLayers, stemOf));
  const isLeftOver = (layer: string) => !usedLayers.has(layer) && stems.has(stemOf(layer));
  const leftOver = Array.from(layers).filter(isLeftOver);
  const others = tensors.filter(
    (tensor) => !used.has(tensor.name) && !isLeftOver(tensor.layer) && !isBuffer(tensor),
  );
  const notes: string[] = [];
  if (leftOver.length > 0) {
    const has = usedLayers.size === 1 ? '1 layer' : `${usedLayers.size} layers`;
    const are = leftOver.length === 1 ? 'is' : 'are';
    notes.push(
      `config.json has ${has}, the checkpoint ${usedLayers.size + leftOver.length}: ${listSome(leftOver, visible)} ${are} not used.`,
    );
  }
  if (others.length > 0) {
    const names = others.map(({ name }) => name);
    const are =
      others.length === 1 ? 'tensor of the checkpoint is' : 'tensors of the checkpoint are';
    notes.push(
      `${others.length} ${are} not used by the model that config.json describes: ${listSome(names, quoted)}.`,
    );
  }
  return notes;
}

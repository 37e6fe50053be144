import { cohereFamily } from './cohere.js';
import { gemmaFamily } from './gemma.js';
import { gpt2 } from './gpt2.js';
import { gptNeox } from './gptNeox.js';
import { granite } from './granite.js';
import { llamaFamily } from './llama.js';
import { mixtral } from './mixtral.js';
import { olmo2 } from './olmo2.js';
import { opt } from './opt.js';
import { phiFamily } from './phi.js';
import { qwen3Moe } from './qwen3Moe.js';
import type { Architecture } from './shared.js';
import { smollm3 } from './smollm3.js';
import { stablelm } from './stablelm.js';
import { starcoder2 } from './starcoder2.js';

/** Every architecture that can be run. A new one: a file here, a line in this list, golden logits. */
export const ARCHITECTURES: readonly Architecture[] = [
  ...llamaFamily,
  opt,
  gpt2,
  gptNeox,
  ...phiFamily,
  ...gemmaFamily,
  smollm3,
  olmo2,
  granite,
  stablelm,
  starcoder2,
  ...cohereFamily,
  mixtral,
  qwen3Moe,
];

/**
 * Language models that are computed as one of these; they differ in what pictures do to positions, which
 * text does not show.
 */
const SAME_AS: ReadonlyMap<unknown, string> = new Map([
  ['qwen2_vl', 'qwen2'],
  ['qwen2_vl_text', 'qwen2'],
  ['qwen2_5_vl', 'qwen2'],
  ['qwen2_5_vl_text', 'qwen2'],
  ['qwen3_vl_text', 'qwen3'],
]);

export function findArchitecture(modelType: unknown): Architecture | undefined {
  const name = SAME_AS.get(modelType) ?? modelType;
  return ARCHITECTURES.find((architecture) => architecture.modelType === name);
}

import { gemmaFamily } from './gemma.js';
import { gpt2 } from './gpt2.js';
import { gptNeox } from './gptNeox.js';
import { llamaFamily } from './llama.js';
import { opt } from './opt.js';
import { phiFamily } from './phi.js';
import type { Architecture } from './shared.js';

/** Every architecture that can be run. A new one: a file here, a line in this list, golden logits. */
export const ARCHITECTURES: readonly Architecture[] = [
  ...llamaFamily,
  opt,
  gpt2,
  gptNeox,
  ...phiFamily,
  ...gemmaFamily,
];

export function findArchitecture(modelType: unknown): Architecture | undefined {
  return ARCHITECTURES.find((architecture) => architecture.modelType === modelType);
}

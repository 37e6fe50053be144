import { readModelConfig } from '../safetensors/index.js';
import type { Checkpoint } from '../safetensors/types.js';
import { ARCHITECTURES, findArchitecture } from './architectures/index.js';
import { Configuration } from './configuration.js';
import type { LanguageModel } from './types.js';

const WHAT_STILL_WORKS =
  'viewing, quantizing and comparing weights work without it; perplexity does not';

/**
 * Reads a checkpoint's config.json and lays out how the model runs; reads no weights.
 * @throws an error of one line: no config.json, an unknown architecture (named), a missing or
 *   misshapen tensor, a setting that is not supported
 */
export async function openLanguageModel(checkpoint: Checkpoint): Promise<LanguageModel> {
  const { config, problem } = await readModelConfig(checkpoint.folder);
  if (problem) throw new Error(problem);
  if (!config) {
    throw new Error(
      `${checkpoint.folder}: there is no config.json, which says what model this is; ${WHAT_STILL_WORKS}`,
    );
  }
  const architecture = findArchitecture(config.model_type);
  if (!architecture) {
    const named =
      typeof config.model_type === 'string'
        ? `model_type "${config.model_type}" is not an architecture that can be run`
        : '"model_type" is missing';
    const known = ARCHITECTURES.map(({ modelType }) => modelType).join(', ');
    throw new Error(
      `${checkpoint.folder}/config.json: ${named} (there are ${known}); ${WHAT_STILL_WORKS}`,
    );
  }
  if (checkpoint.problems.length > 0) {
    const [{ file, message }] = checkpoint.problems;
    throw new Error(`${file}: ${message}; an incomplete model cannot be run`);
  }
  const plan = architecture.plan(
    new Configuration(config, `${checkpoint.folder}/config.json`),
    checkpoint,
  );
  return { checkpoint, plan };
}

/**
 * Names of linear weights that are stored as [inputs × outputs], so that their groups run down the
 * columns. Empty where the architecture is unknown or stores none.
 */
export async function transposedWeights(checkpoint: Checkpoint): Promise<ReadonlySet<string>> {
  const { config } = checkpoint.inMemory ? {} : await readModelConfig(checkpoint.folder);
  const pattern = findArchitecture(config?.model_type)?.transposed;
  if (!pattern) return new Set();
  return new Set(
    checkpoint.tensors
      .filter(({ name, shape }) => shape.length === 2 && pattern.test(name))
      .map(({ name }) => name),
  );
}

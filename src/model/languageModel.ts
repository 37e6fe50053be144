import { memorySource, openCheckpointFile, readModelConfig } from '../safetensors/index.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';
import { ARCHITECTURES, findArchitecture } from './architectures/index.js';
import { Configuration } from './configuration.js';
import type { LanguageModel } from './types.js';

const COMPARED_BYTES = 4 << 20;
const WHAT_STILL_WORKS =
  'viewing, quantizing and comparing weights work without it; perplexity does not';

/**
 * Reads a checkpoint's config.json and lays out how the model runs. Reads no weights, unless tied ones
 * are stored twice.
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
      `${checkpoint.folder}/config.json: ${named} (known: ${known}); ${WHAT_STILL_WORKS}`,
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
  const { tiedTwin, head } = plan;
  if (tiedTwin === undefined || !(await differ(checkpoint, tiedTwin, head.weight))) {
    return { checkpoint, plan };
  }
  const note = `"${tiedTwin}" and "${head.weight}" are tied by config.json but stored with different values: "${head.weight}" is used for both.`;
  return { checkpoint, plan: { ...plan, notes: [...plan.notes, note] } };
}

/** True where two tensors of a checkpoint do not have the same bytes. */
async function differ(checkpoint: Checkpoint, first: string, second: string): Promise<boolean> {
  const tensors = [first, second].map((name) =>
    checkpoint.tensors.find((tensor) => tensor.name === name),
  );
  const [a, b] = tensors;
  if (!a || !b || a.dtype !== b.dtype || a.bytes !== b.bytes) return true;
  const pieces = await Promise.all([tensorBytes(checkpoint, a), tensorBytes(checkpoint, b)]);
  try {
    for (let done = 0; done < a.bytes; done += COMPARED_BYTES) {
      const length = Math.min(COMPARED_BYTES, a.bytes - done);
      const [left, right] = await Promise.all(pieces.map((piece) => piece.read(done, length)));
      if (Buffer.compare(left, right) !== 0) return true;
    }
    return false;
  } finally {
    await Promise.all(pieces.map((piece) => piece.close()));
  }
}

async function tensorBytes({ inMemory, files }: Checkpoint, tensor: CheckpointTensor) {
  const loaded = inMemory?.get(tensor.file);
  const file = files.find(({ name }) => name === tensor.file)!;
  const source = loaded
    ? memorySource(tensor.file, new Uint8Array(loaded))
    : await openCheckpointFile(file);
  return {
    read: async (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      await source.read(tensor.offset + offset, bytes);
      return bytes;
    },
    close: () => source.close(),
  };
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

import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { ANYWHERE, planChunks } from '../../compute/chunks.js';
import { joinExamined, NOTHING, type ExamineApi, type Examined } from '../../compute/examine.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { isCancelled, type CallOptions } from '../../rpc/rpc.js';
import { describeError } from '../../storage/describeError.js';
import type { StoredPart } from '../../storage/sourceRef.js';
import { mapConcurrently } from '../mapConcurrently.js';
import type { CheckedPart, CheckedTensor, CheckedWeight } from './check.js';

/** Parts whose values checks look at, by what they are for. Codes are looked at as what they decode to. */
const EXAMINED_ROLES: ReadonlySet<string> = new Set([
  ...['scales', 'negativeScales', 'divisor', 'factor', 'absmax', 'nestedAbsmax'],
  ...['columnScales', 'maxima', 'biases', 'groupIndex', 'inputScale'],
]);

/** Reads all of a model once. */
export async function examineModel(
  pool: WorkerPool,
  { tensors, files }: OpenedModel,
  options: CallOptions,
): Promise<{ readonly tensors: CheckedTensor[]; readonly weights: CheckedWeight[] }> {
  const total = tensors.reduce((sum, { elements }) => sum + elements, 0);
  let done = 0;
  const fileOf = new Map(files.map(({ source, name }) => [source, name]));
  const checked = await mapConcurrently(
    tensors,
    2 + pool.threads,
    async (tensor, signal) => {
      const found = await examineOrSay(pool, tensor, signal);
      const weight = await examineParts(pool, tensor, fileOf, signal);
      done += tensor.elements;
      options.onProgress?.({ done, total, message: tensor.name });
      return { tensor: { tensor, ...found }, weight };
    },
    options.signal,
  );
  return {
    tensors: checked.map(({ tensor }) => tensor),
    weights: checked.flatMap(({ weight }) => weight ?? []),
  };
}

/** What cannot be decoded is a finding, and no reason to leave the rest unread. */
async function examineOrSay(
  pool: WorkerPool,
  tensor: ModelTensor,
  signal: AbortSignal,
): Promise<Pick<CheckedTensor, 'examined' | 'unreadable'>> {
  if (tensor.elements === 0) return {};
  try {
    return { examined: await examine(pool, tensor, signal) };
  } catch (error) {
    if (isCancelled(error) || signal.aborted) throw error;
    return { unreadable: describeError(error) };
  }
}

async function examine(
  pool: WorkerPool,
  tensor: ModelTensor,
  signal: AbortSignal,
): Promise<Examined> {
  let examined = NOTHING;
  const chunks = planChunks(tensor, { asStored: true, boundary: ANYWHERE });
  function* tasks() {
    for (const chunk of chunks) yield { chunk };
  }
  await pool.tasks<ExamineApi>().run(
    'examine',
    tasks(),
    (next) => {
      examined = joinExamined(examined, next);
    },
    signal,
  );
  return examined;
}

async function examineParts(
  pool: WorkerPool,
  tensor: ModelTensor,
  fileOf: ReadonlyMap<StoredPart['source'], string>,
  signal: AbortSignal,
): Promise<CheckedWeight | undefined> {
  if (tensor.source.kind !== 'decoded' || !tensor.storage) return undefined;
  const { weight } = tensor.source;
  const parts = new Map<string, CheckedPart>();
  for (const [index, [role, part]] of Object.entries(weight.parts).entries()) {
    const { name } = tensor.storage.parts[index];
    const asked = EXAMINED_ROLES.has(role) || (role === 'codes' && part.dtype === 'I8');
    const elements = part.shape.reduce((product, dimension) => product * dimension, 1);
    const examined =
      asked && elements > 0
        ? await examine(pool, asTensor(tensor, part, elements), signal)
        : undefined;
    const file = fileOf.get(part.source) ?? tensor.file;
    parts.set(role, { ...part, name, file, examined });
  }
  const { name } = tensor;
  const module = name.endsWith('.weight') ? name.slice(0, -'.weight'.length) : name;
  return { tensor, layout: weight.layout, module, parameters: weight.parameters, parts };
}

/** A part as if it were a tensor of its own. */
function asTensor(
  { storage: _, ...tensor }: ModelTensor,
  { source, offset, dtype, shape }: StoredPart,
  elements: number,
): ModelTensor {
  return { ...tensor, source, offset, dtype, shape, elements, transposed: false };
}

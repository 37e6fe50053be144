import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WorkerPool } from '../../src/compute/workerPool.js';
import { parseFormat } from '../../src/formats/index.js';
import { quantizeTensors } from '../../src/jobs/comparison/quantizeTensors.js';
import type { BlockPlan, FeedForwardPlan } from '../../src/model/config/plan.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import type { EvaluationSettings, LanguageModel } from '../../src/model/evaluation/types.js';
import { isRouter } from '../../src/model/forward/block.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';

/** Tiny models with outputs of the original code. */
export const GOLDEN_MODELS = fileURLToPath(new URL('../fixtures/golden-models/', import.meta.url));

/** Settings under which tiny models are evaluated. */
export const SETTINGS: EvaluationSettings = { scaleDtype: 'f32', memoryBudgetBytes: 64 << 20 };

export async function openModel(path: string): Promise<LanguageModel> {
  return planLanguageModel(await openLocalModel(path));
}

/** One of the golden models. */
export function openGolden(name: string): Promise<LanguageModel> {
  return openModel(join(GOLDEN_MODELS, name));
}

/** The feed-forward part of a block without experts. */
export function denseFeedForward({ feedForward }: BlockPlan): FeedForwardPlan {
  if (isRouter(feedForward)) throw new Error('The block has experts');
  return feedForward;
}

/** Windows of different lengths, any tokens. */
export function someWindows({ plan }: LanguageModel, lengths: readonly number[]): Int32Array[] {
  let state = 7;
  return lengths.map((length) =>
    Int32Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % plan.vocabularySize;
    }),
  );
}

/** A tensor's values in logical order, [outputs × inputs]; in a format where one is named. */
export async function logicalValues(
  pool: WorkerPool,
  { opened }: LanguageModel,
  name: string,
  format = 'f32',
): Promise<Float32Array> {
  const tensor = opened.tensors.find((each) => each.name === name)!;
  const stored = new Float32Array(tensor.elements);
  let at = 0;
  const onOutput = (_: unknown, values: Float32Array) => {
    stored.set(values, at);
    at += values.length;
  };
  const formats = [parseFormat(format)];
  await quantizeTensors(pool, { tensors: [tensor], formats, scaleDtype: 'f32', onOutput });
  if (!tensor.transposed) return stored;
  const [inputs, outputs] = tensor.shape;
  return stored.map((_, i) => stored[(i % inputs) * outputs + Math.floor(i / inputs)]);
}

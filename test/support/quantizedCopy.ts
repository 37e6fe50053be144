import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkerPool } from '../../src/compute/workerPool.js';
import { quantizeTensors } from '../../src/jobs/comparison/quantizeTensors.js';
import type { LanguageModel, Variant } from '../../src/model/evaluation/types.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { f32Tensor, temporaryFolder, writeCheckpoint, type TestTensor } from './checkpoints.js';
import { openModel } from './languageModels.js';
import { readRawSafetensors } from './rawSafetensors.js';

/** A checkpoint with a variant's tensors dequantized to F32. */
export async function quantizedCopy(
  pool: WorkerPool,
  path: string,
  { changes }: Variant,
): Promise<LanguageModel> {
  const checkpoint = await openLocalModel(path);
  const tensors: Record<string, TestTensor> = {};
  for (const [name, { dtype, shape, bytes }] of readRawSafetensors(
    join(path, 'model.safetensors'),
  )) {
    tensors[name] = { dtype: dtype as TestTensor['dtype'], shape, bytes };
  }
  for (const [name, { format }] of changes) {
    const tensor = checkpoint.tensors.find((each) => each.name === name)!;
    const values = new Float32Array(tensor.elements);
    let at = 0;
    const onOutput = (_: unknown, weights: Float32Array) => {
      values.set(weights, at);
      at += weights.length;
    };
    const request = { tensors: [tensor], formats: [format!], scaleDtype: 'f32', onOutput } as const;
    await quantizeTensors(pool, request);
    tensors[name] = f32Tensor(tensor.shape, values);
  }
  const folder = await temporaryFolder();
  const config = await readFile(join(path, 'config.json'));
  await writeFile(join(folder, 'config.json'), config);
  await writeCheckpoint(tensors, folder);
  return openModel(folder);
}

// The golden models and those of an independent forward pass, on a device.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { GpuMachine } from '../../src/compute/webgpu/gpuMachine.js';
import { chunksOnThreads } from '../../src/compute/webgpu/chunksOnThreads.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import { forwardOnThreads } from '../../src/model/forward/webgpu/forwardOnThreads.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { createPool } from './checkpoints.js';
import type { ServedGpu } from './gpuMachine.js';
import { floatsOf, readRawSafetensors } from './rawSafetensors.js';

const MAX_LOGIT = 1e-4;
const MAX_HIDDEN = 1e-4;
const MAX_NLL = 2e-5;

function modelsIn(folder: string): readonly URL[] {
  const url = new URL(`../fixtures/${folder}/`, import.meta.url);
  return readdirSync(url, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => new URL(`${name}/`, url));
}

function nameAndPath({ pathname }: URL): [name: string, path: string] {
  return [pathname.split('/').slice(-3).join('/'), pathname];
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  // Math.max keeps NaN.
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
}

/** All of these models, by name. */
export const MODELS: ReadonlyMap<string, string> = new Map(
  [...modelsIn('golden-models'), ...modelsIn('own-models')].map(nameAndPath),
);

/** Runs a model on a device and holds its hidden states, logits and scores against the reference's. */
export async function checkModelOnGpu(path: string, served: ServedGpu): Promise<void> {
  const reference = readRawSafetensors(new URL(`file://${path}reference.safetensors`));
  const ids = Int32Array.from(new BigInt64Array(reference.get('input_ids')!.bytes.buffer), Number);
  const model = await planLanguageModel(await openLocalModel(path));
  const machine = new GpuMachine(served.connection, await createPool(), [
    chunksOnThreads,
    forwardOnThreads,
  ]);
  const logits: Float32Array[] = [];
  const hidden: Float32Array[] = [];
  const { baseline } = await evaluate({
    pool: machine,
    model,
    windows: [ids],
    settings: {
      scaleDtype: 'f32',
      memoryBudgetBytes: 1 << 20,
      onLogits: async (_, values) => void logits.push(values),
      onHidden: (_, block, values) => (hidden[block] = values),
    },
  });
  await machine.end();

  hidden.forEach((values, block) => {
    const expected = reference.get(`hidden_after_block_${block}`);
    if (!expected) return;
    const reached = largestDifference(values, floatsOf(expected));
    expect(reached, `hidden states after block ${block}`).toBeLessThan(MAX_HIDDEN);
  });
  expect(hidden).toHaveLength(model.plan.blocks.length);
  expect(largestDifference(logits[0], floatsOf(reference.get('logits')!))).toBeLessThan(MAX_LOGIT);
  if (existsSync(`${path}manifest.json`)) {
    const manifest = readFileSync(`${path}manifest.json`, 'utf8');
    const { nll } = JSON.parse(manifest) as { nll: number };
    expect(Math.abs(baseline[0].nll / baseline[0].targets - nll)).toBeLessThan(MAX_NLL);
  }
}

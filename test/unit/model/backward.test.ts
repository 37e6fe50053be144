// Gradients of the loss by weights: against central differences of the loss itself.
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import { findGradients } from '../../../src/model/backward/findGradients.js';
import { gradedLinears, refuseGradients } from '../../../src/model/backward/plan.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { LanguageModel, Variant } from '../../../src/model/evaluation/types.js';
import { logicalValues, openGolden, SETTINGS, someWindows } from '../../support/languageModels.js';
import { sharedPool } from '../../support/sharedPool.js';

const LENGTHS = [24, 9, 40, 17, 31, 12];

async function gradientsOf(model: LanguageModel, threads: number) {
  const pool = await sharedPool({ threads });
  const tensors = new Set(
    model.plan.blocks.flatMap((block) => gradedLinears(block).map(({ weight }) => weight)),
  );
  const windows = someWindows(model, LENGTHS);
  return findGradients({ pool, model, windows, tensors, scaleDtype: 'f32' });
}

/** Mean loss of each variant. */
async function losses(pool: WorkerPool, model: LanguageModel, variants: readonly Variant[]) {
  const windows = someWindows(model, LENGTHS);
  const result = await evaluate({ pool, model, windows, variants, settings: SETTINGS });
  const mean = (scores: readonly { nll: number; targets: number }[]) =>
    scores.reduce((sum, { nll }) => sum + nll, 0) /
    scores.reduce((sum, { targets }) => sum + targets, 0);
  return { baseline: mean(result.baseline), variants: result.variants.map(mean) };
}

describe('gradients of the loss', () => {
  it.each(['llama-gqa-llama3rope', 'mistral-swa', 'llama-tied-nohead', 'phi3'])(
    'are its central differences: %s',
    async (name) => {
      const pool = await sharedPool({ threads: 2 });
      const model = await openGolden(name);
      const { ofWeights, loss } = await gradientsOf(model, 2);
      const directions: { name: string; slope: number; step: number; of: Float32Array }[] = [];
      const variants: Variant[] = [];
      for (const [weight, gradient] of ofWeights) {
        const stored = await logicalValues(pool, model, weight);
        // Every other element, then the rest: a gradient that is right only in its sum would be seen.
        for (const parity of [0, 1]) {
          const of = gradient.map((value, i) => (i % 2 === parity ? value : 0));
          const slope = of.reduce((sum, value) => sum + value * value, 0);
          const step = 2e-3 / slope;
          directions.push({ name: weight, slope, step, of });
          for (const sign of [1, -1]) {
            const values = stored.map((value, i) => value + sign * step * of[i]);
            variants.push({
              id: `${weight} ${parity} ${sign}`,
              changes: new Map([[weight, { values }]]),
            });
          }
        }
      }
      const found = await losses(pool, model, variants);
      expect(loss).toBeCloseTo(found.baseline, 5);
      for (const [index, { name: weight, slope, step }] of directions.entries()) {
        const [up, down] = found.variants.slice(2 * index, 2 * index + 2);
        expect((up - down) / (2 * step) / slope, weight).toBeCloseTo(1, 2);
      }
    },
  );

  it('do not depend on the number of threads', async () => {
    const model = await openGolden('llama-gqa-llama3rope');
    const [one, two] = [await gradientsOf(model, 1), await gradientsOf(model, 2)];
    expect(two.loss).toBe(one.loss);
    expect(two.ofWeights).toEqual(one.ofWeights);
  });

  it.each([
    ['gpt2', 'feed-forward parts other than those gated by silu'],
    ['gemma2', 'feed-forward parts other than those gated by silu'],
    ['qwen3-tied', 'norms of queries and keys'],
    ['qwen2-tied', 'biases'],
  ])('are not had of %s, and why is said', async (name, reason) => {
    const model = await openGolden(name);
    expect(refuseGradients(model.plan)).toBe(`Gradients are not known of models with ${reason}`);
    await expect(gradientsOf(model, 1)).rejects.toThrow(reason);
  });
});

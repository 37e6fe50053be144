import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { sharedPool } from '../support/sharedPool.js';
import { floatsOf, readRawSafetensors } from '../support/rawSafetensors.js';

// Logits and hidden states of the original model code for tiny models of every architecture.
const folder = new URL('../fixtures/golden-models/', import.meta.url);
const cases = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const MAX_LOGIT = 1e-4;
const MAX_HIDDEN = 1e-4;
const MAX_NLL = 2e-5;

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  // Math.max keeps NaN.
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
}

describe.each(['wasm', 'reference'] as const)('golden models, %s kernels', (backend) => {
  it.each(cases)('%s', async (name) => {
    const path = new URL(`${name}/`, folder);
    const reference = readRawSafetensors(new URL('reference.safetensors', path));
    const ids64 = new BigInt64Array(reference.get('input_ids')!.bytes.buffer);
    const ids = Int32Array.from(ids64, Number);
    const expected = (tensor: string) => floatsOf(reference.get(tensor)!);
    const { nll } = JSON.parse(readFileSync(new URL('manifest.json', path), 'utf8')) as {
      nll: number;
    };

    const pool = await sharedPool({ backend });
    const model = await planLanguageModel(await openLocalModel(fileURLToPath(path)));
    const logits: Float32Array[] = [];
    const hidden: Float32Array[] = [];
    const { baseline } = await evaluate({
      pool,
      model,
      windows: [ids],
      settings: {
        scaleDtype: 'f32',
        memoryBudgetBytes: 1 << 20,
        onLogits: async (_, values) => void logits.push(values),
        onHidden: (_, block, values) => (hidden[block] = values),
      },
    });

    hidden.forEach((values, block) => {
      const reached = largestDifference(values, expected(`hidden_after_block_${block}`));
      expect(reached, `hidden states after block ${block}`).toBeLessThan(MAX_HIDDEN);
    });
    expect(hidden).toHaveLength(model.plan.blocks.length);
    expect(largestDifference(logits[0], expected('logits'))).toBeLessThan(MAX_LOGIT);
    expect(Math.abs(baseline[0].nll / baseline[0].targets - nll)).toBeLessThan(MAX_NLL);
  });
});

// The same traits once more in places that those models do not show; logits by a plain float64
// forward pass (own-models/make.py).
const ownFolder = new URL('../fixtures/own-models/', import.meta.url);
const ownCases = readdirSync(ownFolder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

it.each(ownCases)('independent forward pass, %s', async (name) => {
  const path = new URL(`${name}/`, ownFolder);
  const reference = readRawSafetensors(new URL('reference.safetensors', path));
  const ids = Int32Array.from(new BigInt64Array(reference.get('input_ids')!.bytes.buffer), Number);
  const pool = await sharedPool();
  const model = await planLanguageModel(await openLocalModel(fileURLToPath(path)));
  const logits: Float32Array[] = [];
  await evaluate({
    pool,
    model,
    windows: [ids],
    settings: {
      scaleDtype: 'f32',
      memoryBudgetBytes: 1 << 20,
      onLogits: async (_, values) => void logits.push(values),
    },
  });
  const expected = floatsOf(reference.get('logits')!);
  expect(largestDifference(logits[0], expected)).toBeLessThan(MAX_LOGIT);
});

it('covers every architecture that is offered', async () => {
  const { ARCHITECTURES } = await import('../../src/model/config/architectures/index.js');
  const files = [
    ...cases.map((name) => new URL(`${name}/config.json`, folder)),
    ...ownCases.map((name) => new URL(`${name}/config.json`, ownFolder)),
  ];
  const covered = files.map(
    (file) => (JSON.parse(readFileSync(file, 'utf8')) as { model_type: string }).model_type,
  );
  expect(new Set(covered)).toEqual(new Set(ARCHITECTURES.map(({ modelType }) => modelType)));
});

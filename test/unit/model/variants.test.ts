// Variants that have values of their own in the place of stored tensors.
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { listLinears, type LinearPlan, type NormPlan } from '../../../src/model/config/plan.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { LanguageModel, TensorChange, Variant } from '../../../src/model/evaluation/types.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import { sharedPool } from '../../support/sharedPool.js';
import {
  denseFeedForward,
  logicalValues,
  openGolden,
  SETTINGS,
  someWindows,
} from '../../support/languageModels.js';

/** Where workers can read values in place. */
function shared(values: Float32Array): Float32Array {
  const copy = new Float32Array(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  return copy;
}

/** Scores of variants, evaluated together. */
async function scoresOf(pool: WorkerPool, model: LanguageModel, variants: readonly Variant[]) {
  const { variants: scores } = await evaluate({
    pool,
    model,
    windows: someWindows(model, [40, 25]),
    variants,
    settings: SETTINGS,
  });
  return scores;
}

/** Logits of one window, of the unquantized model where there is no variant. */
async function logitsOf(pool: WorkerPool, model: LanguageModel, variants: readonly Variant[]) {
  const logits: Float32Array[] = [];
  const onLogits = async (_: number, values: Float32Array) => void logits.push(values);
  const windows = someWindows(model, [40]);
  await evaluate({ pool, model, windows, variants, settings: { ...SETTINGS, onLogits } });
  return logits[0];
}

describe('values in the place of a tensor', () => {
  it.each([
    ['llama-gqa-llama3rope', 'int4:g32'],
    // Weights stored as [inputs × outputs]; the head is tied to the embedding.
    ['gpt2', 'int3:g8'],
    // Ranges of whole tensors, groups of the flattened tensor.
    ['gemma2', 'nvfp4'],
    ['phi3', 'bnb-nf4'],
  ])('%s: those of %s are that format, to the bit', async (name, id) => {
    const pool = await sharedPool();
    const model = await openGolden(name);
    const { tokens } = model.plan.embedding;
    const names = [...selectTensors(model.opened, {}).map((tensor) => tensor.name), tokens];
    const format = parseFormat(id);
    const [plain, inPlace, rounded] = [0, 1, 2].map(() => new Map<string, TensorChange>());
    for (const each of names) {
      const values = await logicalValues(pool, model, each, id);
      plain.set(each, { values });
      inPlace.set(each, { values: shared(values) });
      rounded.set(each, { values: await logicalValues(pool, model, each), format });
    }
    const last = names[names.length - 2];
    const [expected, alone, ...others] = await scoresOf(pool, model, [
      { id, changes: inFormat(format, names) },
      { id: `${id} ${last}`, changes: inFormat(format, [last]) },
      { id: 'values', changes: plain },
      { id: 'shared values', changes: inPlace },
      { id: 'values to be rounded', changes: rounded },
      { id: 'one tensor', changes: new Map([[last, plain.get(last)!]]) },
    ]);
    expect(expected).not.toEqual(alone);
    expect(others).toEqual([expected, expected, expected, alone]);
  });

  it('do not depend on what else is evaluated, nor on passes', async () => {
    const pool = await sharedPool();
    const model = await openGolden('llama-gqa-llama3rope');
    const variants = await Promise.all(
      [0.5, 1.5].flatMap((factor) =>
        ['model.layers.1.mlp.up_proj.weight', 'model.layers.0.input_layernorm.weight'].map(
          async (name): Promise<Variant> => {
            const values = (await logicalValues(pool, model, name)).map((v) => v * factor);
            return { id: `${factor} × ${name}`, changes: new Map([[name, { values }]]) };
          },
        ),
      ),
    );
    const windows = someWindows(model, [40, 40]);
    // Two variants in memory at once.
    const memoryBudgetBytes = 5 * 40 * model.plan.hiddenSize * 4;
    const few = await evaluate({
      pool,
      model,
      windows,
      variants,
      settings: { ...SETTINGS, memoryBudgetBytes },
    });
    expect(new Set(few.variants.map(([{ nll }]) => nll)).size).toBe(variants.length);
    for (const [index, variant] of variants.entries()) {
      const alone = await evaluate({
        pool,
        model,
        windows,
        variants: [variant],
        settings: SETTINGS,
      });
      expect(few.variants[index]).toEqual(alone.variants[0]);
    }
  });
});

/** As for the golden models. */
const MAX_LOGIT = 1e-4;

/** Scales of inputs between 1/4 and 4. */
const SCALES = {
  any: (i: number) => 4 ** Math.sin(1 + i * 2.3),
  'powers of two': (i: number) => 2 ** Math.round(2 * Math.sin(1 + i * 2.3)),
};

/** Divides what a norm gives by scales, and multiplies the weights that read it by the same. */
async function fold(
  pool: WorkerPool,
  model: LanguageModel,
  norm: NormPlan,
  linears: readonly LinearPlan[],
  scale: (input: number) => number,
): Promise<[string, TensorChange][]> {
  const changes: [string, TensorChange][] = [];
  for (const [name, offset] of [
    [norm.weight, norm.weightOffset],
    [norm.bias, 0],
  ] as const) {
    if (name === undefined) continue;
    const values = await logicalValues(pool, model, name);
    const folded = values.map((v, i) => (v + offset) / scale(i) - offset);
    changes.push([name, { values: folded }]);
  }
  for (const { weight, inputs } of linears) {
    const values = await logicalValues(pool, model, weight);
    changes.push([weight, { values: values.map((v, i) => v * scale(i % inputs)) }]);
  }
  return changes;
}

/** {@link fold} in every block, and before the head where it is not the embedding as well. */
async function foldAll(
  pool: WorkerPool,
  model: LanguageModel,
  scale: (input: number) => number,
): Promise<ReadonlyMap<string, TensorChange>> {
  const { blocks, finalNorm, head, embedding } = model.plan;
  const changes: [string, TensorChange][] = [];
  for (const block of blocks) {
    const { attention, attentionNorms, feedForwardNorms } = block;
    const feedForward = denseFeedForward(block);
    changes.push(
      ...(await fold(pool, model, attentionNorms.before!, attention.projections, scale)),
      ...(await fold(pool, model, feedForwardNorms.before!, feedForward.projections, scale)),
    );
  }
  if (head.weight !== embedding.tokens) {
    changes.push(...(await fold(pool, model, finalNorm!, [head], scale)));
  }
  return new Map(changes);
}

describe('scales that move from norms into the weights behind them', () => {
  // RMS norms; norms with biases before transposed weights; weights of norms less one; parallel parts.
  it.each(['llama-gqa-llama3rope', 'gpt2', 'gemma2', 'gpt_neox-parallel'])(
    '%s: change nothing but roundings',
    async (name) => {
      const pool = await sharedPool();
      const model = await openGolden(name);
      const expected = await logitsOf(pool, model, []);
      const differences = async (changes: ReadonlyMap<string, TensorChange>) => {
        const logits = await logitsOf(pool, model, [{ id: 'folded', changes }]);
        return logits.map((logit, i) => Math.abs(logit - expected[i]));
      };
      const folded = await foldAll(pool, model, SCALES.any);
      expect((await differences(folded)).every((difference) => difference < MAX_LOGIT)).toBe(true);
      // Products of powers of two do not round, unless 1 is added to weights of norms.
      const exact = await differences(await foldAll(pool, model, SCALES['powers of two']));
      if (name !== 'gemma2') expect(exact.every((difference) => difference === 0)).toBe(true);
      // Half of it is another model.
      const vectors = [...folded].filter(([, { values }]) => values!.length <= 64);
      const half = await differences(new Map(vectors));
      expect(half.some((difference) => difference > 0.1)).toBe(true);
    },
  );

  it('biases change, too, in blocks and outside them', async () => {
    const pool = await sharedPool();
    const model = await openGolden('phi');
    const { head, blocks, finalNorm } = model.plan;
    for (const name of [head.bias!, finalNorm!.bias!, listLinears(blocks[1])[0].bias!]) {
      const values = await logicalValues(pool, model, name);
      const same: Variant = { id: 'same', changes: new Map([[name, { values }]]) };
      const more = { values: values.map((v, i) => v + (i % 3)) };
      const other: Variant = { id: 'other', changes: new Map([[name, more]]) };
      const windows = someWindows(model, [30]);
      const { baseline, variants } = await evaluate({
        pool,
        model,
        windows,
        variants: [same, other],
        settings: SETTINGS,
      });
      expect(variants[0][0].nll).toBe(baseline[0].nll);
      expect(variants[1][0].nll).not.toBe(baseline[0].nll);
    }
  });
});

describe('values that cannot be', () => {
  const name = 'model.layers.1.mlp.up_proj.weight';

  it.each([
    ['other sizes', name, new Float32Array(5), `"${name}", 5 instead of 6144`],
    ['other tensors', 'x', new Float32Array(5), 'values for "x", which the model does not compute'],
    [
      'NaN',
      name,
      new Float32Array(6144).fill(NaN, 6143),
      `Values for "${name}" are not all finite`,
    ],
    [
      'infinite norms',
      'model.norm.weight',
      new Float32Array(64).fill(Infinity, 63),
      'Values for "model.norm.weight" are not all finite',
    ],
  ])('%s', async (_, tensor, values, message) => {
    const pool = await sharedPool();
    const model = await openGolden('llama-gqa-llama3rope');
    const variant: Variant = { id: 'wrong', changes: new Map([[tensor, { values }]]) };
    await expect(scoresOf(pool, model, [variant])).rejects.toThrow(message);
  });
});

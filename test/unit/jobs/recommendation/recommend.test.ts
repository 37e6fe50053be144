// Recommendations on the sample, with little text: what they keep to, and what they say.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RecommendationRequest } from '../../../../src/jobs/recommendation/recommend.js';
import { recipeOf } from '../../../../src/jobs/recommendation/recipeOf.js';
import { selectTensors } from '../../../../src/jobs/selection.js';
import { measureSensitivity } from '../../../../src/jobs/sensitivity/node/measureSensitivity.js';
import { openLocalModel } from '../../../../src/model/node/openLocalModel.js';
import type { RecommendationReport } from '../../../../src/reports/recommendation.js';
import type { SensitivityReport } from '../../../../src/reports/sensitivity.js';
import { createPool, SAMPLE, temporaryFolder } from '../../../support/checkpoints.js';
import { compareOn, perplexityOn, recommendOn } from '../../../support/jobs.js';
import { GOLDEN_MODELS } from '../../../support/languageModels.js';
import { rankCorrelation } from '../../../support/sensitivity.js';
import { sharedPool } from '../../../support/sharedPool.js';

const REQUEST: RecommendationRequest = {
  formats: ['int3', 'int4', 'nf4:g64', 'int6'],
  budget: { kind: 'bits', bitsPerWeight: 4 },
  sensitivity: { windows: 1, context: 64, draws: 1 },
  perplexity: { windows: 2, context: 128 },
};

async function recommendSample(
  changes: Partial<RecommendationRequest> = {},
): Promise<RecommendationReport> {
  return recommendOn(await sharedPool(), await openLocalModel(SAMPLE), { ...REQUEST, ...changes });
}

/** Formats by tensor. */
function formatsOf({ assignment }: RecommendationReport): ReadonlyMap<string, string> {
  return new Map(assignment.map(({ tensor, format }) => [tensor, format]));
}

function withoutTimes({ timings: _, sensitivity, ...report }: RecommendationReport) {
  return { ...report, sensitivity: { ...sensitivity, seconds: 0 } };
}

describe('a recommendation', () => {
  it('has a format for every linear weight within the budget, and is measured as it is said', async () => {
    const report = await recommendSample();
    const pool = await sharedPool();
    const model = await openLocalModel(SAMPLE);
    const tensors = formatsOf(report);
    expect(tensors.size).toBe(28);
    expect(report.bitsPerWeight).toBeLessThanOrEqual(4);
    expect(report.predictedBound).toBe(report.predicted.klDivergence);
    const mix = { name: 'mix', tensors: recipeOf({ ...report, recommended: 'mix' }).tensors };
    const { formats } = await perplexityOn(pool, model, {
      ...{ formats: [], mixes: [mix], windows: 2, context: 128 },
    });
    expect(formats[0].bitsPerWeight).toBe(report.bitsPerWeight);
    expect(formats[0].perplexity).toEqual(report.measured);
    // Relative errors are those that comparisons report.
    const compared = await compareOn(pool, model, { formats: [], mixes: [mix] });
    const [{ tensors: measured, summary }] = compared.formats;
    for (const [index, each] of report.assignment.entries()) {
      const { mse, parameters, sumSquares, storedAs } = measured[index];
      expect((mse * parameters) / sumSquares).toBeCloseTo(each.relativeError, 12);
      expect(storedAs).toBe(each.format);
    }
    const others = model.tensors.filter(({ name }) => !tensors.has(name));
    const otherBytes = others.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(report.sizeBytes).toBe(otherBytes + summary.sizeBytes);
  });

  it('is measured beside uniform formats that are no larger, and the better one wins', async () => {
    const { uniform, bestUniform, measured, recommended, bitsPerWeight } = await recommendSample();
    const rivals = uniform.filter((each) => each.measured);
    expect(rivals.map(({ id }) => id)).toEqual(['int3-asym:g128']);
    expect(bestUniform!.format).toBe('int3-asym:g128');
    expect(bestUniform!.bitsPerWeight).toBeLessThanOrEqual(bitsPerWeight);
    expect(measured.klDivergence!).toBeLessThan(bestUniform!.measured.klDivergence!);
    expect(recommended).toBe('mix');
  });

  it('says so where the mix does not win', async () => {
    const report = await recommendSample({
      formats: ['int4'],
      budget: { kind: 'bits', bitsPerWeight: 5 },
    });
    expect(report.recommended).toBe('uniform');
    expect(report.notes.join(' ')).toMatch(/mix does not win: int4-asym:g128/);
    expect(recipeOf(report).tensors.every(({ format }) => format === 'int4-asym:g128')).toBe(true);
  });

  it('gives tied tensors one format, and pinned ones theirs, uniform rivals included', async () => {
    const report = await recommendSample({
      ties: ['qkv', 'gate-up'],
      pins: [{ glob: '*.down_proj.*', format: 'int8-asym:g128' }],
      budget: { kind: 'bits', bitsPerWeight: 5.2 },
    });
    const formats = formatsOf(report);
    for (let layer = 0; layer < 4; layer++) {
      const of = (name: string) => formats.get(`model.layers.${layer}.${name}.weight`);
      expect(of('self_attn.k_proj')).toBe(of('self_attn.q_proj'));
      expect(of('self_attn.v_proj')).toBe(of('self_attn.q_proj'));
      expect(of('mlp.up_proj')).toBe(of('mlp.gate_proj'));
      expect(of('mlp.down_proj')).toBe('int8-asym:g128');
    }
    expect(report.assignment.filter(({ pinned }) => pinned)).toHaveLength(4);
    expect(report.uniform[0].bitsPerWeight).toBeGreaterThan(4);
    const { tensors } = recipeOf({ ...report, recommended: 'uniform' });
    expect(tensors.filter(({ format }) => format === 'int8-asym:g128')).toHaveLength(4);
  });

  it('keeps to budgets of bytes, of KL divergence and of perplexity', async () => {
    const bytes = await recommendSample({ budget: { kind: 'bytes', bytes: 2_700_000 } });
    expect(bytes.sizeBytes).toBeLessThanOrEqual(2_700_000);
    expect(bytes.sizeBytes).toBeGreaterThan(2_600_000);
    const divergence = await recommendSample({
      budget: { kind: 'divergence', klDivergence: 0.02 },
    });
    expect(divergence.predicted.klDivergence).toBeLessThanOrEqual(0.02);
    expect(divergence.predicted.klDivergence).toBeGreaterThan(0.019);
    const perplexity = await recommendSample({ budget: { kind: 'perplexity', delta: 0.5 } });
    expect(perplexity.predicted.deltaVsBaseline).toBeLessThanOrEqual(0.5);
    expect(perplexity.predicted.deltaVsBaseline).toBeGreaterThan(0.48);
  });

  it('is the same whatever the number of threads, and ranks tensors alike with other noise', async () => {
    const model = await openLocalModel(SAMPLE);
    const [one, three] = await Promise.all(
      [1, 3].map(async (threads) => recommendOn(await createPool({ threads }), model, REQUEST)),
    );
    expect({ ...withoutTimes(one) }).toEqual({ ...withoutTimes(three) });
    const other = await recommendSample({ sensitivity: { ...REQUEST.sensitivity, seed: 9 } });
    const [alphas, others] = [one, other].map(({ sensitivity }) =>
      sensitivity.tensors.map(({ alpha }) => alpha),
    );
    expect(others).not.toEqual(alphas);
    expect(rankCorrelation(others, alphas)).toBeGreaterThan(0.9);
  });

  it.each([
    [
      { budget: { kind: 'bits', bitsPerWeight: 3 } },
      /^3 bits per weight are too few: .* 3\.148 at least$/,
    ],
    [
      { budget: { kind: 'bytes', bytes: 1000 } },
      /^1000 bytes are too few: .* the model takes 2291200 at least$/,
    ],
    [{ budget: { kind: 'divergence', klDivergence: 1e-9 } }, /cannot be kept/],
    [
      { pins: [{ glob: 'nothing*', format: 'int8-asym:g128' }] },
      /^"nothing\*" is given .* matches no tensor/,
    ],
    [
      {
        ties: ['qkv'],
        pins: [
          { glob: '*q_proj*', format: 'int8-asym:g128' },
          { glob: '*k_proj*', format: 'int6-asym:g128' },
        ],
      },
      /are to have one format, but int8-asym:g128 and int6-asym:g128 are given$/,
    ],
  ] as const)('%j: is refused in one line', async (changes, message) => {
    await expect(recommendSample(changes as Partial<RecommendationRequest>)).rejects.toThrow(
      message,
    );
  });

  it('can be cancelled in each part', async () => {
    const pool = await sharedPool();
    const model = await openLocalModel(SAMPLE);
    for (const at of ['weights', 'sensitivity', 'perplexity']) {
      const controller = new AbortController();
      const run = recommendOn(pool, model, REQUEST, {
        signal: controller.signal,
        onPhase: (phase) => phase === at && controller.abort(),
      });
      await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    }
  });

  it('measures sensitivities on given ids where there is no tokenizer, or on random ones, and says so', async () => {
    const ids = join(await temporaryFolder(), 'ids.json');
    await writeFile(ids, JSON.stringify(Array.from({ length: 32 }, (_, at) => at)));
    const pool = await sharedPool();
    const model = await openLocalModel(join(GOLDEN_MODELS, 'llama-gqa-llama3rope'));
    const request: RecommendationRequest = {
      formats: ['int3:g32', 'int4:g32'],
      budget: { kind: 'bits', bitsPerWeight: 4 },
      perplexity: { tokenIdsFile: ids, context: 32 },
    };
    const { sensitivity } = await recommendOn(pool, model, request);
    expect(sensitivity.tokens).toMatchObject({ text: ids, tokens: 32 });
    const random = await measureSensitivity(pool, model, { tensors: selectTensors(model, {}) });
    expect(random.tokens.text).toBeUndefined();
    expect(random.notes[0]).toMatch(/token ids drawn at random \(.*tokenizer/);
    const names = ({ tensors }: SensitivityReport) => tensors.map(({ name }) => name);
    expect(names(random)).toEqual(names(sensitivity));
  });
});

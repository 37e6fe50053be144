// Factors that are folded into what stands before leave a model as it is; where they cannot be, it is said.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getMatrixShape } from '../../../src/checkpoint/matrixShape.js';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseScheme } from '../../../src/methods/schemes.js';
import type { StepFinding } from '../../../src/methods/types.js';
import { foldOf } from '../../../src/model/calibration/folding.js';
import {
  calibrateModel,
  type CalibratedModel,
} from '../../../src/model/calibration/node/calibrateModel.js';
import { listNorms } from '../../../src/model/config/plan.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { LanguageModel, WindowScore } from '../../../src/model/evaluation/types.js';
import { isRouter } from '../../../src/model/forward/block.js';
import { HOST, temporaryFolder } from '../../support/checkpoints.js';
import { GOLDEN_MODELS, openModel, SETTINGS, someWindows } from '../../support/languageModels.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
const golden = (name: string) => openModel(join(GOLDEN_MODELS, name));
const own = (name: string) => openModel(join(OWN_MODELS, name));

/** Calibrates on a few windows; linear weights of blocks are what is quantized, or some tensors. */
async function calibrate(
  model: LanguageModel,
  scheme: string,
  names?: readonly string[],
): Promise<CalibratedModel> {
  const { tensors } = model.opened;
  const chosen = tensors.filter(({ name, quantizedByDefault }) =>
    names ? names.includes(name) : quantizedByDefault,
  );
  return calibrateModel(
    {
      host: { ...HOST, parallelism: 1 },
      pool: { threads: 1 },
      model,
      key: ['test'],
      windowsFor: () => Promise.resolve({ windows: someWindows(model, [24, 40]) }),
      scaleDtype: 'f32',
      tensors: new Map(chosen.map((tensor) => [tensor.name, getMatrixShape(tensor).columns])),
      folder: await temporaryFolder(),
      inUse: new Set(),
    },
    parseScheme(scheme),
    {},
  );
}

let pool: WorkerPool;

beforeAll(async () => {
  pool = await WorkerPool.create({ ...HOST, parallelism: 1 }, { threads: 1 });
});

afterAll(() => pool.dispose());

type Changes = CalibratedModel['changes'];

/** How far scores of other windows are off with some changes, each by themselves. */
async function compare(model: LanguageModel, changes: readonly Changes[]) {
  const windows = someWindows(model, [33, 50]).map((ids) => ids.slice(2));
  const variants = changes.map((each, index) => ({ id: `${index}`, changes: each }));
  const result = await evaluate({ pool, model, windows, variants, settings: SETTINGS });
  const nllOf = (scores: readonly WindowScore[]) => scores.reduce((sum, { nll }) => sum + nll, 0);
  const nll = nllOf(result.baseline);
  return result.variants.map((scores) => ({
    error: Math.abs(nllOf(scores) / nll - 1),
    divergence: scores.reduce((sum, { divergence }) => sum + divergence, 0),
  }));
}

function notesAbout({ findings }: CalibratedModel, part: string): string[] {
  const about = ({ tensors }: StepFinding) => tensors.some((name) => name.includes(part));
  return findings.filter(about).flatMap(({ notes = [] }) => notes);
}

describe('factors that are folded', () => {
  it.each([
    ['RMS norms', 'f32+smoothquant', () => golden('llama-gqa-llama3rope')],
    ['layer norms with biases, transposed weights', 'f32+smoothquant', () => golden('gpt2')],
    ['norm weights with an offset', 'f32+smoothquant', () => golden('gemma2')],
    ['two norms of parallel parts', 'f32+smoothquant', () => golden('gpt_neox-parallel')],
    ['values in a fused map, as rows', 'f32+aweq', () => golden('gpt2')],
    ['values between queries and keys', 'f32+aweq', () => own('gpt_neox-serial')],
    ['fused gate and up', 'f32+aweq', () => golden('phi3')],
    ['biases before relu', 'f32+aweq', () => golden('opt-pre')],
    ['biases of gate and up', 'f32+aweq', () => own('llama-biases')],
    ['norms of heads', 'f32+aweq', () => golden('qwen3-tied')],
  ])('leave a model with %s as it is', async (_, scheme, open) => {
    const model = await open();
    const calibrated = await calibrate(model, scheme);
    const scaled = calibrated.findings.filter(({ values }) => Number(values.largestFactor) > 1.01);
    expect(scaled.length).toBeGreaterThanOrEqual(model.plan.blocks.length);
    // With the weights alone, without what they are folded into, it is another model.
    const norms = new Set(model.plan.blocks.flatMap(listNorms).map(({ weight }) => weight));
    const weights = new Map([...calibrated.changes].filter(([name]) => !norms.has(name)));
    expect(weights.size).toBeLessThan(calibrated.changes.size);
    const [whole, part] = await compare(model, [calibrated.changes, weights]);
    expect(whole.error).toBeLessThan(1e-5);
    expect(whole.divergence).toBeLessThan(1e-5);
    expect(part.error).toBeGreaterThan(1e-3);
  });

  it('reach what attention puts out through the rows of values', async () => {
    const model = await golden('gpt2');
    const { findings, changes } = await calibrate(model, 'int8:row+awq:no-clip');
    const [block] = model.plan.blocks;
    const { output, projections } = block.attention;
    const finding = findings.find(({ tensors }) => tensors.includes(output.weight))!;
    expect(finding.values.ratio).toBeGreaterThanOrEqual(0);
    expect(finding.values.largestFactor).toBeGreaterThan(1);
    expect(changes.get(projections[0].weight)?.stored).toBeDefined();
    const fold = foldOf(block, 'attentionOutput');
    if (fold.kind !== 'rows') throw new Error('Values can take factors');
    // Queries, keys, values: one below the other.
    const { inputs } = output;
    expect(fold.rows.map(({ row }) => row)).toEqual(
      Array.from({ length: inputs }, (__, input) => 2 * inputs + input),
    );
  });
});

describe('what a finding says of every input', () => {
  it('are factors, and the magnitudes that they even out', async () => {
    const model = await golden('llama-gqa-llama3rope');
    const { findings } = await calibrate(model, 'f32+smoothquant');
    expect(findings).toHaveLength(2 * model.plan.blocks.length);
    for (const { scaling, values } of findings) {
      const { factors, inputMaxAbs, weightMaxAbs } = scaling!;
      expect(Math.max(...factors)).toBe(values.largestFactor);
      factors.forEach((factor, i) =>
        expect(factor / Math.sqrt(inputMaxAbs[i] / weightMaxAbs[i])).toBeCloseTo(1, 5),
      );
      for (const each of [factors, inputMaxAbs, weightMaxAbs]) {
        expect(each).toHaveLength(model.plan.hiddenSize);
        expect(each).toEqual(each.map(Math.fround));
      }
    }
  });

  it.each(['aweq', 'awq:no-clip', 'aqas'])('is there with %s, too', async (method) => {
    const { findings } = await calibrate(await golden('gpt2'), `int8:row+${method}`);
    const scaled = findings.filter(({ values }) => values.largestFactor !== undefined);
    expect(scaled.length).toBeGreaterThan(0);
    for (const { scaling } of scaled) expect(scaling?.factors).toBeDefined();
  });
});

describe('where nothing can be folded, a note says so', () => {
  it.each([
    ['q_proj', 'there is no norm with weights before it', () => own('olmo2')],
    ['o_proj', 'several heads share their values', () => golden('llama-gqa-llama3rope')],
    ['q_proj', 'attention and the feed-forward part share one norm', () => golden('phi')],
    ['mlp.c_proj', 'factors do not pass through', () => golden('gpt2')],
  ])('about %s: %s', async (part, reason, open) => {
    const model = await open();
    const calibrated = await calibrate(model, 'int8:row+aweq');
    const notes = notesAbout(calibrated, part);
    expect(notes).toHaveLength(model.plan.blocks.length);
    for (const note of notes) expect(note).toContain(`not scaled: ${reason}`);
  });

  it('not even for experts, which share their inputs', async () => {
    const { plan } = await own('mixtral-window');
    const block = plan.blocks.find(({ feedForward }) => isRouter(feedForward))!;
    expect(foldOf(block, 'feedForward')).toMatchObject({ kind: 'none' });
    expect(foldOf(block, 'down')).toMatchObject({ kind: 'none' });
  });
});

describe('tensors whose inputs nobody gathers', () => {
  it.each(['gptq', 'awq:no-clip', 'hqq'])('are rounded to nearest with %s', async (method) => {
    const model = await own('mixtral-window');
    const names = ['model.layers.0.self_attn.q_proj.weight', 'lm_head.weight'];
    const { findings, changes } = await calibrate(model, `int4:row+${method}`, names);
    const { format, stored } = changes.get('lm_head.weight')!;
    expect(format?.id).toBe('int4-asym:row');
    expect(stored).toBeUndefined();
    expect(findings.at(-1)?.notes).toEqual([
      expect.stringContaining('lm_head.weight is rounded to nearest only'),
    ]);
  });
});

// Calibrated methods on experts: each expert's weights are chosen by the rows that are routed to it.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { getMatrixShape } from '../../../src/checkpoint/matrixShape.js';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import { parseScheme } from '../../../src/methods/schemes.js';
import {
  calibrateModel,
  type CalibratedModel,
} from '../../../src/model/calibration/node/calibrateModel.js';
import { expertsOf } from '../../../src/model/config/plan.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { LanguageModel, TensorChange } from '../../../src/model/evaluation/types.js';
import { WeightStore } from '../../../src/model/evaluation/weightStore.js';
import { isRouter } from '../../../src/model/forward/block.js';
import { HOST, temporaryFolder } from '../../support/checkpoints.js';
import { plainGram, quantizeOn } from '../../support/gptq.js';
import { logicalValues, openModel, SETTINGS, someWindows } from '../../support/languageModels.js';
import { shares } from '../../support/plainMixture.js';
import { PlainLayers, type Rows } from '../../support/plainLinear.js';
import { sharedPool } from '../../support/sharedPool.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
const own = (name: string) => openModel(join(OWN_MODELS, name));
const LENGTHS = [24, 40];

interface Choice {
  readonly lengths?: readonly number[];
  readonly threads?: number;
  readonly folder?: string;
  readonly isChosen?: (name: string) => boolean;
}

async function calibrate(
  model: LanguageModel,
  scheme: string,
  { lengths = LENGTHS, threads = 2, folder, isChosen = () => true }: Choice = {},
): Promise<CalibratedModel> {
  const chosen = model.opened.tensors.filter(
    ({ name, quantizedByDefault }) => quantizedByDefault && isChosen(name),
  );
  return calibrateModel(
    {
      host: { ...HOST, parallelism: threads },
      pool: { threads },
      model,
      key: ['test'],
      windowsFor: () => Promise.resolve({ windows: someWindows(model, lengths) }),
      scaleDtype: 'f32',
      tensors: new Map(chosen.map((tensor) => [tensor.name, getMatrixShape(tensor).columns])),
      folder: folder ?? (await temporaryFolder()),
      inUse: new Set(),
    },
    parseScheme(scheme),
    {},
  );
}

/** Weights of a tensor with a change, as rows. */
async function valuesOf(
  pool: WorkerPool,
  model: LanguageModel,
  name: string,
  change: TensorChange | undefined,
): Promise<Float32Array> {
  const store = new WeightStore({ pool, model: model.opened, scaleDtype: 'f32' });
  const { rows: outputs, columns: inputs } = getMatrixShape(store.tensor(name));
  const at = pool.reserve(outputs * inputs * 4).start;
  await store.loadRows([{ linear: { weight: name, outputs, inputs }, at, change }]);
  return new Float32Array(pool.memory.buffer, at, outputs * inputs).slice();
}

function expertTensors({ plan }: LanguageModel): string[] {
  const linears = plan.blocks
    .flatMap(expertsOf)
    .flatMap((each) => [...each.projections, each.down]);
  return [...new Set(linears.map(({ weight }) => weight))];
}

describe('experts', () => {
  it.each([
    ['mixtral-window', 'int3:g8+gptq'],
    ['qwen3_moe-dense-layer', 'int3:g8+gptq:act-order:order=per-block'],
    ['mixtral-fused', 'int3:g8+bitdistiller'],
    ['qwen3_moe-fused', 'int3:g8+awq'],
    ['mixtral-fused', 'int3:g8+hqq'],
    ['mixtral-window', 'fp4-e2m1:row+llm-fp4'],
    ['mixtral-fused', 'vptq-v4-k16'],
  ])('of %s are changed by %s otherwise than by rounding to nearest', async (name, scheme) => {
    const pool = await sharedPool();
    const model = await own(name);
    const made = await calibrate(model, scheme);
    const { format } = parseScheme(scheme);
    const unrouted = new Set(
      made.findings
        .filter(({ notes = [] }) => notes.some((note) => note.includes('no token')))
        .flatMap(({ tensors }) => tensors),
    );
    for (const tensor of expertTensors(model)) {
      const change = made.changes.get(tensor);
      const values = await valuesOf(pool, model, tensor, change);
      const nearest = await valuesOf(pool, model, tensor, { format });
      const isSame = values.every((value, i) => value === nearest[i]);
      if (!unrouted.has(tensor)) expect(isSame, tensor).toBe(false);
    }
    const windows = someWindows(model, [33, 50]).map((ids) => ids.slice(2));
    const variants = [{ id: scheme, changes: made.changes }];
    const result = await evaluate({ pool, model, windows, variants, settings: SETTINGS });
    expect(result.variants[0].every(({ nll }) => Number.isFinite(nll))).toBe(true);
    expect(result.variants[0]).not.toEqual(result.baseline);
  });
});

describe('GPTQ on experts', () => {
  it.each(['mixtral-window', 'qwen3_moe-fused'])(
    'is GPTQ of a layer with the products of its rows: %s',
    async (name) => {
      const pool = await sharedPool();
      const model = await own(name);
      const { blocks } = model.plan;
      // Experts of one block alone: the windows pass the others as they are stored.
      const index = blocks.findIndex(({ feedForward }) => isRouter(feedForward));
      const { feedForward } = blocks[index];
      if (!isRouter(feedForward)) throw new Error('The model has no experts');
      const ofBlock = new Set(
        feedForward.experts.flatMap((each) => each.projections.map(({ weight }) => weight)),
      );
      const made = await calibrate(model, 'int3:g8+gptq', {
        isChosen: (each) => ofBlock.has(each),
      });
      const routed: Float64Array[] = [];
      const observer = {
        wants: ({ weight }: { readonly weight: string }) => weight === feedForward.router.weight,
        observe: ({ values, inputs }: { values: Float32Array; inputs: number }) => {
          for (let at = 0; at < values.length; at += inputs) {
            routed.push(Float64Array.from(values.subarray(at, at + inputs)));
          }
        },
      };
      const windows = someWindows(model, LENGTHS);
      await evaluate({ pool, model, windows, settings: { ...SETTINGS, observer } });
      const plain = new PlainLayers(pool, model);
      const logits = await plain.linear(feedForward.router, routed);
      const chosen = logits.map((each) => shares(feedForward, each));
      for (const [expert, { projections }] of feedForward.experts.entries()) {
        const rows: Rows = routed.filter((_, row) => chosen[row].has(expert));
        if (rows.length === 0) continue;
        for (const { weight, outputs, inputs, firstRow = 0 } of projections) {
          const part = (values: Float32Array) =>
            values.slice(firstRow * inputs, (firstRow + outputs) * inputs);
          const alone = await quantizeOn(pool, {
            weights: part(await logicalValues(pool, model, weight)),
            outputs,
            inputs,
            gram: plainGram(Float32Array.from(rows.flatMap((row) => [...row])), inputs),
            rows: rows.length,
            format: 'int3:g8',
          });
          const values = await valuesOf(pool, model, weight, made.changes.get(weight));
          expect(part(values), `${weight}, expert ${expert}`).toEqual(alone.weights);
        }
      }
    },
  );

  it('says which experts see few rows or none, and rounds the latter to nearest', async () => {
    const pool = await sharedPool();
    const model = await own('qwen3_moe-fused');
    const made = await calibrate(model, 'int3:g8+gptq', { lengths: [2] });
    const unrouted = made.findings.flatMap(({ block, tensors, notes = [] }) =>
      notes.flatMap((note) => {
        const [, expert] = /^expert (\d+) is rounded to nearest: no token/.exec(note) ?? [];
        return expert ? [{ block, expert: Number(expert), tensors }] : [];
      }),
    );
    expect(unrouted.length).toBeGreaterThan(0);
    for (const { block, expert, tensors } of unrouted) {
      const { projections, down } = expertsOf(model.plan.blocks[block])[expert];
      const linears = [...projections, down].filter(({ weight }) => tensors.includes(weight));
      expect(linears.length).toBeGreaterThan(0);
      for (const { weight, outputs, inputs, firstRow = 0 } of linears) {
        const values = await valuesOf(pool, model, weight, made.changes.get(weight));
        const nearest = await valuesOf(pool, model, weight, { format: parseFormat('int3:g8') });
        const part = (all: Float32Array) =>
          all.slice(firstRow * inputs, (firstRow + outputs) * inputs);
        expect(part(values)).toEqual(part(nearest));
      }
    }
    expect(made.findings.flatMap(({ notes = [] }) => notes)).toContainEqual(
      expect.stringContaining('damping alone decides the rest'),
    );
  });

  it('gives the same with any number of threads, and from what was kept', async () => {
    const pool = await sharedPool();
    for (const name of ['qwen3_moe-fused']) {
      const model = await own(name);
      const folder = await temporaryFolder();
      const results: unknown[] = [];
      for (const [threads, where] of [
        [2, folder],
        [1, folder],
        [1, undefined],
      ] as const) {
        const made = await calibrate(model, 'int3:g8+awq+gptq', { threads, folder: where });
        const values = [];
        for (const tensor of expertTensors(model)) {
          values.push(await valuesOf(pool, model, tensor, made.changes.get(tensor)));
        }
        results.push([values, made.findings]);
      }
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
    }
  });
});

describe('scales at experts', () => {
  it('are left out and that is said; ranges are clipped', async () => {
    const model = await own('mixtral-window');
    const { findings } = await calibrate(model, 'int3:g8+awq');
    const about = findings.filter(({ tensors }) =>
      tensors.some((tensor) => tensor.includes('experts')),
    );
    const notes = about.flatMap(({ notes: each = [] }) => each);
    expect(notes).toContain('not scaled: experts share their inputs with the router');
    expect(notes).toContain('not scaled: it belongs to experts');
    expect(about.filter(({ values }) => 'clippedShare' in values).length).toBeGreaterThan(0);
  });
});

// Rounded inputs of linear maps: each step of a block follows from what an observer saw before it by plain loops in
// f64, with inputs rounded by the reference. Codes that flip with the last bit of a sum cannot add up in this way.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseActivationFormat, parseFormat } from '../../../src/formats/index.js';
import { scalesOfChannels } from '../../../src/formats/preShifted.js';
import { scaleOfRange } from '../../../src/kernels/forwardKernels.js';
import { roundRow } from '../../../src/kernels/reference/forward/rounding.js';
import {
  findInputMagnitudes,
  findInputRanges,
} from '../../../src/model/calibration/inputRanges.js';
import { linearsOf, listLinears, type LinearPlan } from '../../../src/model/config/plan.js';
import { evaluate, observeInputs } from '../../../src/model/evaluation/evaluate.js';
import type { InputObserver } from '../../../src/model/evaluation/inputObserver.js';
import type {
  ActivationChange,
  EvaluationSettings,
  LanguageModel,
  Variant,
} from '../../../src/model/evaluation/types.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import { isRouter, linearsAt } from '../../../src/model/forward/block.js';
import { activationVariant, linearWeights } from '../../support/activationVariants.js';
import { sharedPool } from '../../support/sharedPool.js';
import {
  GOLDEN_MODELS,
  openGolden,
  openModel,
  SETTINGS,
  someWindows,
} from '../../support/languageModels.js';
import { activated, plainMixture } from '../../support/plainMixture.js';
import { add, PlainLayers, rowsOf, scale, type Rows } from '../../support/plainLinear.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));

type Changes = ReadonlyMap<string, ActivationChange>;

function rounded(change: ActivationChange | undefined, rows: Rows): Rows {
  if (!change) return rows;
  const { levels, scaling } = change.format.entry;
  const ofRange = scaling === 'static' ? scaleOfRange(change.range!, levels) : undefined;
  const factor = change.fixed?.scale ?? ofRange;
  return rows.map((row) => {
    const values = Float32Array.from(row);
    roundRow(values, levels, factor, values);
    return Float64Array.from(values);
  });
}

/** Linear maps that round what they take. */
class RoundingLayers extends PlainLayers {
  constructor(
    pool: WorkerPool,
    model: LanguageModel,
    private readonly changes: Changes,
  ) {
    super(pool, model);
  }

  override linear(plan: LinearPlan, rows: Rows): Promise<Rows> {
    return super.linear(plan, rounded(this.changes.get(plan.weight), rows));
  }
}

/** Keeps the inputs of linear maps of one window, by weight. */
class Recorder implements InputObserver {
  readonly inputs = new Map<string, Rows>();

  constructor(readonly variant?: string) {}

  wants(): boolean {
    return true;
  }

  observe({ linears, values, inputs }: Parameters<InputObserver['observe']>[0]): void {
    for (const { weight } of linears) this.inputs.set(weight, rowsOf(values, inputs));
  }

  rows({ weight }: LinearPlan): Rows {
    return this.inputs.get(weight)!;
  }
}

function expectNear(actual: Rows, expected: Rows, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  const worst = actual.reduce(
    (most, row, i) => row.reduce((max, v, j) => Math.max(max, Math.abs(v - expected[i][j])), most),
    0,
  );
  expect(worst, what).toBeLessThan(1e-4);
}

/** The weights of the linear maps of a model's last block. */
function lastWeights({ plan }: LanguageModel): readonly string[] {
  const block = plan.blocks.at(-1)!;
  const experts = isRouter(block.feedForward) ? block.feedForward.experts : [];
  return [...listLinears(block), ...experts.flatMap(linearsOf)].map(({ weight }) => weight);
}

/** Checks the last block of a model, in which these inputs are rounded, step by step. */
async function checkLastBlock(pool: WorkerPool, model: LanguageModel, changes: Changes) {
  const { plan } = model;
  const windows = someWindows(model, [12]);
  const variant: Variant = { id: 'rounded', changes: new Map(), activations: changes };
  const recorder = new Recorder('rounded');
  const base = new Recorder();
  const hidden: Rows[] = [];
  const logits: Rows[] = [];
  const settings: EvaluationSettings = {
    ...SETTINGS,
    observer: recorder,
    onHidden: (_, block, values) => void (hidden[block] = rowsOf(values, plan.hiddenSize)),
    onLogits: async (_, values) => void logits.push(rowsOf(values, plan.vocabularySize)),
  };
  await evaluate({ pool, model, windows, variants: [variant], settings });
  await observeInputs({ pool, model, windows, settings: { ...SETTINGS, observer: base } });

  const plain = new RoundingLayers(pool, model, changes);
  const block = plan.blocks.at(-1)!;
  const { attention, attentionNorms, feedForward, feedForwardNorms, parallel } = block;
  const { branchScale = 1 } = block;
  // What is observed is not rounded.
  const taken = recorder.rows(attention.projections[0]);
  expect(taken).toEqual(base.rows(attention.projections[0]));
  // The first position sees itself alone: attention comes to its values.
  const projected = await Promise.all(
    attention.projections.map(async (linear) => {
      const results = await plain.linear(linear, taken.slice(0, 1));
      const change = changes.get(linear.weight);
      return change?.format.roundsQueriesKeysValues ? rounded(change, results) : results;
    }),
  );
  const row = projected.flatMap(([first]) => [...first]);
  const { values, heads, keyValueHeads, headSize } = attention;
  const own = Array.from({ length: heads }, (_, head) => {
    const at = values.at + Math.floor((head * keyValueHeads) / heads) * values.stride;
    return row.slice(at, at + headSize);
  });
  const attended = recorder.rows(attention.output);
  expectNear(attended.slice(0, 1), [Float64Array.from(own.flat())], 'values');

  const before = hidden.at(-2)!;
  const output = await plain.norm(
    attentionNorms.after,
    await plain.linear(attention.output, attended),
  );
  const middle = await plain.norm(attentionNorms.ofSum, add(before, scale(output, branchScale)));
  const read = await plain.norm(feedForwardNorms.before, parallel ? before : middle);
  const [first] = linearsAt(block, 'feedForward');
  expectNear(recorder.rows(first), read, 'feed-forward');
  let branch: Rows;
  if (isRouter(feedForward)) {
    branch = await plainMixture(plain, feedForward, recorder.rows(first));
  } else {
    const parts = await Promise.all(
      feedForward.projections.map((linear) => plain.linear(linear, recorder.rows(first))),
    );
    const down = recorder.rows(feedForward.down);
    expectNear(down, activated(feedForward, parts), 'down');
    branch = await plain.linear(feedForward.down, down);
  }
  branch = await plain.norm(feedForwardNorms.after, branch);
  const last = await plain.norm(
    plan.finalNorm,
    await plain.norm(feedForwardNorms.ofSum, add(middle, scale(branch, branchScale))),
  );
  const end = plan.outputProjection ? await plain.linear(plan.outputProjection, last) : last;
  const cap = plan.logitSoftCap;
  const all = scale(await plain.linear(plan.head, end), plan.logitScale ?? 1);
  const expected = all.map((each) => (cap > 0 ? each.map((v) => cap * Math.tanh(v / cap)) : each));
  expectNear(logits[0], expected, 'logits');
}

const MODELS = [
  ['llama-gqa-llama3rope', GOLDEN_MODELS],
  ['gemma2', GOLDEN_MODELS],
  // One map for queries, keys and values.
  ['gpt2', GOLDEN_MODELS],
  ['gpt_neox-parallel', GOLDEN_MODELS],
  ['opt-post-projected', OWN_MODELS],
  ['mixtral-window', OWN_MODELS],
  ['qwen3_moe-fused', OWN_MODELS],
] as const;

describe.each(['wasm', 'reference'] as const)('a block, %s kernels', (backend) => {
  it.each(MODELS)('%s', async (name, folder) => {
    const pool = await sharedPool({ backend });
    const model = await openModel(join(folder, name));
    const names = lastWeights(model);
    for (const id of ['int8-token', 'fp4-token:qkv']) {
      const format = parseActivationFormat(id);
      await checkLastBlock(pool, model, new Map(names.map((weight) => [weight, { format }])));
    }
  });

  it('with static scales, and maps of one place that want their inputs differently', async () => {
    const pool = await sharedPool({ backend });
    const model = await openGolden('llama-gqa-llama3rope');
    const windows = someWindows(model, [12]);
    const ranges = await findInputRanges({ pool, model, windows, settings: SETTINGS });
    const ids = ['int4-static', 'int8-token', undefined, 'fp8-static', 'int4-token'];
    const changes = lastWeights(model).flatMap((weight, index) => {
      const id = ids[index % ids.length];
      // Half of what there is, so that some is clamped.
      const range = ranges.get(weight)! / 2;
      return id ? [[weight, { format: parseActivationFormat(id), range }] as const] : [];
    });
    await checkLastBlock(pool, model, new Map(changes));
  });

  it('with scales of single inputs, which maps of one place share or not', async () => {
    const pool = await sharedPool({ backend });
    const model = await openGolden('llama-gqa-llama3rope');
    const windows = someWindows(model, [12]);
    const found = await findInputMagnitudes({ pool, model, windows, settings: SETTINGS });
    const format = parseActivationFormat('fp4-shifted');
    const { entry } = format;
    const changes = lastWeights(model).map((weight, index) => {
      const magnitudes = found.get(weight)!.map((each) => (index % 3 === 2 ? each / 2 : each));
      const scale = scalesOfChannels(entry, magnitudes);
      return [weight, { format, fixed: { levels: entry.levels, scale } }] as const;
    });
    await checkLastBlock(pool, model, new Map(changes));
  });
});

describe('variants', () => {
  it('that differ in activations alone are told apart, however the walk is cut', async () => {
    const model = await openGolden('llama-gqa-llama3rope');
    const windows = someWindows(model, [40, 7, 64]);
    const names = linearWeights(model);
    const variants: Variant[] = [
      activationVariant(model, 'int4:g32/int8-token'),
      { id: 'int4', changes: inFormat(parseFormat('int4:g32'), names) },
      activationVariant(model, 'int4:g32/int4-token'),
      { ...activationVariant(model, 'int4:g32/int8-token'), id: 'again' },
      activationVariant(model, 'f32/int8-token'),
    ];
    const results: unknown[] = [];
    const stateBytes = 64 * model.plan.hiddenSize * 4;
    for (const [threads, memoryBudgetBytes] of [
      [2, 256 << 20],
      [1, 5 * stateBytes],
    ]) {
      const pool = await sharedPool({ threads });
      const settings = { ...SETTINGS, memoryBudgetBytes };
      const { baseline, variants: scores } = await evaluate({
        pool,
        model,
        windows,
        variants,
        settings,
      });
      results.push([baseline, scores]);
      expect(scores[3]).toEqual(scores[0]);
      const nlls = [baseline, ...scores.slice(0, 3), scores[4]].map(([{ nll }]) => nll);
      expect(new Set(nlls).size).toBe(5);
      // Fewer levels, further away.
      expect(scores[2][0].divergence).toBeGreaterThan(2 * scores[0][0].divergence);
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('are refused where their activations belong to nothing', async () => {
    const pool = await sharedPool();
    const model = await openGolden('llama-gqa-llama3rope');
    const windows = someWindows(model, [4]);
    const refused = (name: string, id: string, range?: number, scale?: number | Float32Array) => {
      const format = parseActivationFormat(id);
      const fixed = scale === undefined ? undefined : { levels: format.entry.levels, scale };
      const activations = new Map([[name, { format, range, fixed }]]);
      const variants = [{ id: 'a', changes: new Map(), activations }];
      return expect(evaluate({ pool, model, windows, variants, settings: SETTINGS })).rejects;
    };
    const [name] = linearWeights(model);
    await refused(model.plan.head.weight, 'int8-token').toThrow(
      'which is no linear map of a block',
    );
    await refused(name, 'int8-static').toThrow('int8-static needs a range from calibration');
    await refused(name, 'int8-static', NaN).toThrow('whose range is NaN');
    await refused(name, 'fp4-shifted', 1).toThrow('fp4-shifted needs scales from calibration');
    const { inputs } = listLinears(model.plan.blocks[0]).find(({ weight }) => weight === name)!;
    const scales = new Float32Array(inputs).fill(1);
    await refused(name, 'fp4-shifted', 1, scales.fill(-1, 5, 6)).toThrow('whose scale is -1');
    await refused(name, 'fp4-shifted', 1, scales.subarray(1)).toThrow(
      `which has ${inputs} inputs, not the ${inputs - 1} that have a scale`,
    );
  });
});

describe('ranges of inputs', () => {
  it('are the largest magnitudes of all windows', async () => {
    const pool = await sharedPool();
    const model = await openGolden('gpt2');
    const windows = someWindows(model, [9, 30, 5]);
    const ranges = await findInputRanges({ pool, model, windows, settings: SETTINGS });
    expect([...ranges.keys()]).toEqual(
      model.plan.blocks.flatMap(listLinears).map(({ weight }) => weight),
    );
    const most = new Map<string, number>();
    for (const window of windows) {
      const observer = new Recorder();
      const settings = { ...SETTINGS, observer };
      await observeInputs({ pool, model, windows: [window], settings });
      for (const name of ranges.keys()) {
        const all = observer.inputs.get(name)!.flatMap((row) => [...row].map(Math.abs));
        most.set(name, Math.max(most.get(name) ?? 0, ...all));
      }
    }
    expect(ranges).toEqual(most);
  });

  it('are refused where inputs are not finite', async () => {
    const pool = await sharedPool();
    const model = await openGolden('llama-gqa-llama3rope');
    const [block] = model.plan.blocks;
    // The model itself, its first norm overflowing.
    const plan = {
      ...model.plan,
      blocks: [
        {
          ...block,
          attentionNorms: { before: { ...block.attentionNorms.before!, weightOffset: 3e38 } },
        },
      ],
    };
    const windows = someWindows(model, [4]);
    const request = { pool, model: { ...model, plan }, windows, settings: SETTINGS };
    await expect(findInputRanges(request)).rejects.toThrow(/Inputs of ".*" are not finite/);
  });
});

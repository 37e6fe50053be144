// What an observer of linear maps' inputs sees: each site's inputs follow from those before it by plain
// loops in f64, in every architecture.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { linearsOf, listLinears, type LinearPlan } from '../../../src/model/config/plan.js';
import { isRouter, linearsAt } from '../../../src/model/forward/block.js';
import { evaluate, observeInputs } from '../../../src/model/evaluation/evaluate.js';
import type { InputObserver } from '../../../src/model/evaluation/inputObserver.js';
import type {
  EvaluationSettings,
  LanguageModel,
  Variant,
} from '../../../src/model/evaluation/types.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import { sharedPool } from '../../support/sharedPool.js';
import {
  GOLDEN_MODELS,
  logicalValues,
  openGolden,
  openModel,
  SETTINGS,
  someWindows,
} from '../../support/languageModels.js';
import { activated, plainMixture } from '../../support/plainMixture.js';
import { add, scale, PlainLayers, rowsOf, type Rows } from '../../support/plainLinear.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
const folders = [GOLDEN_MODELS, OWN_MODELS].flatMap((folder) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => [name, join(folder, name)]),
);

/** Keeps all inputs: f32 [rows × inputs] by linear map and window, and the order in which they came. */
class Recorder implements InputObserver {
  readonly inputs = new Map<string, Float32Array>();
  readonly order: string[] = [];

  constructor(
    readonly variant?: string,
    private readonly isWanted = (_: LinearPlan, __: number) => true,
  ) {}

  wants(linear: LinearPlan, block: number): boolean {
    return this.isWanted(linear, block);
  }

  observe({
    linears,
    block,
    windows,
    rows,
    inputs,
    values,
    matrix,
  }: Parameters<InputObserver['observe']>[0]) {
    expect(values).toHaveLength(rows * inputs);
    expect([matrix.at, matrix.stride]).toEqual([values.byteOffset, inputs]);
    let at = 0;
    for (const { index, rows: count } of windows) {
      this.order.push(`${index} ${block} ${linears.map(({ weight }) => weight).join(' ')}`);
      for (const { weight } of linears) {
        const key = `${weight} ${index}`;
        // A tied head has one name, but inputs once.
        expect(this.inputs.has(key)).toBe(false);
        this.inputs.set(key, values.slice(at * inputs, (at + count) * inputs));
      }
      at += count;
    }
    expect(at).toBe(rows);
  }

  saw(weight: string): boolean {
    return this.inputs.has(`${weight} 0`);
  }

  rows({ weight, inputs }: LinearPlan, window = 0): Rows {
    return rowsOf(this.inputs.get(`${weight} ${window}`)!, inputs);
  }
}

/** Everything that an observer sees of some windows. */
async function observed(
  pool: WorkerPool,
  model: LanguageModel,
  lengths: readonly number[],
  recorder: Recorder,
  { variants = [] as readonly Variant[], settings = SETTINGS } = {},
): Promise<Recorder> {
  const windows = someWindows(model, lengths);
  await observeInputs({
    pool,
    model,
    windows,
    variants,
    settings: { ...settings, observer: recorder },
  });
  return recorder;
}

/** Rounding of f32, as for the golden models' hidden states. */
function expectNear(actual: Rows, expected: Rows, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  // Math.max keeps NaN.
  const worst = actual.reduce((most, row, i) => {
    expect(row.length, what).toBe(expected[i].length);
    return row.reduce((max, v, j) => Math.max(max, Math.abs(v - expected[i][j])), most);
  }, 0);
  expect(worst, what).toBeLessThan(1e-4);
}

describe.each(['wasm', 'reference'] as const)('inputs, %s kernels', (backend) => {
  it.each(folders)('%s', async (_, path) => {
    const pool = await sharedPool({ backend });
    const model = await openModel(path);
    const { plan } = model;
    const windows = someWindows(model, [20]);
    const hidden: Rows[] = [];
    const logits: Rows[] = [];
    const recorder = new Recorder();
    const settings: EvaluationSettings = {
      ...SETTINGS,
      observer: recorder,
      onHidden: (__, block, values) => void (hidden[block] = rowsOf(values, plan.hiddenSize)),
      onLogits: async (__, values) => void logits.push(rowsOf(values, plan.vocabularySize)),
    };
    await evaluate({ pool, model, windows, settings });

    const plain = new PlainLayers(pool, model);
    for (const [index, block] of plan.blocks.entries()) {
      const { attention, attentionNorms, feedForwardNorms, parallel } = block;
      const { feedForward } = block;
      const { branchScale = 1 } = block;
      const attended = recorder.rows(attention.output);
      const projections = linearsAt(block, 'feedForward');
      const ofFeedForward = recorder.rows(projections[0]);
      for (const { weight } of [...attention.projections, ...projections]) {
        expect(recorder.inputs.has(`${weight} 0`)).toBe(true);
      }
      if (isRouter(feedForward)) {
        // Experts see some rows only, and are not observed.
        expect(linearsOf(feedForward.experts[0]).some(({ weight }) => recorder.saw(weight))).toBe(
          false,
        );
      } else {
        // gate and up → what goes down
        const parts = await Promise.all(
          feedForward.projections.map((linear) => plain.linear(linear, ofFeedForward)),
        );
        const down = recorder.rows(feedForward.down);
        expectNear(down, activated(feedForward, parts), `block ${index}, down`);
      }
      // What stands before the first block, only the product knows.
      if (index === 0) continue;
      const before = hidden[index - 1];
      const normed = await plain.norm(attentionNorms.before, before);
      expectNear(recorder.rows(attention.projections[0]), normed, `block ${index}, attention`);
      const output = await plain.norm(
        attentionNorms.after,
        await plain.linear(attention.output, attended),
      );
      const middle = await plain.norm(
        attentionNorms.ofSum,
        add(before, scale(output, branchScale)),
      );
      const read = await plain.norm(feedForwardNorms.before, parallel ? before : middle);
      expectNear(ofFeedForward, read, `block ${index}, feed-forward`);
      const branch = await plain.norm(
        feedForwardNorms.after,
        isRouter(feedForward)
          ? await plainMixture(plain, feedForward, ofFeedForward)
          : await plain.linear(feedForward.down, recorder.rows(feedForward.down)),
      );
      const sum = await plain.norm(feedForwardNorms.ofSum, add(middle, scale(branch, branchScale)));
      expectNear(hidden[index], sum, `block ${index}`);
    }
    let last = await plain.norm(plan.finalNorm, hidden[plan.blocks.length - 1]);
    if (plan.outputProjection) {
      expectNear(recorder.rows(plan.outputProjection), last, 'output projection');
      last = await plain.linear(plan.outputProjection, last);
    }
    expectNear(recorder.rows(plan.head), last, 'head');
    const cap = plan.logitSoftCap;
    const scaled = scale(await plain.linear(plan.head, last), plan.logitScale ?? 1);
    const expected = scaled.map((row) =>
      cap > 0 ? row.map((v) => cap * Math.tanh(v / cap)) : row,
    );
    expectNear(logits[0], expected, 'logits');
    const { projection, tokens, size } = plan.embedding;
    if (!projection) return;
    const embedding = rowsOf(await logicalValues(pool, model, tokens), size);
    const embedded = [...windows[0]].map((id) => embedding[id]);
    expectNear(recorder.rows(projection), embedded, 'projection of the embedding');
  });
});

describe('an observer', () => {
  it('sees windows in order, block by block, whatever the threads and the memory', async () => {
    const model = await openGolden('llama-gqa-llama3rope');
    const lengths = [30, 64, 7];
    const results: Recorder[] = [];
    for (const [threads, rows] of [
      [2, 1000],
      [1, 64],
    ]) {
      const pool = await sharedPool({ threads });
      const memoryBudgetBytes = rows * model.plan.hiddenSize * 4;
      const settings = { ...SETTINGS, memoryBudgetBytes };
      results.push(await observed(pool, model, lengths, new Recorder(), { settings }));
    }
    expect(results[1].inputs).toEqual(results[0].inputs);
    const layer = (index: number) => `model.layers.${index}`;
    const sites = [0, 1].flatMap((block) => [
      `${block} ${['q', 'k', 'v'].map((x) => `${layer(block)}.self_attn.${x}_proj.weight`).join(' ')}`,
      `${block} ${layer(block)}.self_attn.o_proj.weight`,
      `${block} ${layer(block)}.mlp.gate_proj.weight ${layer(block)}.mlp.up_proj.weight`,
      `${block} ${layer(block)}.mlp.down_proj.weight`,
    ]);
    sites.push('2 lm_head.weight');
    const walk = (batch: number[]) => sites.flatMap((site) => batch.map((i) => `${i} ${site}`));
    expect(results[0].order).toEqual(walk([0, 1, 2]));
    expect(results[1].order).toEqual([...walk([0]), ...walk([1]), ...walk([2])]);
  });

  it('gets what it wants, and nothing else', async () => {
    const pool = await sharedPool();
    const model = await openGolden('gpt2');
    const wanted = 'transformer.h.1.mlp.c_fc.weight';
    const one = new Recorder(undefined, ({ weight }) => weight === wanted);
    await observed(pool, model, [20, 9], one);
    expect([...one.inputs.keys()]).toEqual([`${wanted} 0`, `${wanted} 1`]);
    const all = await observed(pool, model, [20, 9], new Recorder());
    expect(one.inputs.get(`${wanted} 1`)).toEqual(all.inputs.get(`${wanted} 1`));
    const none = await observed(pool, model, [20], new Recorder(undefined, () => false));
    expect(none.order).toEqual([]);
  });

  it('sees a variant as it sees the model that the variant makes', async () => {
    const pool = await sharedPool();
    const model = await openGolden('llama-gqa-llama3rope');
    const format = parseFormat('int3');
    const names = selectTensors(model.opened, {}).map(({ name }) => name);
    const [last] = listLinears(model.plan.blocks[1]);
    const { weight } = last;
    const variants: Variant[] = [
      { id: 'all', changes: inFormat(format, names) },
      { id: 'last', changes: inFormat(format, [weight]) },
      {
        id: 'same',
        changes: new Map([[weight, { values: await logicalValues(pool, model, weight) }]]),
      },
    ];
    const see = (variant?: string, settings = SETTINGS) =>
      observed(pool, model, [40, 12], new Recorder(variant), { variants, settings });
    const plain = await see();
    expect((await see('same')).inputs).toEqual(plain.inputs);
    expect((await see('same')).order).toEqual(plain.order);
    const all = await see('all');
    const few = { ...SETTINGS, memoryBudgetBytes: 4 * 40 * model.plan.hiddenSize * 4 };
    expect((await see('all', few)).inputs).toEqual(all.inputs);
    expect((await see(undefined, few)).inputs).toEqual(plain.inputs);
    // A change shows behind the place where it is made.
    const changed = async (recorder: Recorder) =>
      [...plain.inputs].filter(([key, values]) => {
        const seen = recorder.inputs.get(key)!;
        return seen.some((v, i) => v !== values[i]);
      });
    const linears = model.plan.blocks.flatMap(listLinears);
    expect(await changed(all)).toHaveLength(2 * (linears.length - 3 + 1));
    expect(await changed(await see('last'))).toHaveLength(2 * (linears.length / 2 - 3 + 1));
  });

  it('changes no score, and sees what a store has, too', async () => {
    const pool = await sharedPool();
    const model = await openGolden('phi3');
    const windows = someWindows(model, [30, 22]);
    const variants = [{ id: 'all', changes: inFormat(parseFormat('int4:g8'), ['lm_head.weight']) }];
    const { baseline, variants: scores } = await evaluate({
      pool,
      model,
      windows,
      variants,
      settings: SETTINGS,
    });
    const store = { get: () => baseline[0], put: async () => undefined };
    const observer = new Recorder();
    const settings = { ...SETTINGS, store, observer };
    const result = await evaluate({ pool, model, windows, variants, settings });
    expect(result.baseline).toEqual(baseline);
    expect(result.variants).toEqual(scores);
    expect(observer.order.length).toBeGreaterThan(0);
  });

  it('fails the walk where it fails, and must name a variant that there is', async () => {
    const pool = await sharedPool();
    const model = await openGolden('gpt2');
    const windows = someWindows(model, [20]);
    const observe = () => Promise.reject(new Error('enough'));
    const run = (observer: InputObserver) =>
      observeInputs({ pool, model, windows, settings: { ...SETTINGS, observer } });
    await expect(run({ wants: () => true, observe })).rejects.toThrow('enough');
    const other = { variant: 'x', wants: () => true, observe };
    await expect(run(other)).rejects.toThrow('There is no variant "x" to observe');
  });
});

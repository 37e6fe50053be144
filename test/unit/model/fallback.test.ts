// An evaluation whose machine fails goes on with another. Both are threads here, so that results must be
// equal to the bit, wherever the first one fails.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskMachine, TaskRunner } from '../../../src/compute/taskMachine.js';
import type { ForwardApi } from '../../../src/model/forward/tasks.js';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import { GpuFailure } from '../../../src/kernels/webgpu/gpuFailure.js';
import { evaluate, observeInputs } from '../../../src/model/evaluation/evaluate.js';
import type { InputObserver, ObservedInputs } from '../../../src/model/evaluation/inputObserver.js';
import { StateKeeper } from '../../../src/model/evaluation/keptStates.js';
import {
  BASELINE,
  type EvaluationRequest,
  type EvaluationSettings,
  type LanguageModel,
  type Variant,
} from '../../../src/model/evaluation/types.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import { HOST } from '../../support/checkpoints.js';
import { openGolden, someWindows } from '../../support/languageModels.js';

/** A machine whose runs of tasks fail from one on. Its memory is away from here, as a device's is. */
function failingAfter(pool: WorkerPool, runs: number): TaskMachine & { readonly runs: number } {
  let done = 0;
  const fail = () => {
    if (done > runs) throw new GpuFailure('It is gone');
  };
  const runner = pool.tasks<ForwardApi>();
  const tasks = () => ({
    run: async (...args: Parameters<TaskRunner<ForwardApi>['run']>) => {
      done++;
      fail();
      await runner.run(...args);
    },
  });
  const readFloats = async (at: number, count: number) => {
    fail();
    return (await pool.readFloats(at, count)).slice();
  };
  return Object.create(pool, {
    runs: { get: () => done },
    tasks: { value: tasks },
    readFloats: { value: readFloats },
  }) as TaskMachine & { readonly runs: number };
}

let pools: WorkerPool[];
let model: LanguageModel;
let windows: Int32Array[];
let variants: Variant[];

beforeAll(async () => {
  pools = await Promise.all([1, 2].map(() => WorkerPool.create(HOST, { threads: 1 })));
  model = await openGolden('llama-tied-nohead');
  windows = someWindows(model, [12, 9, 12]);
  const names = model.opened.tensors
    .filter(({ quantizedByDefault }) => quantizedByDefault)
    .map(({ name }) => name);
  const whole = { id: 'all', changes: inFormat(parseFormat('int4'), names) };
  const last = { id: 'last', changes: inFormat(parseFormat('int3'), names.slice(-1)) };
  variants = [whole, last];
});

afterAll(() => Promise.all(pools.map((pool) => pool.dispose())));

/** Runs with a first machine that fails at each place in turn. */
async function failEverywhere(
  run: (request: Pick<EvaluationRequest, 'pool' | 'fallback'>) => Promise<void>,
): Promise<number[]> {
  const reached: number[] = [];
  for (let runs = 0; ; runs++) {
    const pool = failingAfter(pools[0], runs);
    let failures = 0;
    const onFailure = (_: Error, __: number, blocks: number) => {
      failures++;
      reached.push(blocks);
    };
    await run({ pool, fallback: { pool: pools[1], onFailure } });
    if (pool.runs <= runs) return reached;
    expect(failures, `failure after ${runs} runs`).toBe(1);
  }
}

const settingsWith = (more: Partial<EvaluationSettings>): EvaluationSettings => ({
  scaleDtype: 'f16',
  memoryBudgetBytes: 1 << 20,
  ...more,
});

describe('an evaluation that goes on elsewhere', () => {
  it('has the same scores, from the last block that is known', async () => {
    const request = { model, windows, variants, settings: settingsWith({}) };
    const { baseline, variants: wanted } = await evaluate({ ...request, pool: pools[1] });
    const reached = await failEverywhere(async (machines) => {
      const got = await evaluate({ ...request, ...machines });
      expect(got.baseline).toEqual(baseline);
      expect(got.variants).toEqual(wanted);
    });
    // Before the first block nothing is kept; behind the last one only scores are left.
    expect(new Set(reached)).toEqual(new Set([0, ...model.plan.blocks.map((_, i) => i + 1)]));
  });

  it('keeps no scores that two machines computed', async () => {
    const put: string[][] = [[], []];
    const stores = put.map((into) => ({
      get: () => undefined,
      put: async (scores: readonly { variant: string; window: number }[]) => {
        for (const { variant, window } of scores) into.push(`${variant} ${window}`);
      },
    }));
    const all = windows.flatMap((_, index) => [`${BASELINE} ${index}`]).sort();
    await failEverywhere(async ({ pool, fallback }) => {
      put.forEach((into) => into.splice(0));
      let mixed = 0;
      const onFailure = (error: Error, scored: number, blocks: number) => {
        fallback!.onFailure(error, scored, blocks);
        mixed = blocks;
      };
      await evaluate({
        pool,
        fallback: { pool: fallback!.pool, store: stores[1], onFailure },
        model,
        windows,
        settings: settingsWith({ store: stores[0] }),
      });
      // One batch: it is all of one machine, or of both.
      expect([...put[0], ...put[1]].sort()).toEqual(mixed > 0 ? [] : all);
    });
  });

  it('gives logits once, in order', async () => {
    await failEverywhere(async (machines) => {
      const seen: number[] = [];
      const onLogits = async (window: number) => void seen.push(window);
      await evaluate({ ...machines, model, windows, settings: settingsWith({ onLogits }) });
      expect(seen).toEqual([0, 1, 2]);
    });
  });

  it('shows an observer all inputs once, those of an evaluation and of a mere walk', async () => {
    const collect = async (run: (observer: InputObserver) => Promise<unknown>) => {
      const inputs = new Map<string, number[]>();
      const observe = ({ block, linears, windows: some, inputs: size, values }: ObservedInputs) => {
        let at = 0;
        for (const { index, rows } of some) {
          const key = `${block} ${linears[0].weight} ${index}`;
          expect(inputs.has(key), key).toBe(false);
          inputs.set(key, [...values.subarray(at * size, (at + rows) * size)]);
          at += rows;
        }
      };
      await run({ wants: () => true, observe });
      return inputs;
    };
    for (const walk of [observeInputs, evaluate]) {
      const runWith = (machines: Pick<EvaluationRequest, 'pool' | 'fallback'>) =>
        collect((observer) =>
          walk({ ...machines, model, windows, settings: { ...settingsWith({}), observer } }),
        );
      const wanted = await runWith({ pool: pools[1] });
      await failEverywhere(async (machines) => expect(await runWith(machines)).toEqual(wanted));
    }
  });

  it('throws what is no failure of the machine', async () => {
    const observer: InputObserver = {
      wants: () => true,
      observe: () => Promise.reject(new Error('It is full')),
    };
    const fallback = { pool: pools[1], onFailure: () => expect.fail('It fell back') };
    const settings = { ...settingsWith({}), observer };
    const walk = observeInputs({ pool: pools[0], fallback, model, windows, settings });
    await expect(walk).rejects.toThrow('It is full');
  });
});

describe('hidden states that are kept', () => {
  const BATCH = { windows: [0], rows: 4 };
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  it('cost no more than a tenth of the time, and are those of the batch under way', async () => {
    let now = 0;
    let reads = 0;
    const finish: (() => void)[] = [];
    const readFloats = (at: number, count: number) => {
      reads++;
      return new Promise<Float32Array>((resolve) => {
        finish.push(() => resolve(new Float32Array(count).fill(at)));
      });
    };
    const keeper = new StateKeeper({ readFloats }, 8, () => now);
    const model1 = new Map([[BASELINE, 7]]);
    keeper.begin(BATCH);
    keeper.keep(1, model1);
    // One is under way: the next block is let pass.
    keeper.keep(2, model1);
    expect(reads).toBe(1);
    expect(keeper.kept).toBeUndefined();
    now = 5;
    finish[0]();
    await settle();
    expect(keeper.kept).toMatchObject({ block: 1, batch: BATCH });
    expect(keeper.kept!.states.get(BASELINE)).toEqual(new Float32Array(32).fill(7));
    now = 54;
    keeper.keep(3, model1);
    expect(reads).toBe(1);
    now = 55;
    keeper.keep(4, model1);
    expect(reads).toBe(2);
    // What arrives when the next batch has begun is of no use to it.
    keeper.begin({ windows: [1], rows: 4 });
    finish[1]();
    await settle();
    expect(keeper.kept).toBeUndefined();
  });

  it('are none where they are large, and stay where the machine fails', async () => {
    let answer = Promise.resolve(new Float32Array(1));
    const keeper = new StateKeeper({ readFloats: () => answer }, 8, () => 0);
    keeper.begin({ windows: [0], rows: 2 ** 24 });
    keeper.keep(1, new Map([[BASELINE, 0]]));
    await settle();
    expect(keeper.kept).toBeUndefined();
    keeper.begin(BATCH);
    keeper.keep(1, new Map([[BASELINE, 0]]));
    await settle();
    answer = Promise.reject(new GpuFailure('It is gone'));
    keeper.keep(2, new Map([[BASELINE, 0]]));
    await settle();
    expect(keeper.kept?.block).toBe(1);
  });
});

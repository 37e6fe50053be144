// The walk of a calibration computes what an evaluation computes, in every architecture.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseFormat } from '../../../src/formats/index.js';
import { CalibrationWalk } from '../../../src/model/calibration/calibrationWalk.js';
import type { CalibrationRequest } from '../../../src/model/calibration/types.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { LanguageModel, TensorChange } from '../../../src/model/evaluation/types.js';
import { INPUT_SITES } from '../../../src/model/forward/block.js';
import { HOST } from '../../support/checkpoints.js';
import { GOLDEN_MODELS, openModel, SETTINGS, someWindows } from '../../support/languageModels.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
const models = [GOLDEN_MODELS, OWN_MODELS].flatMap((folder) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => [name, join(folder, name)]),
);

/** What models with learned positions allow. */
const LENGTHS = [30, 60, 2];

let pool: WorkerPool;

beforeAll(async () => {
  pool = await WorkerPool.create({ ...HOST, parallelism: 2 }, { threads: 2 });
});

afterAll(() => pool.dispose());

function makeWalk(model: LanguageModel, windows: readonly Int32Array[]): CalibrationWalk {
  const request: CalibrationRequest = {
    pool,
    model,
    windows,
    format: parseFormat('int4'),
    scaleDtype: 'f32',
    tensors: new Set(),
    base: new Map<string, TensorChange>(),
    parts: {
      get: () => Promise.resolve(undefined),
      put: () => Promise.reject(new Error('Nothing is calibrated here')),
    },
  };
  return new CalibrationWalk(request, {});
}

/** Hidden states as they are now, by window and block. */
function keepStates(walk: CalibrationWalk, block: number, states: Map<string, Float32Array>) {
  const { hiddenSize } = walk.request.model.plan;
  for (const { index, hidden, rows } of walk.windows) {
    const values = new Float32Array(pool.memory.buffer, hidden, rows * hiddenSize);
    states.set(`${index} ${block}`, values.slice());
  }
}

/** The same as an evaluation has them. */
async function evaluated(
  model: LanguageModel,
  windows: readonly Int32Array[],
): Promise<Map<string, Float32Array>> {
  const states = new Map<string, Float32Array>();
  const onHidden = (window: number, block: number, hidden: Float32Array) =>
    void states.set(`${window} ${block}`, hidden.slice());
  await evaluate({ pool, model, windows, settings: { ...SETTINGS, onHidden } });
  return states;
}

function expectSame(
  actual: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [key, values] of expected) {
    const seen = actual.get(key)!;
    const different = values.findIndex((value, at) => !Object.is(value, seen[at]));
    expect(different, `window and block ${key}`).toBe(-1);
  }
}

describe('the walk of a calibration', () => {
  it.each(models)(
    'leaves the hidden states of an evaluation after each block of %s',
    async (_, path) => {
      const model = await openModel(path);
      const windows = someWindows(model, LENGTHS);
      const walk = makeWalk(model, windows);
      const states = new Map<string, Float32Array>();
      await walk.run(async (block) => {
        await walk.passBlock(block, () => undefined);
        keepStates(walk, block.index, states);
      });
      expectSame(states, await evaluated(model, windows));
    },
  );

  it('passes a block again from where it was kept', async () => {
    for (const name of ['gpt_neox-parallel', 'llama-gqa-llama3rope']) {
      const model = await openModel(join(GOLDEN_MODELS, name));
      const windows = someWindows(model, [12, 9]);
      const walk = makeWalk(model, windows);
      const states = new Map<string, Float32Array>();
      await walk.run(async (block) => {
        walk.stages.keep();
        await walk.passBlock(block, () => undefined);
        walk.stages.restore();
        await walk.passBlock(block, () => undefined);
        keepStates(walk, block.index, states);
      });
      expectSame(states, await evaluated(model, windows));
    }
  });

  it('leaves hidden states alone while a part is looked at', async () => {
    const model = await openModel(join(GOLDEN_MODELS, 'phi'));
    const windows = someWindows(model, [20, 3]);
    const walk = makeWalk(model, windows);
    const { hiddenSize } = model.plan;
    const target = { at: pool.reserve(23 * hiddenSize * 4).start, stride: hiddenSize };
    const states = new Map<string, Float32Array>();
    const seen: number[] = [];
    const look = ({ rows }: { readonly rows: number }) => {
      seen.push(rows);
      return Promise.resolve();
    };
    await walk.run(async (block) => {
      await walk.loadVectors(block, () => undefined);
      const { attention, feedForward } = block.plan;
      if ('router' in feedForward) throw new Error('The model has no experts');
      const { projections, down } = feedForward;
      // The two parts' weights take the same places.
      const parts = {
        attention: [...attention.projections, attention.output],
        feedForward: [...projections, down],
      };
      for (const site of INPUT_SITES) {
        if (site in parts)
          await walk.pack(block, parts[site as keyof typeof parts], () => undefined);
        await walk.stages.observe(site, block.placed, look);
        if (site === 'attention')
          await walk.stages.outputs('attention', block.placed, target, look);
        if (site === 'feedForward') {
          await walk.stages.outputs('feedForward', block.placed, target, look);
        }
        await walk.pass(site, block, () => undefined);
      }
      keepStates(walk, block.index, states);
    });
    expect(new Set(seen)).toEqual(new Set([23]));
    expectSame(states, await evaluated(model, windows));
  });
});

// Straight-through training on tiny models: it helps, goes on where it stopped, and is the same on any threads.
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../../../src/formats/index.js';
import { gradedLinears } from '../../../../src/model/backward/plan.js';
import { trainWeights } from '../../../../src/model/training/trainWeights.js';
import type { TrainingRequest, TrainingState } from '../../../../src/model/training/types.js';
import { openGolden, someWindows } from '../../../support/languageModels.js';
import { sharedPool } from '../../../support/sharedPool.js';

const SETTINGS = { steps: 12, batch: 3, rate: 1e-3, decay: 0, checkEvery: 4, seed: 5 };

async function request(change: Partial<TrainingRequest> = {}, threads = 2) {
  const model = await openGolden('llama-gqa-llama3rope');
  const names = model.plan.blocks.flatMap((block) => gradedLinears(block).map((l) => l.weight));
  const windows = someWindows(model, [24, 9, 40, 17, 31, 12]);
  return {
    pool: await sharedPool({ threads }),
    model,
    windows: windows.slice(0, 4),
    validation: windows.slice(4),
    tensors: new Set(names),
    format: parseFormat('int2-asym:g32'),
    scaleDtype: 'f16',
    settings: SETTINGS,
    ...change,
  } satisfies TrainingRequest;
}

describe('training for a format', () => {
  it('lowers the divergence on the windows that it is trained on', async () => {
    const plain = await request();
    const { checks, best } = await trainWeights({ ...plain, validation: plain.windows });
    expect(checks.map(({ step }) => step)).toEqual([0, 4, 8, 12]);
    expect(best.loss).toBeLessThan(0.9 * checks[0].loss);
  });

  it('goes on from a state as if it had not been interrupted, on any number of threads', async () => {
    const states: TrainingState[] = [];
    const onState = async (state: TrainingState) => void states.push(structuredClone(state));
    const whole = await trainWeights(await request({ onState }));
    const resume = states.find(({ step }) => step === 4)!;
    const resumed = await trainWeights(await request({ resume }, 1));
    expect(resumed).toEqual(whole);
  });

  it('stops when cancelled', async () => {
    const abort = new AbortController();
    const onState = async () => abort.abort();
    const training = trainWeights(await request({ onState }), { signal: abort.signal });
    await expect(training).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  });

  it('refuses scales of whole tensors', async () => {
    const training = trainWeights(await request({ format: parseFormat('nvfp4') }));
    await expect(training).rejects.toThrow('has a scale of the whole tensor');
  });
});

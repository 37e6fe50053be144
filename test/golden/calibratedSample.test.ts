// Layer 1 of the sample model after calibration, as the original research code left it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { getMatrixShape } from '../../src/checkpoint/matrixShape.js';
import { parseScheme } from '../../src/methods/schemes.js';
import { calibrateModel } from '../../src/model/calibration/node/calibrateModel.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { tokenize } from '../../src/model/text/tokenizer.js';
import { cutStreamWindows } from '../../src/model/text/windows.js';
import { floatsOf, readRawSafetensors } from '../support/rawSafetensors.js';
import { HOST, SAMPLE, temporaryFolder } from '../support/checkpoints.js';
import { CalibrationTensors } from './calibrationVectors.js';

const golden = new CalibrationTensors('sample_layer1.safetensors');
/** Parts of the calibration text that were used, see the fixtures' README. */
const TEXT = { windows: 64, context: 256 };
const O_PROJ = 'model.layers.1.self_attn.o_proj.weight';

/** Values of tensors of a folder's files, by name. */
async function calibrate(name: string, only: RegExp): Promise<ReadonlyMap<string, Float32Array>> {
  const opened = await openLocalModel(SAMPLE);
  const model = await planLanguageModel(opened);
  const text = await readFile(join(SAMPLE, 'calibration.txt'), 'utf8');
  const { ids } = await tokenize(HOST, opened, [text], {});
  const { ids: windows } = cutStreamWindows(ids[0], TEXT, model.plan);
  const linear = opened.tensors.filter((tensor) => tensor.quantizedByDefault);
  const made = await calibrateModel(
    {
      host: HOST,
      pool: {},
      model,
      key: [name],
      windowsFor: () => Promise.resolve({ windows }),
      scaleDtype: 'f32',
      tensors: new Map(linear.map((tensor) => [tensor.name, getMatrixShape(tensor).columns])),
      folder: await temporaryFolder(),
      inUse: new Set(),
    },
    parseScheme(name),
    {},
  );
  const values = new Map<string, Float32Array>();
  for (const [tensor, { stored }] of made.changes) {
    if (!only.test(tensor) || stored?.source.kind !== 'uri') continue;
    const tensors = readRawSafetensors(new URL(stored.source.uri));
    values.set(tensor, floatsOf(tensors.get(tensor)!));
  }
  return values;
}

describe('the sample model after GPTQ', () => {
  // Codes near a tie flip where the original adds in f32, and what follows in the same row is compensated.
  // Of this format few do; of integers up to half, which says nothing of either.
  it('in AFP3 has the weights that the original code gives layer 1', async () => {
    const weights = (await calibrate('afp3:g128+gptq', /layers\.1\.self_attn\.o_proj/)).get(
      O_PROJ,
    )!;
    const expected = golden.floats('gptq.afp3.g128.ts.o_proj');
    expect(weights.length).toBe(expected.length);
    const isNear = (weight: number, i: number) =>
      Math.abs(weight - expected[i]) <= 1e-5 * Math.abs(expected[i]);
    expect(weights.filter(isNear).length / weights.length).toBeGreaterThan(0.99);
  });
});

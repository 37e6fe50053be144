// Clip searches against the outputs of AWQ's and BitDistiller's code: clip values, then weights to the bit.
import { beforeAll, describe, expect, it } from 'vitest';
import { parseFormat } from '../../src/formats/index.js';
import { quantizeChunk } from '../../src/kernels/reference/quantizeChunk.js';
import type { Kernels } from '../../src/kernels/types.js';
import { searchClips } from '../../src/methods/clipping/searchClips.js';
import { createReferenceKernels, createWasmKernels } from '../support/kernels.js';
import {
  CalibrationTensors,
  calibrationVectors,
  gramOf,
  type CalibrationVector,
} from './calibrationVectors.js';

const expected = new CalibrationTensors('awq_clip.safetensors');
const given = new CalibrationTensors('awq_clip_inputs.safetensors');
const INPUTS = 64;
const weights = given.floats('calib_w_64x64');
const inputs = given.floats('calib_x_512x64');
const gram = gramOf(inputs, INPUTS);

const entries = calibrationVectors('awq_clip.json').filter(({ name }) => /clip\./.test(name));

/** AWQ's integers, which BitDistiller's search has, too; its NF3 has two scales, f32 levels, ties upwards. */
function formatOf({ fmt, bits, group }: CalibrationVector) {
  return parseFormat(`${fmt === 'nf3' ? 'anf3-ste' : `int${bits}-awq`}:g${group}`);
}

function search(kernels: Kernels, entry: CalibrationVector) {
  const clamped = weights.slice();
  const clips = searchClips(kernels, {
    kind: entry.name.startsWith('awq') ? 'symmetric' : 'two-ended',
    weights: clamped,
    inputs: INPUTS,
    groupColumns: entry.group,
    gram,
    sampledRows: inputs.length / INPUTS,
    format: formatOf(entry),
    scaleDtype: 'f32',
  });
  return { clamped, clips };
}

let wasm: Kernels;
beforeAll(async () => {
  wasm = await createWasmKernels();
});

describe.each(entries)('$name', (entry) => {
  it('chooses the clip values of the original code, without exception', () => {
    const { clips } = search(wasm, entry);
    expect(clips.highs).toEqual(expected.floats(`${entry.name}.max_val`));
    if (entry.name.startsWith('bd')) {
      expect(clips.lows).toEqual(expected.floats(`${entry.name}.min_val`));
    } else {
      expect(clips.lows).toEqual(clips.highs.map((high) => -high));
    }
    expect(clips.error).toBeLessThan(clips.errorUnclipped);
  });

  it('gives its weights to the bit', () => {
    const { clamped } = search(wasm, entry);
    const output = new Float32Array(clamped.length);
    const shape = { rows: clamped.length / INPUTS, columns: INPUTS };
    const format = formatOf(entry);
    quantizeChunk({ format, scaleDtype: 'f32', shape, weights: clamped, output });
    // Integer codes have no −0, which torch's arithmetic may give.
    expect(output).toEqual(expected.floats(entry.name).map((value) => value + 0));
  });

  it('is the same with the reference kernels', () => {
    expect(search(createReferenceKernels(), entry)).toEqual(search(wasm, entry));
  });
});

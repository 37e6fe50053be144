// Clip searches by their steps against the plain definition: outputs of sampled rows, candidate by candidate.
import { beforeAll, describe, expect, it } from 'vitest';
import { parseFormat, type NumberFormat } from '../../../src/formats/index.js';
import { quantizeChunk } from '../../../src/kernels/reference/quantizeChunk.js';
import { findMethod } from '../../../src/methods/index.js';
import { chosenSteps } from '../../../src/methods/steps.js';
import { gramOf } from '../../golden/calibrationVectors.js';
import { CalibrationMachine } from '../../support/calibrationMachine.js';
import { Random } from '../../support/forwardScene.js';

const ROWS = 24;
const random = new Random(5);

let machine: CalibrationMachine;
beforeAll(async () => {
  machine = await CalibrationMachine.create();
});

function extremes(values: Float32Array) {
  return { lo: Math.min(...values), hi: Math.max(...values) };
}

interface Scene {
  readonly format: NumberFormat;
  readonly group: number;
  readonly inputs: number;
  readonly weights: Float32Array;
  readonly rows: Float32Array;
  readonly twoEnded: boolean;
}

/** Weights clamped as the definition says, and each candidate's rank of each group. */
function clampByDefinition({ format, group, inputs, weights, rows, twoEnded }: Scene) {
  const factors = Array.from({ length: 10 }, (_, i) => Math.fround(1 - i / 20));
  const pairs = factors.flatMap((high) => (twoEnded ? factors : [high]).map((low) => [low, high]));
  const tensorRange = extremes(weights);
  const clamped = weights.slice();
  for (let at = 0; at < weights.length;) {
    const first = at % inputs;
    const columns = Math.min(group, inputs - first);
    const original = weights.subarray(at, at + columns);
    const { lo, hi } = extremes(original);
    const largest = Math.max(hi, -lo);
    let best = Infinity;
    for (const [low, high] of pairs) {
      const [bottom, top] = twoEnded
        ? [Math.fround(low * lo), Math.fround(high * hi)]
        : [Math.fround(low * -largest), Math.fround(high * largest)];
      const tried = original.map((w) => Math.min(Math.max(w, bottom), top));
      const output = new Float32Array(columns);
      const shape = { rows: 1, columns };
      quantizeChunk({ format, scaleDtype: 'f16', shape, weights: tried, output, tensorRange });
      let error = 0;
      for (let row = 0; row < rows.length; row += inputs) {
        let dot = 0;
        output.forEach((value, i) => (dot += rows[row + first + i] * (value - original[i])));
        error += dot * dot;
      }
      if (error < best) {
        best = error;
        clamped.set(tried, at);
      }
    }
    at += columns;
  }
  return clamped;
}

async function clip(method: string, scene: Scene) {
  const { format, inputs, weights, rows } = scene;
  const site = machine.site(inputs, [weights], format, 'f16');
  const gram = machine.gram(gramOf(rows, inputs), rows.length / inputs);
  const [finding] = await findMethod(method)!.clip!.clip(site, gram, {}, {});
  return { finding, clamped: machine.floats(site.linears[0].weights.at, weights.length) };
}

function makeScene(name: string, group: number, inputs: number, twoEnded = false): Scene {
  // 70 outputs: more than a task takes, and no multiple of the rows that are multiplied at once.
  const weights = random.floats(70 * inputs, 0.05);
  // A row of zeros, one that is all positive, one that holds a value many times over.
  weights.fill(0, 0, inputs);
  for (let i = inputs; i < 2 * inputs; i++) weights[i] = Math.abs(weights[i]) + 0.01;
  weights.fill(-0.3, 2 * inputs, 3 * inputs);
  const rows = random.floats(ROWS * inputs);
  return { format: parseFormat(name), group, inputs, weights, rows, twoEnded };
}

describe('awq', () => {
  it.each([
    ['int3-awq:g16', 16, 40],
    ['int4:g16', 16, 32],
    ['int4-sym:row', 40, 40],
    ['afp4:g8+mse', 8, 8],
    ['dint4:g32', 32, 32],
    ['nf4:g128', 24, 24],
    ['mxfp4', 32, 64],
    ['nvfp4', 16, 48],
    ['bnb-nf4:g16', 16, 32],
    ['q4_0', 32, 64],
  ])('%s: groups of %i of %i inputs', async (name, group, inputs) => {
    const scene = makeScene(name, group, inputs);
    const { finding, clamped } = await clip('awq', scene);
    expect(clamped).toEqual(clampByDefinition(scene));
    expect(clamped).not.toEqual(scene.weights);
    const { meanFactor, clippedShare, error, errorUnclipped } = finding.values;
    expect(meanFactor).toBeLessThan(1);
    expect(meanFactor).toBeGreaterThanOrEqual(0.55);
    expect(clippedShare).toBeGreaterThan(0);
    expect(error).toBeLessThan(Number(errorUnclipped));
    expect(finding).toMatchObject({ block: 2, tensors: ['linear0'] });
  });

  it('leaves queries and keys alone', () => {
    const { clip: step } = findMethod('awq')!;
    expect(step!.clips({ isQueryOrKey: true })).toBe(false);
    expect(step!.clips({ isQueryOrKey: false })).toBe(true);
  });

  it('leaves out the steps that options name', () => {
    const awq = findMethod('awq')!;
    expect(chosenSteps(awq, {})).toEqual({ scale: awq.scale, clip: awq.clip });
    expect(chosenSteps(awq, { 'no-clip': true })).toEqual({ scale: awq.scale });
    expect(chosenSteps(awq, { 'no-scale': true, 'no-clip': false })).toEqual({ clip: awq.clip });
  });

  it('says so where groups cross rows, and leaves the weights alone', async () => {
    const scene = makeScene('bnb-nf4:g64', 64, 40);
    const { finding, clamped } = await clip('awq', scene);
    expect(clamped).toEqual(scene.weights);
    expect(finding.notes).toEqual(['not clipped: groups of this format cross its rows']);
  });

  it.each([
    ['bf16', 'bf16 has no groups whose range could be clipped'],
    ['int8:tensor', 'clipping needs groups of a row or less, not a whole tensor'],
    ['int4', undefined],
    ['q4_k', undefined],
  ])('refuses what has no groups: %s', (name, reason) => {
    expect(findMethod('awq')!.refuses(parseFormat(name))).toBe(reason);
    expect(findMethod('bitdistiller')!.refuses(parseFormat(name))).toBe(reason);
  });

  it('stops when it is cancelled', async () => {
    const site = machine.site(16, [random.floats(16 * 16)], parseFormat('int4:g16'));
    const gram = machine.gram(gramOf(random.floats(64 * 16), 16), 64);
    const signal = AbortSignal.abort();
    await expect(findMethod('awq')!.clip!.clip(site, gram, {}, { signal })).rejects.toThrow(
      /abort/,
    );
  });
});

describe('bitdistiller', () => {
  it.each([
    ['anf3-ste:g16', 16, 40],
    ['int2-awq:g16', 16, 32],
    ['afp3:row', 24, 24],
  ])('%s: groups of %i of %i inputs', async (name, group, inputs) => {
    const scene = makeScene(name, group, inputs, true);
    const { finding, clamped } = await clip('bitdistiller', scene);
    expect(clamped).toEqual(clampByDefinition(scene));
    const { meanHighFactor, meanLowFactor } = finding.values;
    for (const factor of [meanHighFactor, meanLowFactor]) {
      expect(factor).toBeLessThan(1);
      expect(factor).toBeGreaterThanOrEqual(0.55);
    }
    expect(meanHighFactor).not.toBe(meanLowFactor);
  });
});

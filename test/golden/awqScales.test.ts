// AWQ's search for scales against the outputs of its code: scales to 1e-6, losses to 1e-7.
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../src/formats/index.js';
import { awq } from '../../src/methods/entries/awq.js';
import { makeScalingGroup, scaledAndBack } from '../support/scalingGroup.js';
import { CalibrationTensors, calibrationVectors } from './calibrationVectors.js';

const expected = new CalibrationTensors('awq_clip.safetensors');
const given = new CalibrationTensors('awq_clip_inputs.safetensors');
const INPUTS = 64;
const weights = given.floats('calib_w_64x64');
/** The search saw the first 128 rows. */
const rows = given.floats('calib_x_512x64').slice(0, 128 * INPUTS);
const named = calibrationVectors('awq_clip.json').filter(({ name }) =>
  name.startsWith('awq_scale'),
);

/** Largest relative difference. */
function relativeDifference(actual: Float32Array, wanted: Float32Array): number {
  expect(actual.length).toBe(wanted.length);
  return Math.max(...actual.map((value, i) => Math.abs(value / wanted[i] - 1)));
}

async function choose(
  site: 'attention' | 'down',
  bits: number,
  group: number,
  all: Float32Array[],
) {
  const format = parseFormat(`int${bits}-awq:g${group}`);
  const scene = makeScalingGroup({ site, format, inputs: INPUTS, rows, weights: all });
  const chosen = await awq.scale!.choose(scene.group, { duo: false }, {});
  return { format, ...chosen!, asked: scene.asked };
}

describe.each(named.filter(({ name }) => !name.includes('joint')))('$name', (entry) => {
  it('chooses the scales of the original code, by its loss', async () => {
    const { format, factors, finding, asked } = await choose('down', entry.bits, entry.group, [
      weights,
    ]);
    const wanted = expected.floats(`${entry.name}.scales`);
    expect(relativeDifference(factors, wanted)).toBeLessThan(1e-6);
    expect(Math.abs(Number(finding.values.loss) / entry.loss! - 1)).toBeLessThan(1e-7);
    expect(asked).toHaveLength(20);
    expect(asked.every(({ judgedBy }) => judgedBy === 'linears')).toBe(true);
    // With the very scales of the original, its weights follow to the bit.
    const changed = scaledAndBack(format, weights, INPUTS, wanted);
    expect(changed).toEqual(expected.floats(entry.name).map((value) => value + 0));
  });
});

describe.each(named.filter(({ name }) => name.includes('joint')))('$name', (entry) => {
  it('chooses one set of scales for queries, keys and values', async () => {
    const outputs = weights.length / INPUTS;
    const flipped = (rowOf: (i: number) => number, columnOf: (i: number) => number) =>
      weights.map(
        (_, at) => weights[rowOf(Math.floor(at / INPUTS)) * INPUTS + columnOf(at % INPUTS)],
      );
    const same = (i: number) => i;
    const keys = flipped((row) => outputs - 1 - row, same);
    const values = flipped(same, (column) => INPUTS - 1 - column);
    const all = [weights, keys, values];
    const { factors, asked } = await choose('attention', entry.bits, entry.group, all);
    expect(relativeDifference(factors, expected.floats(entry.name))).toBeLessThan(1e-6);
    expect(asked.every(({ judgedBy }) => judgedBy === 'module')).toBe(true);
  });
});

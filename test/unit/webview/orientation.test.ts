import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { GroupRangesAccumulator } from '../../../src/metrics/groupRanges.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { axisNames } from '../../../webview/editor/orientation.js';
import { groupNote, groupPlace } from '../../../webview/editor/groupFigure.js';

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const GPT2 = folder('../../fixtures/golden-models/gpt2');
const SAMPLE = folder('../../../media/sample');

async function describeLocal(path: string) {
  const { tensors } = describeModel(await openLocalModel(path));
  return (name: string) => tensors.find((tensor) => tensor.name === name)!;
}

it('names the dimensions of weights as they are stored', async () => {
  const gpt2 = await describeLocal(GPT2);
  expect(gpt2('transformer.h.0.attn.c_attn.weight').shape).toEqual([32, 96]);
  expect(axisNames(gpt2('transformer.h.0.attn.c_attn.weight'))).toBe('in × out');
  expect(axisNames(gpt2('transformer.h.1.mlp.c_proj.weight'))).toBe('in × out');
  // An embedding is looked up, not multiplied with, and a bias has one dimension.
  expect(axisNames(gpt2('transformer.wpe.weight'))).toBe('');
  expect(axisNames(gpt2('transformer.h.0.mlp.c_fc.bias'))).toBe('');
  const sample = await describeLocal(SAMPLE);
  expect(axisNames(sample('model.layers.0.mlp.down_proj.weight'))).toBe('out × in');
});

it('places groups of transposed weights where they are stored: down the columns', async () => {
  const tensor = (await describeLocal(GPT2))('transformer.h.0.mlp.c_proj.weight');
  expect(tensor.shape).toEqual([128, 32]);
  const zeros = new Float32Array(32 * 3);
  const ranges = (groupSize: number, groupsPerRow: number) => {
    const groups = zeros.subarray(0, 32 * groupsPerRow);
    const layout = { groupSize, groupsPerRow, groupCount: groups.length };
    const accumulator = new GroupRangesAccumulator(layout, 8);
    accumulator.add(groups, groups);
    return accumulator.summarize();
  };
  const by48 = ranges(48, 3);
  expect(groupPlace(tensor, by48, 0)).toBe('column 0, rows 0–47');
  expect(groupPlace(tensor, by48, 5)).toBe('column 1, rows 96–127');
  expect(groupPlace(tensor, by48, 4, 2)).toBe('column 1, rows 48–127');
  expect(groupPlace(tensor, by48, 5, 2)).toBe('column 1 row 96 to column 2 row 47');
  expect(groupNote(tensor, by48)).toBe('96 groups of 48');
  expect(groupNote(tensor, ranges(128, 1))).toBe('32 columns');
  const upright = { ...tensor, shape: [32, 128], transposed: false };
  expect(groupPlace(upright, by48, 5)).toBe('row 1, columns 96–127');
  expect(groupNote(upright, ranges(128, 1))).toBe('32 rows');
});

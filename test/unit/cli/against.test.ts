import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import { SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { run } from '../../support/commandLine.js';
import { floats, writeModel } from '../../support/quantizedWeights.js';

const WEIGHT = 'model.layers.0.mlp.down_proj.weight';

test('compare --against has of a written file what the format has', async () => {
  const out = join(await temporaryFolder(), 'out');
  await run('quantize', SAMPLE, '--format', 'afp4', '--out', out, '--quiet');
  const options = ['--windows', '1', '--context', '64', '--no-cache', '--json', '--quiet'];
  const both = await run('compare', SAMPLE, '--against', out, '--format', 'afp4', ...options);
  expect(both.stderr).toBe('');
  const { against, formats } = JSON.parse(both.stdout) as ComparisonReport;
  expect(against?.path).toBe(join(out, 'model.safetensors'));
  const [file, format] = formats;
  expect([file.id, format.id]).toEqual(['out/model.safetensors', 'afp4-e2m1:g128']);
  expect(file.bitsPerWeight).toBe(32);
  expect(file.tensors.map(({ name, maxAbsError }) => [name, maxAbsError])).toEqual(
    format.tensors.map(({ name, maxAbsError }) => [name, maxAbsError]),
  );
  expect(file.perplexity).toEqual(format.perplexity);

  const { stdout } = await run('compare', SAMPLE, '--against', out, '--quiet');
  expect(stdout).toMatch(/^against .*model\.safetensors {2}LlamaForCausalLM, BF16, F32$/m);
  expect(stdout).toContain('38 tensors, 3,672,320 of 3,672,320 weights, BF16\n');
  expect(stdout).toMatch(/^out\/model\.safetensors +\d+\.\d+ +\d+\.\d\d .* – .* – /m);
});

test('compare --against pairs tensors by their canonical names, and says what has no pair', async () => {
  const one = await writeModel({
    [WEIGHT]: floats([2, 2], [1, 2, 3, 4]),
    'model.layers.0.mlp.up_proj.weight': floats([2, 2], 1),
    'model.layers.0.mlp.gate_proj.weight': floats([2, 2], 1),
  });
  const other = await writeModel({
    'module.language_model.model.layers.0.mlp.down_proj.weight': floats([2, 2], [1, 2, 3.5, 0]),
    'layers.0.mlp.up_proj.weight': floats([1, 4], 1),
    'vision.weight': floats([2, 2], 1),
  });
  const { code, stdout } = await run('compare', one, '--against', other, '--json', '--quiet');
  expect(code).toBe(0);
  const [{ tensors, notes }] = (JSON.parse(stdout) as ComparisonReport).formats;
  expect(tensors).toHaveLength(1);
  expect(tensors[0]).toMatchObject({ name: WEIGHT, maxAbsError: 4, underflowFraction: 0.25 });
  expect(tensors[0].mse).toBe((0.25 + 16) / 4);
  expect(notes).toEqual([
    'Not compared: "model.layers.0.mlp.gate_proj.weight", which have no counterpart of that name in the other checkpoint.',
    'Not compared: "model.layers.0.mlp.up_proj.weight", which have another shape in the other checkpoint.',
    'Not compared: "vision.weight", which are in the other checkpoint alone.',
  ]);
});

test('compare --against leaves out what is not a number on either side, and says so', async () => {
  const one = await writeModel({ [WEIGHT]: floats([2, 2], [1, NaN, 2, 3]) });
  const other = await writeModel({ [WEIGHT]: floats([2, 2], [1, 1, Infinity, 4]) });
  const { stdout } = await run('compare', one, '--against', other, '--json', '--quiet');
  const [{ tensors, notes }] = (JSON.parse(stdout) as ComparisonReport).formats;
  expect(tensors[0]).toMatchObject({ mse: 0.5, maxAbsError: 1, nonFinite: 2 });
  expect(notes).toEqual([
    `2 weights are NaN or infinite in one of the two (1 of them in this checkpoint alone), the first at index 1 of "${WEIGHT}"; they are left out of every measure.`,
  ]);
});

test('compare --against refuses a checkpoint of which nothing fits', async () => {
  const one = await writeModel({ [WEIGHT]: floats([2, 2], 1) });
  const other = await writeModel({ 'a.weight': floats([2, 2], 1) });
  const { code, stdout, stderr } = await run('compare', one, '--against', other, '--quiet');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(
    /^quantscope: \S+model\.safetensors: none of its tensors has the name and the shape of one of \S+model\.safetensors\n$/,
  );
});

import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SAMPLE } from '../../support/checkpoints.js';
import { run } from '../../support/commandLine.js';
import { floats, weights, writeModel } from '../../support/quantizedWeights.js';

const WEIGHT = 'model.layers.0.mlp.down_proj.weight';

test('inspect --check says that nothing was found', async () => {
  const { code, stdout, stderr } = await run('inspect', SAMPLE, '--check');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(`${join(SAMPLE, 'model.safetensors')}\nnothing was found\n`);
  const json = await run('inspect', SAMPLE, '--check', '--json');
  expect(JSON.parse(json.stdout)).toEqual({ findings: [] });
});

test('inspect --check ends with 1 where errors are found, with the list all the same', async () => {
  const folder = await writeModel({ [WEIGHT]: floats([2, 2], [1, NaN, 2, 3]) });
  const { code, stdout, stderr } = await run('inspect', folder, '--check');
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout).toContain('1 error, 0 warnings, 0 notes\n');
  expect(stdout).toMatch(/^error +weights-not-finite +model\.layers\.0\.\S+ +1 NaN of 4 weights$/m);
  expect(stdout).toMatch(/^weights-not-finite +https:\/\/github\.com\//m);
  const json = await run('inspect', folder, '--check', '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toEqual({
    findings: [
      {
        ...{ id: 'weights-not-finite', severity: 'error', file: 'model.safetensors' },
        ...{ tensor: WEIGHT, message: '1 NaN of 4 weights' },
        source: expect.stringMatching(/^https:/),
      },
    ],
  });
});

test('inspect --check ends with 0 where there are warnings only', async () => {
  const folder = await writeModel({ [WEIGHT]: floats([2, 2], 0) });
  const { code, stdout } = await run('inspect', folder, '--check');
  expect(code).toBe(0);
  expect(stdout).toContain('0 errors, 1 warning, 0 notes\n');
});

test('inspect --check says what shards are missing', async () => {
  const folder = await writeModel({ [WEIGHT]: weights([4, 4]) });
  await rename(join(folder, 'model.safetensors'), join(folder, 'model-00001-of-00002.safetensors'));
  const weight_map = {
    [WEIGHT]: 'model-00001-of-00002.safetensors',
    'lm_head.weight': 'model-00002-of-00002.safetensors',
  };
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
  const { code, stdout } = await run('inspect', folder, '--check', '--json');
  expect(code).toBe(1);
  const { findings } = JSON.parse(stdout);
  expect(findings[0]).toMatchObject({ id: 'checkpoint-incomplete', severity: 'error' });
  expect(findings[0].message).toContain('model-00002-of-00002.safetensors');
});

test.each(['--stats', '--tensor=*', '--group-size=32'])(
  'inspect --check and %s exclude each other',
  async (option) => {
    const { code, stdout, stderr } = await run('inspect', SAMPLE, '--check', option);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('exclude each other');
  },
);

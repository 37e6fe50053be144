import { describe, expect, it } from 'vitest';
import { describeCalibrationTime } from '../../../src/cli/calibrationEstimate.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { SAMPLE } from '../../support/checkpoints.js';

const say = async (formats: readonly string[], windows?: number, threads = 1) =>
  describeCalibrationTime(await openLocalModel(SAMPLE), formats, { windows }, threads);

describe('the time that a calibration will take', () => {
  it('is said where it is long, more for more text and for more formats', async () => {
    const minutes = async (...asked: Parameters<typeof say>) =>
      Number(/^Calibrating .* will take about (\d+) min /.exec((await say(...asked))!)![1]);
    const one = await minutes(['int4+gptq'], 4096);
    expect(await minutes(['int4+gptq'], 8192)).toBeGreaterThanOrEqual(2 * one - 1);
    expect(await minutes(['int4+gptq', 'int3+gptq'], 4096)).toBeGreaterThanOrEqual(2 * one - 1);
    expect(await minutes(['int4+gptq'], 8192, 2)).toBeLessThanOrEqual(one + 1);
  });

  it('is nothing where nothing is calibrated, or in no time', async () => {
    expect(await say(['int4', 'int4/int8-token'], 100_000)).toBeUndefined();
    expect(await say(['int4+hqq'])).toBeUndefined();
    expect(await say(['int4+smoothquant'], 1)).toBeUndefined();
  });
});

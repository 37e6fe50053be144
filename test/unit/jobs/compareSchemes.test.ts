// Comparisons of formats with methods and activations: errors of weights and of outputs.
import { describe, expect, it, vi } from 'vitest';
import {
  compareFormats,
  type CompareRequest,
} from '../../../src/jobs/comparison/compareFormats.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { formatComparisonCsv } from '../../../src/reports/present.js';
import { sharedPool } from '../../support/sharedPool.js';
import { compareOn, runnersOn } from '../../support/jobs.js';
import { calibratableModel } from '../../support/textModels.js';

const FEW = { calibration: { windows: 4, context: 16 } };

async function compare(formats: readonly string[], more: Partial<CompareRequest> = {}) {
  const pool = await sharedPool({ threads: 2 });
  const model = await openLocalModel(await calibratableModel());
  return compareOn(pool, model, { formats, calibration: FEW, ...more });
}

describe('a comparison with methods and activations', () => {
  it('says what each is, in the order asked for', async () => {
    const formats = ['int4:g32/int8-token', 'int4:g32+gptq', 'int4:g32'];
    const report = await compare(formats);
    expect(
      report.formats.map(({ id, label, method, activations }) => ({
        id,
        label,
        method,
        activations,
      })),
    ).toEqual([
      {
        id: 'int4-asym:g32/int8-token',
        label: 'INT4 g32 · A8',
        method: undefined,
        activations: 'A8',
      },
      {
        id: 'int4-asym:g32+gptq',
        label: 'INT4 g32 GPTQ',
        method: 'GPTQ',
        activations: undefined,
      },
      {
        id: 'int4-asym:g32',
        label: 'INT4 g32',
        method: undefined,
        activations: undefined,
      },
    ]);
    expect(report.outputErrorText).toMatchObject({ windows: 4, context: 16, tokens: 64 });
    const [a8, gptq, nearest] = report.formats;
    // Rounded to nearest, weights have the errors that they have without a model.
    const [alone] = (await compare(['int4:g32'])).formats;
    for (const format of [a8, nearest]) {
      expect(format.tensors.map(({ mse, maxAbsError }) => ({ mse, maxAbsError }))).toEqual(
        alone.tensors.map(({ mse, maxAbsError }) => ({ mse, maxAbsError })),
      );
    }
    expect(alone.summary.outputSqnrDb).toBeUndefined();
    // GPTQ trades errors of weights for those of outputs.
    expect(gptq.summary.mse).toBeGreaterThan(nearest.summary.mse);
    expect(gptq.summary.sizeBytes).toBe(nearest.summary.sizeBytes);
    expect(gptq.summary.outputSqnrDb).toBeGreaterThan(nearest.summary.outputSqnrDb! + 1);
    expect(a8.summary.outputSqnrDb).toBeLessThan(nearest.summary.outputSqnrDb!);
    expect(gptq.calibration).toMatchObject({ windows: 4, context: 16, tokens: 64 });
    for (const { tensors, layers } of report.formats) {
      expect(tensors.every(({ outputSqnrDb }) => Number.isFinite(outputSqnrDb))).toBe(true);
      expect(layers.every(({ outputSqnrDb }) => Number.isFinite(outputSqnrDb))).toBe(true);
    }
  });

  it('takes the factors of a method out of its weights again', async () => {
    const [scaled] = (await compare(['f16+smoothquant'])).formats;
    expect(scaled.calibration?.findings.length).toBeGreaterThan(0);
    // Of F16 rounded to nearest; factors that stayed in would leave less than 10 dB.
    expect(scaled.summary.sqnrDb).toBeGreaterThan(65);
    expect(scaled.summary.outputSqnrDb).toBeGreaterThan(65);
  });

  it('rounds to nearest what no method reaches, and has no outputs of it', async () => {
    const tensors = ['lm_head.weight', 'model.layers.0.mlp.down_proj.weight'];
    const formats = ['int3:g32+gptq', 'int3:g32'];
    const [gptq, nearest] = (await compare(formats, { tensors })).formats;
    const [[head, down], [headAlone, downAlone]] = [gptq.tensors, nearest.tensors];
    expect(head.name).toBe('lm_head.weight');
    expect(head.mse).toBe(headAlone.mse);
    expect(down.mse).not.toBe(downAlone.mse);
    expect([head.outputSqnrDb, headAlone.outputSqnrDb]).toEqual([undefined, undefined]);
    expect(gptq.notes.join()).toContain('lm_head.weight is rounded to nearest only');
    // Steps between levels are known of the head alone.
    expect(gptq.summary.rmseOverStep).toBeNaN();
  });

  it('measures outputs once, and perplexities of the same weights', async () => {
    const pool = await sharedPool({ threads: 2 });
    const model = await openLocalModel(await calibratableModel());
    const runners = runnersOn(pool);
    const measureOutputs = vi.spyOn(runners, 'measureOutputs');
    const phases: string[] = [];
    const onPhase = (phase: string) => void phases.push(phase);
    const request = { formats: ['int4:g32', 'int4:g32+gptq'], calibration: FEW };
    const weights = await compareFormats(runners, model, request, { onPhase });
    const perplexity = { ...FEW, context: 16, windows: 4 };
    const whole = await compareFormats(
      runners,
      model,
      { ...request, perplexity },
      { onPhase, known: weights },
    );
    expect(phases).toEqual(['weights', 'calibration', 'perplexity']);
    expect(measureOutputs).toHaveBeenCalledTimes(1);
    expect(whole.formats.map(({ tensors }) => tensors)).toEqual(
      weights.formats.map(({ tensors }) => tensors),
    );
    expect(whole.outputErrorText).toEqual(weights.outputErrorText);
    const [nearest, gptq] = whole.formats.map(({ perplexity }) => perplexity!.klDivergence!);
    expect(gptq).not.toBe(nearest);
  });

  it('compares only what is not known, and keeps the rest', async () => {
    const pool = await sharedPool({ threads: 2 });
    const model = await openLocalModel(await calibratableModel());
    const runners = runnersOn(pool);
    const perplexity = { context: 16, windows: 4 };
    const first = await compareFormats(runners, model, {
      formats: ['int4:g32', 'int3:g32'],
      perplexity,
    });
    const phases: (readonly string[])[] = [];
    const request = { formats: ['nf4:g32', 'int3:g32', 'int4:g32'] };
    const later = await compareFormats(runners, model, request, {
      known: first,
      onPhase: (phase, report) => {
        phases.push([phase, ...(report?.formats ?? []).map(({ id }) => id)]);
      },
    });
    // What is known is in sight while the rest is compared, in its new place.
    expect(phases).toEqual([['weights', 'int3-asym:g32', 'int4-asym:g32']]);
    const [nf4, int3, int4] = later.formats;
    expect([int4, int3]).toEqual(first.formats);
    const [alone] = (await compareFormats(runners, model, { formats: ['nf4:g32'] })).formats;
    expect(nf4).toEqual(alone);
    expect(later.baseline).toEqual(first.baseline);
    // Measured again, perplexities are of all formats.
    const whole = await compareFormats(
      runners,
      model,
      { ...request, perplexity },
      { known: later },
    );
    expect(whole.formats[1].perplexity).toEqual(int3.perplexity);
    expect(whole.formats[0].perplexity!.value).toBeGreaterThan(0);
    // Of formats that are no longer asked for nothing is left.
    const fewer = await compareFormats(
      runners,
      model,
      { formats: ['int4:g32'], perplexity },
      { known: whole },
    );
    expect(fewer.formats).toEqual([int4]);
  });

  it('keeps perplexities where outputs are looked at for the first time', async () => {
    const pool = await sharedPool({ threads: 2 });
    const model = await openLocalModel(await calibratableModel());
    const runners = runnersOn(pool);
    const perplexity = { context: 16, windows: 4 };
    const known = await compareFormats(runners, model, { formats: ['int4:g32'], perplexity });
    const request = { formats: ['int4:g32', 'int4:g32+hqq'], calibration: FEW };
    const report = await compareFormats(runners, model, request, { known });
    const [int4, hqq] = report.formats;
    expect(int4.perplexity).toEqual(known.formats[0].perplexity);
    expect(int4.summary.outputSqnrDb).toBeGreaterThan(5);
    expect(hqq.perplexity).toBeUndefined();
    expect(report.text).toEqual(known.text);
  });

  it('does it again where a method is new', async () => {
    const pool = await sharedPool({ threads: 2 });
    const model = await openLocalModel(await calibratableModel());
    const runners = runnersOn(pool);
    const known = await compareFormats(runners, model, { formats: ['int4:g32'] });
    const request = { formats: ['int4:g32', 'int4:g32+hqq'], calibration: FEW };
    const report = await compareFormats(runners, model, request, { known });
    expect(report.formats.map(({ id }) => id)).toEqual(['int4-asym:g32', 'int4-asym:g32+hqq']);
  });

  it('has outputs in CSV where they were measured', async () => {
    const csv = formatComparisonCsv(await compare(['int4:g32', 'int4:g32+hqq']));
    const [head, first] = csv.split(/\r?\n/).map((line) => line.split(','));
    expect(head.slice(-2)).toEqual(['outputSqnrDb', 'outputUnderflowFraction']);
    const [sqnr, underflow] = first.slice(-2).map(Number);
    expect(sqnr).toBeGreaterThan(5);
    expect(underflow).toBeGreaterThan(0);
    expect(underflow).toBeLessThan(1);
  });
});

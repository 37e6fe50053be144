// Perplexities with rounded activations over whole texts, against those of the original code (SmoothQuant's
// fake_quant.py) around a forward pass of its own; FP8, FP4, dINT4 and static scales in its place by their definitions.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../src/compute/workerPool.js';
import { parseActivationFormat } from '../../src/formats/index.js';
import { readWindows } from '../../src/jobs/perplexity/node/evaluationText.js';
import type { TextRequest } from '../../src/jobs/perplexity/measurement.js';
import { scaleOfRange } from '../../src/kernels/forwardKernels.js';
import { roundRow } from '../../src/kernels/reference/forward/rounding.js';
import { findInputRanges } from '../../src/model/calibration/inputRanges.js';
import { observeInputs } from '../../src/model/evaluation/evaluate.js';
import type { InputObserver } from '../../src/model/evaluation/inputObserver.js';
import type { LanguageModel } from '../../src/model/evaluation/types.js';
import {
  activationVariant,
  scoreVariants,
  standardErrorOfRounding,
  type MeanScore,
} from '../support/activationVariants.js';
import { createPool, HOST, SAMPLE } from '../support/checkpoints.js';
import { logicalValues, openModel, SETTINGS } from '../support/languageModels.js';

/** By scheme: perplexity and KL divergence. */
type Known = Readonly<Record<string, readonly [number, number]>>;

const SAMPLE_SCORES: Known = {
  'f32/int8-token': [27.584923517218957, 0.0009276371236259829],
  'f32/int4-token': [32.05937897848299, 0.17003395949160222],
  'f32/fp8-token': [27.60704233437965, 0.0015278053701087673],
  'f32/fp4-token': [29.694345361577863, 0.08655815838563923],
  'int8-absmax:row/int8-token': [27.590037902362788, 0.0010157260267390526],
  'int4:g128/int8-token': [27.97810470147888, 0.017699556841498997],
  'dint4:g128/int8-token': [27.954852867628563, 0.018123230675158475],
  'int4:g128/int4-token': [32.700883638457356, 0.18862057265258694],
  'dint4:g128/int4-token': [32.522928939274415, 0.18930061846500396],
};

const STORIES_SCORES: Known = {
  'f32/int8-token': [4.287451621252974, 0.0007993671215384705],
  'f32/fp4-token': [4.925866492101758, 0.15232673883172868],
  'int8-absmax:row/int8-token': [4.289752340115556, 0.0012524058278484166],
  'int4:g64/int8-token': [4.766889772350291, 0.11970396688368992],
  'dint4:row/int8-token': [4.8360850405098095, 0.12894732393536668],
};
/** Relative output errors of linear maps over the first 16 calibration windows: mean and largest of all maps. */
const STORIES_ERRORS: Known = {
  'int8-token': [9.372172021277766e-5, 0.0008519232573535895],
  'fp4-token': [0.014117910091192808, 0.08717945283156203],
  'int8-static': [0.0009964929078292919, 0.00953542049226946],
};
const STORIES_STATIC_SCORES: Known = {
  'f32/int8-static': [4.329811875729021, 0.011279476520851359],
  'int8-absmax:row/int8-static': [4.334234946191064, 0.01180642971876071],
  'int4:g64/int8-static': [4.830629068898762, 0.13356282394985391],
};

/** Perplexities differ by no more than the rounding noise of two computations does. */
function expectKnown(known: Known, scores: readonly MeanScore[], tokens: number): void {
  expect(scores).toHaveLength(Object.keys(known).length);
  for (const [index, [scheme, [perplexity, divergence]]] of Object.entries(known).entries()) {
    const score = scores[index];
    expect(score.tokens).toBe(tokens);
    const [, format] = scheme.split('/');
    const noise = standardErrorOfRounding(known[`f32/${format}`][1], tokens);
    const difference = Math.abs(Math.log(score.perplexity / perplexity));
    expect(difference, scheme).toBeLessThan(2 * noise);
    expect(Math.abs(score.divergence / divergence - 1), scheme).toBeLessThan(2e-2);
  }
}

async function windowsOf(
  model: LanguageModel,
  request: TextRequest,
): Promise<readonly Int32Array[]> {
  return (await readWindows(HOST, model, request)).windows.ids;
}

it('the sample has the perplexities of the original code', async () => {
  const pool = await createPool();
  const model = await openModel(SAMPLE);
  const windows = await windowsOf(model, { context: 256 });
  const variants = Object.keys(SAMPLE_SCORES).map((scheme) => activationVariant(model, scheme));
  const request = { pool, model, windows, variants, settings: SETTINGS };
  const scores = await scoreVariants(request);
  expect(scores.baseline.perplexity).toBeCloseTo(27.5665, 4);
  expectKnown(SAMPLE_SCORES, scores.variants, 43_350);
});

/** Squared errors of what linear maps come to where their inputs are rounded, relative to its squares. */
class OutputErrors implements InputObserver {
  private readonly sums = new Map<string, { error: number; signal: number }>();

  constructor(
    private readonly pool: WorkerPool,
    private readonly model: LanguageModel,
    private readonly format: string,
    private readonly ranges: ReadonlyMap<string, number>,
  ) {}

  get relative(): number[] {
    return [...this.sums.values()].map(({ error, signal }) => error / signal);
  }

  wants(_: unknown, block: number): boolean {
    return block >= 0 && block < this.model.plan.blocks.length;
  }

  async observe({ linears, values, inputs }: Parameters<InputObserver['observe']>[0]) {
    const { levels, scaling } = parseActivationFormat(this.format).entry;
    const range = this.ranges.get(linears[0].weight)!;
    const scale = scaling === 'static' ? scaleOfRange(range, levels) : undefined;
    const signal = gramOf(values, inputs);
    const rounded = new Float32Array(values.length);
    for (let at = 0; at < values.length; at += inputs) {
      const row = values.subarray(at, at + inputs);
      roundRow(row, levels, scale, rounded.subarray(at, at + inputs));
    }
    const error = gramOf(
      rounded.map((v, i) => v - values[i]),
      inputs,
    );
    for (const { weight } of linears) {
      const w = await logicalValues(this.pool, this.model, weight);
      const known = this.sums.get(weight) ?? { error: 0, signal: 0 };
      known.error += squaresOf(w, error, inputs);
      known.signal += squaresOf(w, signal, inputs);
      this.sums.set(weight, known);
    }
  }
}

/** xᵀx of rows. */
function gramOf(rows: Float32Array, columns: number): Float64Array {
  const gram = new Float64Array(columns * columns);
  for (let at = 0; at < rows.length; at += columns) {
    for (let i = 0; i < columns; i++) {
      const factor = rows[at + i];
      for (let j = 0; j < columns; j++) gram[i * columns + j] += factor * rows[at + j];
    }
  }
  return gram;
}

/** Σ(x·wᵀ)² over rows x with this gram matrix, for all outputs. */
function squaresOf(weights: Float32Array, gram: Float64Array, columns: number): number {
  let sum = 0;
  for (let at = 0; at < weights.length; at += columns) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) {
        sum += weights[at + i] * gram[i * columns + j] * weights[at + j];
      }
    }
  }
  return sum;
}

const STORIES = join(import.meta.dirname, '../../../shared/models/stories260K');

// Needs a model and texts that are not part of the project.
describe.skipIf(!existsSync(STORIES))('stories260K', () => {
  it('has the perplexities of the original code, with static scales too', async () => {
    const pool = await createPool();
    const model = await openModel(STORIES);
    const windows = (await windowsOf(model, { perDocument: '<|endoftext|>', context: 512 })).slice(
      0,
      150,
    );
    const calibration = await windowsOf(model, {
      textFile: join(STORIES, 'calibration.txt'),
      context: 256,
      windows: 32,
    });
    const ranges = await findInputRanges({ pool, model, windows: calibration, settings: SETTINGS });
    const variants = [
      ...Object.keys(STORIES_SCORES).map((scheme) => activationVariant(model, scheme)),
      ...Object.keys(STORIES_STATIC_SCORES).map((scheme) =>
        activationVariant(model, scheme, ranges),
      ),
    ];
    const request = { pool, model, windows, variants, settings: SETTINGS };
    const scores = await scoreVariants(request);
    expect(scores.baseline.perplexity).toBeCloseTo(4.2834, 5);
    expectKnown({ ...STORIES_SCORES, ...STORIES_STATIC_SCORES }, scores.variants, 57_657);
  });

  it('has the relative output errors of the original code in each linear map', async () => {
    const pool = await createPool();
    const model = await openModel(STORIES);
    const windows = await windowsOf(model, {
      textFile: join(STORIES, 'calibration.txt'),
      context: 256,
      windows: 32,
    });
    const ranges = await findInputRanges({ pool, model, windows, settings: SETTINGS });
    for (const [name, [mean, largest]] of Object.entries(STORIES_ERRORS)) {
      const observer = new OutputErrors(pool, model, name, ranges);
      const settings = { ...SETTINGS, observer };
      await observeInputs({ pool, model, windows: windows.slice(0, 16), settings });
      const errors = observer.relative;
      expect(errors).toHaveLength(35);
      const sum = errors.reduce((total, error) => total + error, 0);
      // Nothing follows a code that flips here.
      expect(sum / errors.length / mean, name).toBeCloseTo(1, 4);
      expect(Math.max(...errors) / largest, name).toBeCloseTo(1, 4);
    }
  });
});

// Sensitivities against what each tensor alone does to a model.
import { getMatrixShape } from '../../src/checkpoint/matrixShape.js';
import { formatForWidth } from '../../src/formats/index.js';
import { quantizeTensors } from '../../src/jobs/comparison/quantizeTensors.js';
import { parseFormats } from '../../src/jobs/formatList.js';
import { readWindows } from '../../src/jobs/perplexity/node/evaluationText.js';
import { selectTensors } from '../../src/jobs/selection.js';
import { measureSensitivity } from '../../src/jobs/sensitivity/node/measureSensitivity.js';
import type { SensitivitySettings } from '../../src/jobs/sensitivity/request.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import type { SensitivityReport } from '../../src/reports/sensitivity.js';
import { createPool, HOST } from './checkpoints.js';

/** Spearman's rank correlation. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const ranks = (values: readonly number[]) => {
    const sorted = [...values].sort((x, y) => x - y);
    // Equal values share the mean of their ranks.
    return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2);
  };
  const [ra, rb] = [ranks(a), ranks(b)];
  const middle = (a.length - 1) / 2;
  const product = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, each, at) => sum + (each - middle) * (y[at] - middle), 0);
  return product(ra, rb) / Math.sqrt(product(ra, ra) * product(rb, rb));
}

/** One format: of each tensor alone its mean KL, exact and predicted, and of the whole model. */
export interface FormatSensitivities {
  readonly format: string;
  readonly exact: readonly number[];
  readonly predicted: readonly number[];
  /** Squared relative errors. */
  readonly errors: readonly number[];
  readonly whole: number;
}

export interface MeasuredSensitivities {
  readonly formats: readonly FormatSensitivities[];
  readonly map: SensitivityReport;
  /** Seconds of one evaluation of each tensor alone in each format. */
  readonly exactSeconds: number;
}

/** Measures every tensor alone in every format on the model's text, and predicts the same from a sensitivity map. */
export async function compareSensitivities(
  path: string,
  formatNames: readonly string[],
  windows: number,
  settings: SensitivitySettings = {},
): Promise<MeasuredSensitivities> {
  const pool = await createPool();
  const opened = await openLocalModel(path);
  const model = await planLanguageModel(opened);
  const tensors = selectTensors(opened, {});
  const formats = parseFormats(formatNames);
  const { tensors: quantized } = await quantizeTensors(pool, {
    tensors,
    formats,
    scaleDtype: 'f16',
  });
  const map = await measureSensitivity(pool, opened, { tensors, settings });
  const text = await readWindows(HOST, model, { windows, context: 256 });
  const names = tensors.map(({ name }) => name);
  const widths = new Map(tensors.map((each) => [each.name, getMatrixShape(each).columns]));
  const begin = performance.now();
  const { variants } = await evaluate({
    pool,
    model,
    windows: text.windows.ids,
    variants: formats.flatMap((format) =>
      [names, ...names.map((name) => [name])].map((some) => ({
        id: `${format.id} ${some.length} ${some[0]}`,
        // As stored: where rows do not fit blocks, what takes their place.
        changes: new Map(
          some.map((name) => [name, { format: formatForWidth(format, widths.get(name)) }]),
        ),
      })),
    ),
    settings: { scaleDtype: 'f16', memoryBudgetBytes: 1 << 28 },
  });
  const exactSeconds = (performance.now() - begin) / 1000;
  const divergences = variants.map(
    (scores) =>
      scores.reduce((sum, { divergence }) => sum + divergence, 0) /
      scores.reduce((sum, { targets }) => sum + targets, 0),
  );
  return {
    map,
    exactSeconds,
    formats: formats.map(({ id }, index) => {
      const [whole, ...exact] = divergences.slice(
        index * (names.length + 1),
        (index + 1) * (names.length + 1),
      );
      const errors = quantized.map(
        (each) => each.errors[index].sums.squaredError / each.weights.sumSquares,
      );
      const predicted = errors.map((error, tensor) => error * map.tensors[tensor].alpha);
      return { format: id, exact, predicted, errors, whole };
    }),
  };
}

import type { WorkerPool } from '../compute/workerPool.js';
import {
  formatLabel,
  groupCount,
  ruleProperties,
  type NumberFormat,
  type ScaleDtype,
} from '../formats/index.js';
import { ErrorAccumulator, WeightAccumulator } from '../metrics/errorAccumulator.js';
import type { CallOptions } from '../protocol/rpc.js';
import type { Checkpoint } from '../safetensors/types.js';
import { parseFormats, storedSize } from './formatList.js';
import { measureFormats, type PerplexitySettings } from './formatPerplexity.js';
import { summarizeModel } from './modelSummary.js';
import { withPerplexity } from './perplexity.js';
import { quantizeTensors, type QuantizedTensor, type QuantizeTimes } from './quantizeTensors.js';
import type { ComparisonReport, FormatComparison } from './reports.js';
import { selectTensors, type Selection } from './selection.js';

export interface CompareRequest extends Selection {
  /** Format names, at least one. */
  readonly formats: readonly string[];
  readonly scaleDtype?: ScaleDtype;
  /** Also run the model: its perplexity in every format. */
  readonly perplexity?: PerplexitySettings & {
    /** Also with each tensor alone quantized. */
    readonly perLayer?: boolean;
  };
}

/**
 * Quantizes the selected tensors in every format and reports the errors: what `compare --json`
 * prints. Weights are never changed.
 */
export async function compareFormats(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  request: CompareRequest,
  options: CallOptions = {},
): Promise<ComparisonReport> {
  const begin = performance.now();
  const formats = parseFormats(request.formats);
  if (formats.length === 0) throw new Error('No format was given');
  const scaleDtype = request.scaleDtype ?? 'f16';
  const selected = selectTensors(checkpoint, request);
  const { perplexity } = request;
  // First: it takes longest, and what is wrong with a text is told at once.
  const measured =
    perplexity &&
    (await measureFormats(
      pool,
      checkpoint,
      formats,
      selected,
      scaleDtype,
      perplexity.perLayer ?? false,
      perplexity,
      options,
    ));
  const { tensors, times } = await quantizeTensors(
    pool,
    checkpoint,
    selected,
    formats,
    scaleDtype,
    options,
  );
  const report = await buildReport(pool, checkpoint, formats, scaleDtype, tensors, times, begin);
  return measured ? withPerplexity(report, measured) : report;
}

/** Puts a job's results together; `begin` is the `performance.now()` of its start. */
export async function buildReport(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  formats: readonly NumberFormat[],
  scaleDtype: ScaleDtype,
  tensors: readonly QuantizedTensor[],
  times: QuantizeTimes,
  begin: number,
): Promise<ComparisonReport> {
  const quantized = tensors.map(({ tensor }) => tensor);
  return {
    model: await summarizeModel(checkpoint, quantized),
    baseline: {},
    formats: formats.map((format, index) => describeFormat(format, index, scaleDtype, tensors)),
    timings: {
      readSeconds: times.read / pool.threads,
      quantizeSeconds: times.kernel / pool.threads,
      forwardSeconds: 0,
      totalSeconds: (performance.now() - begin) / 1000,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      backend: pool.backend,
      threads: pool.threads,
    },
  };
}

function describeFormat(
  format: NumberFormat,
  index: number,
  scaleDtype: ScaleDtype,
  tensors: readonly QuantizedTensor[],
): FormatComparison {
  const totalWeights = new WeightAccumulator();
  const totalErrors = new ErrorAccumulator();
  let groups = 0;
  for (const { matrixShape, weights, errors } of tensors) {
    totalWeights.merge(weights);
    totalErrors.add(errors[index]);
    groups += groupCount(format, matrixShape);
  }
  const total = totalErrors.measures(totalWeights);
  const shapes = tensors.map(({ matrixShape }) => matrixShape);
  const { bits, elements } = storedSize(format, shapes, scaleDtype);
  return {
    id: format.id,
    label: formatLabel(format),
    bitsPerWeight: bits / elements,
    approximate: format.entry.reconstructed,
    notes: [
      ...format.entry.notes,
      ...warnings(format, scaleDtype, totalErrors, groups),
      ...nonFiniteWarnings(tensors),
    ],
    summary: {
      sqnrDb: total.sqnrDb,
      mse: total.mse,
      cosine: total.cosine,
      maxAbsError: total.maxAbsError,
      rmseOverStep: total.rmseOverStep,
      underflowFraction: total.underflowFraction,
      clippedFraction: total.clippedFraction,
      sizeBytes: Math.ceil(bits / 8),
    },
    tensors: tensors.map(({ tensor, weights, errors }) => ({
      name: tensor.name,
      shape: tensor.shape,
      parameters: tensor.elements,
      ...errors[index].measures(weights),
    })),
  };
}

function warnings(
  { entry }: NumberFormat,
  scaleDtype: ScaleDtype,
  errors: ErrorAccumulator,
  groups: number,
): string[] {
  const properties = ruleProperties(entry.rule);
  const list: string[] = [];
  // One group per tensor is seen chunk by chunk; the count must not exceed the groups there are.
  const of = (count: number) => `${Math.min(count, groups)} of ${groups} groups`;
  if (errors.badScales > 0) {
    list.push(
      `${of(errors.badScales)} have a scale that ${scaleDtype} cannot hold to its precision; a wider scale type avoids this.`,
    );
  }
  if (!Number.isFinite(errors.squaredError)) {
    list.push(
      "Some weights are beyond what this format's scales can hold; they decode to infinity.",
    );
  }
  if (properties.failsOneSigned && errors.oneSigned > 0) {
    list.push(
      `${of(errors.oneSigned)} have weights of one sign only, which symmetric integers clip or waste codes on.`,
    );
  }
  if (properties.failsNotStraddling && errors.notStraddling > 0) {
    list.push(
      `${of(errors.notStraddling)} do not straddle zero or span less than 1e-5, where this quantizer saturates or gives zeros.`,
    );
  }
  return list;
}

function nonFiniteWarnings(tensors: readonly QuantizedTensor[]): string[] {
  const affected = tensors.filter(({ weights }) => weights.nonFinite > 0);
  if (affected.length === 0) return [];
  const count = affected.reduce((sum, { weights }) => sum + weights.nonFinite, 0);
  const [{ tensor, weights }] = affected;
  return [
    `${count} weights are NaN or infinite, the first at index ${weights.firstNonFinite} of "${tensor.name}"; they are left out of every measure and quantize to 0.`,
  ];
}

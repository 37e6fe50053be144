import type { WorkerPool } from '../compute/workerPool.js';
import {
  formatLabel,
  groupCount,
  parseFormat,
  storedBits,
  type NumberFormat,
  type ScaleDtype,
} from '../formats/index.js';
import { ErrorAccumulator, WeightAccumulator } from '../metrics/errorAccumulator.js';
import type { CallOptions } from '../protocol/rpc.js';
import { readModelConfig } from '../safetensors/index.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';
import { architectureOf } from './modelConfig.js';
import { quantizeTensors, type QuantizedTensor, type QuantizeTimes } from './quantizeTensors.js';
import type { ComparisonReport, FormatComparison } from './reports.js';
import { isQuantizedByDefault, selectTensors, type Selection } from './selection.js';

export interface CompareRequest extends Selection {
  /** Format names, at least one. */
  readonly formats: readonly string[];
  readonly scaleDtype?: ScaleDtype;
}

/** Formats by name, each once. */
export function parseFormats(names: readonly string[]): NumberFormat[] {
  const formats = new Map(names.map(parseFormat).map((format) => [format.id, format]));
  if (formats.size === 0) throw new Error('No format was given');
  return [...formats.values()];
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
  const scaleDtype = request.scaleDtype ?? 'f16';
  const selected = selectTensors(checkpoint, request);
  const { tensors, times } = await quantizeTensors(
    pool,
    checkpoint,
    selected,
    formats,
    scaleDtype,
    options,
  );
  return buildReport(pool, checkpoint, formats, scaleDtype, tensors, times, begin);
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
  const { config } = await readModelConfig(checkpoint.folder);
  const dtypes = new Set(tensors.map(({ tensor }) => tensor.dtype));
  const sum = (list: readonly CheckpointTensor[]) =>
    list.reduce((total, { elements }) => total + elements, 0);
  return {
    model: {
      path: checkpoint.path,
      architecture: architectureOf(config) ?? null,
      parameters: sum(checkpoint.tensors),
      quantizableParameters: sum(checkpoint.tensors.filter(isQuantizedByDefault)),
      dtype: [...dtypes].sort().join(', '),
    },
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
  let bits = 0;
  let groups = 0;
  for (const { tensor, weights, errors } of tensors) {
    totalWeights.merge(weights);
    totalErrors.add(errors[index]);
    bits += storedBits(format, tensor.shape, scaleDtype);
    groups += groupCount(format, tensor.shape);
  }
  const total = totalErrors.measures(totalWeights);
  return {
    id: format.id,
    label: formatLabel(format),
    bitsPerWeight: bits / totalWeights.elements,
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
  { entry: { rule } }: NumberFormat,
  scaleDtype: ScaleDtype,
  errors: ErrorAccumulator,
  groups: number,
): string[] {
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
  if (rule.kind === 'integer' && rule.convention === 'gptq-sym' && errors.oneSigned > 0) {
    list.push(
      `${of(errors.oneSigned)} have weights of one sign only, which symmetric integers clip or waste codes on.`,
    );
  }
  if (rule.kind === 'integer' && rule.convention === 'awq' && errors.notStraddling > 0) {
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

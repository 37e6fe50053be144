import type { OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { nameNarrowerType } from '../../kernels/statistics/narrowerType.js';
import type { NumberFormat, ScaleDtype } from '../../formats/index.js';
import type { ComparisonReport } from '../../reports/reports.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { parseFormats } from '../formatList.js';
import { selectTensors, type Selection } from '../selection.js';
import { summarizeModel } from '../summarizeModel.js';
import { describeFormats } from './describeFormats.js';
import { quantizeTensors, type QuantizedTensor, type QuantizeTimes } from './quantizeTensors.js';

export interface WeightsRequest extends Selection {
  /** Format names, at least one. */
  readonly formats: readonly string[];
  readonly scaleDtype?: ScaleDtype;
}

/** What a job over weights came to. */
export interface WeightsOutcome {
  readonly formats: readonly NumberFormat[];
  readonly scaleDtype: ScaleDtype;
  readonly tensors: readonly QuantizedTensor[];
  readonly times: QuantizeTimes;
  /** `performance.now()` when the job began. */
  readonly begin: number;
}

/** Quantizes the selected tensors in every format and reports the errors. Weights are never changed. */
export async function compareWeights(
  pool: WorkerPool,
  model: OpenedModel,
  request: WeightsRequest,
  options: CallOptions = {},
): Promise<ComparisonReport> {
  const begin = performance.now();
  const formats = parseFormats(request.formats);
  if (formats.length === 0) throw new Error('No format was given');
  const scaleDtype = request.scaleDtype ?? 'f16';
  const selected = selectTensors(model, request);
  const quantized = await quantizeTensors(
    pool,
    { tensors: selected, formats, scaleDtype },
    options,
  );
  return reportWeights(pool, model, { formats, scaleDtype, begin, ...quantized });
}

/** The report of a job over weights. */
export function reportWeights(
  pool: WorkerPool,
  model: OpenedModel,
  { formats, scaleDtype, tensors, times, begin }: WeightsOutcome,
): ComparisonReport {
  const summary = summarizeModel(
    model,
    tensors.map(({ tensor }) => tensor),
  );
  return {
    model: { ...summary, notes: [...summary.notes, ...noteNarrower(tensors)] },
    baseline: {},
    formats: describeFormats(formats, tensors, scaleDtype),
    notes: [],
    timings: {
      readSeconds: times.read / pool.threads,
      quantizeSeconds: times.kernel / pool.threads,
      forwardSeconds: 0,
      totalSeconds: (performance.now() - begin) / 1000,
      peakRssBytes: pool.host.peakMemoryBytes(),
      backend: pool.backend,
      threads: pool.threads,
    },
  };
}

/** Says once where weights that are stored as F32 are all values of a type of half the size. */
function* noteNarrower(tensors: readonly QuantizedTensor[]): Generator<string> {
  const wide = tensors.filter(
    ({ tensor, weights }) =>
      tensor.dtype === 'F32' && !tensor.storage && weights.zeros < weights.elements,
  );
  for (const type of ['BF16', 'F16'] as const) {
    const held = wide.filter(({ narrower }) => nameNarrowerType(narrower) === type);
    if (held.length === 0) continue;
    const which =
      held.length === wide.length
        ? 'all of the F32 tensors here hold'
        : `${held.length} of ${wide.length} F32 tensors hold`;
    yield `${which[0].toUpperCase()}${which.slice(1)} values of ${type} alone: stored as ${type} they are half as large and lose nothing.`;
  }
}

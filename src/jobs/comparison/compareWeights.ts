import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { withFallback } from '../../compute/webgpu/withFallback.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { nameNarrowerType } from '../../kernels/statistics/narrowerType.js';
import { isQuantizedOnGpu } from '../../kernels/webgpu/support.js';
import type { NumberFormat, RangeSearch, ScaleDtype } from '../../formats/index.js';
import type { ComparisonReport } from '../../reports/reports.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { parseFormats } from '../formatList.js';
import type { Backends, JobWork } from '../backends/backends.js';
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
  /** What computed; absent: the pool. */
  readonly backend?: string;
  readonly backendReason?: string;
}

export interface CompareWeightsOptions extends CallOptions {
  /** Chooses what quantizes; absent: the threads of the pool. */
  readonly backends?: Backends;
}

/** Quantizes the selected tensors in every format and reports the errors. Weights are never changed. */
export async function compareWeights(
  pool: WorkerPool,
  model: OpenedModel,
  request: WeightsRequest,
  options: CompareWeightsOptions = {},
): Promise<ComparisonReport> {
  return reportWeights(pool, model, await measureWeights(pool, model, request, options));
}

/** Quantizes the selected tensors in every format. Weights are never changed. */
export async function measureWeights(
  pool: WorkerPool,
  model: OpenedModel,
  request: WeightsRequest,
  options: CompareWeightsOptions = {},
): Promise<WeightsOutcome> {
  const begin = performance.now();
  const formats = parseFormats(request.formats);
  if (formats.length === 0) throw new Error('No format was given');
  const scaleDtype = request.scaleDtype ?? 'f16';
  const tensors = selectTensors(model, request);
  const work = estimateWork(tensors, formats);
  const { gpu, reason } = (await options.backends?.choose(pool, work, options)) ?? {};
  let backend: string = (gpu ?? pool).backend;
  let backendReason = reason;
  const onFailure = ({ message }: Error) => {
    backend = `${backend}, ${pool.backend}`;
    backendReason = `The GPU failed (${message}); ${pool.backend} went on with the rest`;
    options.backends?.log(`${backendReason}.`);
  };
  try {
    const runners = gpu && withFallback(gpu, pool, onFailure);
    const quantized = await quantizeTensors(
      pool,
      { tensors, formats, scaleDtype, runners },
      options,
    );
    return { formats, scaleDtype, begin, ...quantized, backend, backendReason };
  } finally {
    await gpu?.end();
  }
}

/** Candidates that searches try for each group. */
const SEARCH_STEPS: Readonly<Record<RangeSearch, number>> = { none: 1, mse: 80, clip: 100 };

/** What quantizing takes, for the choice of what does it. */
function estimateWork(tensors: readonly ModelTensor[], formats: readonly NumberFormat[]): JobWork {
  const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  // What threads do in either case says nothing about where the rest should be done.
  const steps = formats.filter(isQuantizedOnGpu).map(({ search }) => SEARCH_STEPS[search]);
  return { bytes, quantized: elements * steps.reduce((sum, each) => sum + each, 0), flops: 0 };
}

/** The report of a job over weights. */
export function reportWeights(
  pool: WorkerPool,
  model: OpenedModel,
  outcome: WeightsOutcome,
): ComparisonReport {
  const { formats, scaleDtype, tensors, times, begin } = outcome;
  const { backend = pool.backend, backendReason } = outcome;
  // A GPU does one task after the other.
  const atOnce = backend === pool.backend ? pool.threads : 1;
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
      readSeconds: times.read / atOnce,
      quantizeSeconds: times.kernel / atOnce,
      forwardSeconds: 0,
      totalSeconds: (performance.now() - begin) / 1000,
      peakRssBytes: pool.host.peakMemoryBytes(),
      backend,
      backendReason,
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

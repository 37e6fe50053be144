import { detachModel, type OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { Perplexity } from '../../model/scores/perplexity.js';
import type {
  ComparisonReport,
  FormatComparison,
  TensorComparison,
  TotalComparison,
} from '../../reports/reports.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { refuseChanged } from '../../storage/inputs.js';
import type { QuantizationScheme } from '../../methods/schemes.js';
import { parseSchemes } from '../formatList.js';
import type {
  MeasuredOutputs,
  MeasuredPerplexity,
  MeasurementRequest,
  OutputsRequest,
  PerplexitySettings,
} from '../perplexity/measurement.js';
import type { FormatMix } from '../mixes.js';
import { selectTensors, type Selection } from '../selection.js';
import { summarizeModel } from '../summarizeModel.js';
import { compareAgainst } from './compareAgainst.js';
import { compareMixes, joinReports } from './compareMixes.js';
import { arrangeFormats, findMissing, joinFormats, withKnownPerplexities } from './joinReports.js';
import { reportRounded, reportSchemes, roundedFormats } from './compareSchemes.js';
import {
  measureWeights,
  type CompareWeightsOptions,
  type WeightsOutcome,
  type WeightsRequest,
} from './compareWeights.js';

/** What is compared. */
export interface CompareRequest extends WeightsRequest {
  /** Format names; none only where perplexity is asked for, or a mix or another checkpoint is there. */
  readonly formats: readonly string[];
  /** Formats of single tensors, each compared like a format, behind the others. */
  readonly mixes?: readonly FormatMix[];
  /** Another checkpoint of the same model, which is compared like a format, before the others. */
  readonly against?: OpenedModel;
  /** Also run the model: its perplexity unquantized and in every format. */
  readonly perplexity?: PerplexitySettings & {
    /** Also with each tensor alone quantized. */
    readonly perLayer?: boolean;
  };
  /** What methods see, and with what means; default: their own. */
  readonly calibration?: PerplexitySettings;
}

/** Where the parts of a comparison run: the caller's choice. */
export interface ComparisonRunners {
  /** Runs a job over weights with a pool of workers. */
  withPool<Result>(job: (pool: WorkerPool) => Promise<Result>): Promise<Result>;
  /** Runs the model: here, or in a thread of its own. */
  measurePerplexity(
    model: OpenedModel,
    request: MeasurementRequest,
    options: CallOptions,
  ): Promise<MeasuredPerplexity>;
  /** Calibrates the model, and runs it to see the outputs of its linear maps: here, or in a thread of its own. */
  measureOutputs(
    model: OpenedModel,
    request: OutputsRequest,
    options: CallOptions,
  ): Promise<MeasuredOutputs>;
}

export interface CompareOptions extends CompareWeightsOptions {
  /** What is known of the same weights, with the same scales and calibration: its formats are not compared again. */
  readonly known?: ComparisonReport;
  /** Called before each part, with the report as far as it goes. */
  readonly onPhase?: (
    phase: 'weights' | 'calibration' | 'perplexity',
    report?: ComparisonReport,
  ) => void;
}

/**
 * Compares formats: the errors of the weights, then, where that is asked for, what they do to the
 * model's perplexity. What `compare --json` prints and the comparison panel shows. Weights are never
 * changed.
 * @throws SelectionError, CheckpointError or another Error of one line; an AbortError when cancelled
 */
export async function compareFormats(
  runners: ComparisonRunners,
  model: OpenedModel,
  request: CompareRequest,
  { known: before, onPhase, ...options }: CompareOptions = {},
): Promise<ComparisonReport> {
  const { formats, mixes = [], against, perplexity } = request;
  const schemes = parseSchemes(formats);
  const { known, missing, withOutputs } = findMissing(before, schemes);
  const wanted = schemes.map(({ id }) => id);
  // What was known takes no time.
  let report = known && {
    ...arrangeFormats(known, wanted),
    timings: { ...known.timings, totalSeconds: 0 },
  };
  if (missing.length > 0 || (against && !known)) {
    onPhase?.('weights', report ?? before);
    const join = (found: ComparisonReport) =>
      known
        ? arrangeFormats(joinFormats(known, found), wanted)
        : withKnownPerplexities(found, before);
    const ids = missing.map(({ id }) => id);
    const asked = { ...request, formats: ids, against: known ? undefined : against };
    const weights = await runners.withPool((pool) =>
      compareAllWeights(pool, model, { ...asked, schemes: missing }, options),
    );
    report = join(weights.report);
    if (weights.outcome && withOutputs) {
      onPhase?.('calibration', report);
      const begin = performance.now();
      const outputs = await runners.measureOutputs(model, outputsOf(model, asked), options);
      const { timings, ...found } = reportSchemes(
        weights.report,
        weights.outcome,
        missing,
        outputs,
      );
      const totalSeconds = timings.totalSeconds + (performance.now() - begin) / 1000;
      report = join({ ...found, timings: { ...timings, totalSeconds } });
    }
  }
  if (mixes.length > 0) {
    onPhase?.('weights', report);
    const { scaleDtype = 'f16' } = request;
    const mixed = await runners.withPool((pool) =>
      compareMixes(pool, model, mixes, scaleDtype, options),
    );
    report = (report ? [report, ...mixed] : mixed).reduce(joinReports);
  }
  await refuseChanged(model.inputs, model.fileSystem);
  if (against) await refuseChanged(against.inputs, against.fileSystem);
  if (!perplexity) {
    if (!report) throw new Error('No format was given');
    return report;
  }
  onPhase?.('perplexity', report);
  const begin = performance.now();
  const measurement = measurementOf(model, request, perplexity);
  const measured = await runners.measurePerplexity(model, measurement, options);
  const seconds = (performance.now() - begin) / 1000;
  return mergePerplexity(report ?? unquantizedReport(model), measured, seconds);
}

/** What is known of weights without running the model. */
interface ComparedWeights {
  readonly report: ComparisonReport;
  /** Absent where there are no formats. */
  readonly outcome?: WeightsOutcome;
}

/** The other checkpoint's weights, where there is one, then the weights in every format. */
async function compareAllWeights(
  pool: WorkerPool,
  model: OpenedModel,
  request: CompareRequest & { readonly schemes: readonly QuantizationScheme[] },
  options: CompareWeightsOptions,
): Promise<ComparedWeights> {
  const { schemes, against, tensors, tensorGlobs } = request;
  const withFormats = schemes.length > 0;
  const compare = async (): Promise<Required<ComparedWeights>> => {
    const rounded = { ...request, formats: roundedFormats(schemes) };
    const outcome = await measureWeights(pool, model, rounded, options);
    return { report: reportRounded(pool, model, outcome, schemes), outcome };
  };
  if (!against) return compare();
  const other = await compareAgainst(
    pool,
    model,
    { against, withFormats, tensors, tensorGlobs },
    options,
  );
  if (!withFormats) return { report: other };
  const { report, outcome } = await compare();
  const { totalSeconds } = other.timings;
  const { timings, model: summary, ...rest } = report;
  return {
    report: {
      model: summary,
      against: other.against,
      ...rest,
      formats: [...other.formats, ...report.formats],
      timings: { ...timings, totalSeconds: timings.totalSeconds + totalSeconds },
    },
    outcome,
  };
}

/** What is asked of whoever calibrates the model. */
function outputsOf(model: OpenedModel, request: CompareRequest): OutputsRequest {
  return {
    formats: parseSchemes(request.formats).map(({ id }) => id),
    tensors: measuredTensors(model, request),
    scaleDtype: request.scaleDtype ?? 'f16',
    settings: request.perplexity ?? request.calibration ?? {},
  };
}

/** What is asked of whoever runs the model. */
function measurementOf(
  model: OpenedModel,
  request: CompareRequest,
  { perLayer = false, ...settings }: NonNullable<CompareRequest['perplexity']>,
): MeasurementRequest {
  return {
    formats: parseSchemes(request.formats).map(({ id }) => id),
    tensors: measuredTensors(model, request),
    scaleDtype: request.scaleDtype ?? 'f16',
    perLayer,
    mixes: request.mixes,
    ...(request.against && { against: detachModel(request.against) }),
    settings,
  };
}

/** Names of the tensors that formats are applied to; none without formats. */
function measuredTensors(
  model: OpenedModel,
  request: Selection & Pick<CompareRequest, 'formats'>,
): string[] {
  if (request.formats.length === 0) return [];
  return selectTensors(model, request).map(({ name }) => name);
}

/** A report of no format. */
function unquantizedReport(model: OpenedModel): ComparisonReport {
  const linear = model.tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
  return {
    model: summarizeModel(model, linear, false),
    baseline: {},
    formats: [],
    notes: [],
    timings: {
      readSeconds: 0,
      quantizeSeconds: 0,
      forwardSeconds: 0,
      totalSeconds: 0,
      peakRssBytes: 0,
      backend: '',
      threads: 0,
    },
  };
}

/** A comparison of weights with the perplexities of the same formats and tensors beside it. */
export function mergePerplexity(
  report: ComparisonReport,
  measured: MeasuredPerplexity,
  seconds: number,
): ComparisonReport {
  const { timings, ...rest } = dropPerplexity(report);
  return {
    ...rest,
    text: measured.text,
    baseline: { perplexity: measured.baseline },
    formats: rest.formats.map((format, index) => {
      const { whole, alone } = measured.formats[index];
      return { ...withPerplexitiesAlone(format, alone), perplexity: whole };
    }),
    notes: measured.notes,
    timings: {
      ...timings,
      forwardSeconds: measured.forwardSeconds,
      totalSeconds: timings.totalSeconds + seconds,
      peakRssBytes: Math.max(timings.peakRssBytes, measured.peakRssBytes),
      backend: measured.backend,
      // Why weights were computed elsewhere is no reason for this.
      backendReason:
        measured.backendReason ??
        (measured.backend === timings.backend ? timings.backendReason : undefined),
      threads: measured.threads,
    },
  };
}

/** @param alone perplexities with each tensor alone quantized, in the order of the tensors; or none */
function withPerplexitiesAlone(
  format: FormatComparison,
  alone: readonly Perplexity[],
): FormatComparison {
  const tensors = format.tensors.map((tensor, at) =>
    at < alone.length ? { ...tensor, perplexityAlone: alone[at] } : tensor,
  );
  return {
    ...format,
    tensors,
    summary: { ...format.summary, ...sumOfDeltasAlone(tensors) },
    layers: format.layers.map((layer) => ({
      ...layer,
      ...sumOfDeltasAlone(tensors.filter((tensor) => tensor.layer === layer.layer)),
    })),
  };
}

/** What tensors, each alone quantized, add to the perplexity; nothing unless all were measured. */
function sumOfDeltasAlone(
  tensors: readonly TensorComparison[],
): Pick<TotalComparison, 'sumOfDeltasAlone'> {
  let sum = 0;
  for (const { perplexityAlone } of tensors) {
    if (!perplexityAlone) return {};
    sum += perplexityAlone.deltaVsBaseline;
  }
  return { sumOfDeltasAlone: sum };
}

/** A report as it was before perplexities were measured. */
export function dropPerplexity({ text: _text, ...rest }: ComparisonReport): ComparisonReport {
  // Keys stay in their places, so that the document is the same as one made at once.
  return {
    ...rest,
    baseline: {},
    notes: [],
    formats: rest.formats.map(
      ({ perplexity: _perplexity, summary, layers, tensors, ...format }) => ({
        ...format,
        summary: withoutSum(summary),
        layers: layers.map(withoutSum),
        tensors: tensors.map(({ perplexityAlone: _alone, ...tensor }) => tensor),
      }),
    ),
  };
}

function withoutSum<Total extends TotalComparison>({
  sumOfDeltasAlone: _,
  ...total
}: Total): Omit<Total, 'sumOfDeltasAlone'> {
  return total;
}

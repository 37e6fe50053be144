import { countSourceBytes, type OpenedModel } from '../../checkpoint/types.js';
import type { NumberFormat, ScaleDtype } from '../../formats/index.js';
import { planLanguageModel } from '../../model/config/languageModel.js';
import type { Perplexity } from '../../model/scores/perplexity.js';
import type {
  Budget,
  PredictedPerplexity,
  RecommendationReport,
  Tie,
} from '../../reports/recommendation.js';
import type { SensitivityReport } from '../../reports/sensitivity.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { refuseChanged } from '../../storage/inputs.js';
import type { WeightsOutcome, WeightsRequest } from '../comparison/compareWeights.js';
import { identifyFormat, parseFormats } from '../formatList.js';
import type { FormatMix } from '../mixes.js';
import type {
  MeasuredPerplexity,
  MeasurementRequest,
  PerplexitySettings,
} from '../perplexity/measurement.js';
import { selectTensors, type Selection } from '../selection.js';
import type { SensitivityRequest, SensitivitySettings } from '../sensitivity/request.js';
import { summarizeModel } from '../summarizeModel.js';
import {
  choicesOf,
  groupCandidates,
  listCandidates,
  pinnedFormats,
  type Pin,
  type TensorCandidates,
} from './candidates.js';
import { assign, chooseFormats } from './chooseFormats.js';
import { groupTensors } from './groupTensors.js';
import { traceFront } from './solveBudget.js';

/** What is to be decided. */
export interface RecommendationRequest extends Selection {
  /** Names of number formats to choose from, at least one. */
  readonly formats: readonly string[];
  readonly budget: Budget;
  readonly ties?: readonly Tie[];
  readonly pins?: readonly Pin[];
  readonly scaleDtype?: ScaleDtype;
  readonly sensitivity?: SensitivitySettings;
  /** What the result is measured on, and sensitivities unless a calibration text is named. */
  readonly perplexity: PerplexitySettings;
}

/** Where the parts of a recommendation run: the caller's choice. */
export interface RecommendationRunners {
  measureWeights(
    model: OpenedModel,
    request: WeightsRequest,
    options: CallOptions,
  ): Promise<WeightsOutcome>;
  measureSensitivity(
    model: OpenedModel,
    request: SensitivityRequest,
    options: CallOptions,
  ): Promise<SensitivityReport>;
  measurePerplexity(
    model: OpenedModel,
    request: MeasurementRequest,
    options: CallOptions,
  ): Promise<MeasuredPerplexity>;
}

export type RecommendationPhase = 'weights' | 'sensitivity' | 'perplexity';

export interface RecommendationOptions extends CallOptions {
  /** Called before each part. */
  readonly onPhase?: (phase: RecommendationPhase) => void;
}

/** Name of the mix among what is measured. */
export const MIX = 'mix';
/** Uniform formats that are measured beside the mix: those of the best predictions. */
const RIVALS = 3;
/** Points of the front in a report. */
const FRONT_POINTS = 64;

/**
 * Finds a format for each tensor within a budget: errors of all tensors in all formats, sensitivities, the exact
 * solution; then runs the model with this mix and with the uniform formats that are no larger, and recommends the
 * better one.
 * @throws SelectionError, BudgetError or another Error of one line; an AbortError when cancelled
 */
export async function recommend(
  runners: RecommendationRunners,
  model: OpenedModel,
  request: RecommendationRequest,
  { onPhase, ...options }: RecommendationOptions = {},
): Promise<RecommendationReport> {
  const begin = performance.now();
  const { budget, ties = [], pins = [], scaleDtype = 'f16', perplexity } = request;
  const free = parseFormats(request.formats);
  if (free.length === 0) throw new Error('No format was given');
  const { plan } = await planLanguageModel(model);
  const tensors = selectTensors(model, request);
  const pinned = pinnedFormats(tensors, pins);
  const formats = parseFormats([...free.map(({ id }) => id), ...pinned.values()]);
  const names = tensors.map(({ name }) => name);

  onPhase?.('weights');
  const weightsRequest = { tensors: names, formats: formats.map(({ id }) => id), scaleDtype };
  const outcome = await runners.measureWeights(model, weightsRequest, options);
  const weightsSeconds = (performance.now() - begin) / 1000;

  onPhase?.('sensitivity');
  const sensitivity = await runners.measureSensitivity(
    model,
    { tensors, settings: request.sensitivity, run: perplexity },
    options,
  );
  const alphas = sensitivity.tensors.map(({ alpha }) => alpha);
  const candidates = listCandidates(outcome.tensors, alphas, pinned, scaleDtype, formats);
  const groups = groupCandidates(model, candidates, groupTensors(names, plan, ties), [
    ...free.keys(),
  ]);
  const quantized = new Set(names);
  const otherBytes = model.tensors.reduce(
    (sum, tensor) => sum + (quantized.has(tensor.name) ? 0 : countSourceBytes(tensor)),
    0,
  );
  const elements = tensors.reduce((sum, tensor) => sum + tensor.elements, 0);

  onPhase?.('perplexity');
  const measure = (mixes: readonly FormatMix[]) =>
    runners.measurePerplexity(
      model,
      { formats: [], tensors: [], mixes, scaleDtype, perLayer: false, settings: perplexity },
      options,
    );
  // Only there the budget is in what the text says.
  const unquantized = budget.kind === 'perplexity' ? (await measure([])).baseline : undefined;
  const chosen = chooseFormats(groups, { budget, elements, otherBytes, unquantized });
  const formatOf = assign(groups, chosen.solution);
  const assigned = candidates.map((each) => each.formats[formatOf.get(each)!]);
  const bits = assigned.reduce((sum, each) => sum + each.bits, 0);
  const mix: FormatMix = {
    name: MIX,
    tensors: names.map((name, index) => ({ name, format: assigned[index].format.id })),
  };
  // What is given stays as it is given.
  const uniform = free.map((format, index) => ({
    format,
    mix: {
      name: format.id,
      tensors: candidates.map(({ tensor: { name }, formats: some, pinned: pin }) => ({
        name,
        format: some[pin ?? index].format.id,
      })),
    },
    bits: sumOf(candidates, index, 'bits'),
    klDivergence: sumOf(candidates, index, 'klDivergence'),
  }));
  const rivals = uniform
    .filter(
      (each) => each.bits <= Math.max(bits, chosen.mostBits) && Number.isFinite(each.klDivergence),
    )
    .sort((a, b) => a.klDivergence - b.klDivergence || a.bits - b.bits)
    .slice(0, RIVALS);
  const measured = await measure([mix, ...rivals.map((each) => each.mix)]);
  await refuseChanged(model.inputs, model.fileSystem);

  const { baseline } = measured;
  const predicted = (klDivergence: number) => predict(baseline, klDivergence);
  const sizeBytes = (someBits: number) => otherBytes + Math.ceil(someBits / 8);
  const measuredRivals = new Map(
    rivals.map(({ format }, index) => [format, measured.formats[index + 1].whole]),
  );
  const described = uniform
    .map(({ format, bits: taken, klDivergence }) => ({
      ...identifyFormat(format, { bits: taken, elements }),
      sizeBytes: sizeBytes(taken),
      predicted: predicted(klDivergence),
      ...(measuredRivals.has(format) && { measured: measuredRivals.get(format)! }),
    }))
    .sort((a, b) => a.bitsPerWeight - b.bitsPerWeight);
  const { whole } = measured.formats[0];
  const [best] = described
    .flatMap((each) => (each.measured ? [{ ...each, measured: each.measured }] : []))
    .sort((a, b) => divergenceOf(a.measured) - divergenceOf(b.measured));
  const recommended =
    best && divergenceOf(best.measured) <= divergenceOf(whole) ? 'uniform' : 'mix';
  return {
    model: summarizeModel(model, tensors),
    text: measured.text,
    budget,
    ties,
    scaleDtype,
    baseline: { perplexity: baseline },
    bitsPerWeight: bits / elements,
    sizeBytes: sizeBytes(bits),
    assignment: candidates.map(({ tensor, pinned: pin }, index) => ({
      tensor: tensor.name,
      layer: tensor.layer,
      nameInLayer: tensor.nameInLayer,
      parameters: tensor.elements,
      format: assigned[index].format.id,
      bitsPerWeight: assigned[index].bits / tensor.elements,
      relativeError: assigned[index].relativeError,
      klDivergence: assigned[index].klDivergence,
      ...(pin !== undefined && { pinned: true as const }),
    })),
    predicted: predicted(assigned.reduce((sum, each) => sum + each.klDivergence, 0)),
    measured: whole,
    predictedBound: chosen.bound,
    bestUniform: best
      ? {
          format: best.id,
          bitsPerWeight: best.bitsPerWeight,
          sizeBytes: best.sizeBytes,
          predicted: best.predicted,
          measured: best.measured,
        }
      : null,
    recommended,
    uniform: described,
    front: thin(traceFront(choicesOf(groups, 'bits'))).map(({ weight, cost }) => ({
      bitsPerWeight: weight / elements,
      klDivergence: cost,
    })),
    sensitivity,
    notes: [...notesOf(whole, best, free, formats), ...measured.notes],
    timings: {
      weightsSeconds,
      sensitivitySeconds: sensitivity.seconds,
      forwardSeconds: measured.forwardSeconds,
      totalSeconds: (performance.now() - begin) / 1000,
      peakRssBytes: measured.peakRssBytes,
      backend: measured.backend,
      backendReason: measured.backendReason,
      threads: measured.threads,
    },
  };
}

function sumOf(
  candidates: readonly TensorCandidates[],
  format: number,
  of: 'bits' | 'klDivergence',
): number {
  return candidates.reduce((sum, { formats, pinned = format }) => sum + formats[pinned][of], 0);
}

/** As if the text were the model's own, so that its mean log-likelihood fell by the KL divergence. */
function predict(baseline: Perplexity, klDivergence: number): PredictedPerplexity {
  const nll = baseline.nll + klDivergence;
  const value = Math.exp(nll);
  return { klDivergence, nll, value, deltaVsBaseline: value - baseline.value };
}

function divergenceOf({ klDivergence }: Perplexity): number {
  return klDivergence === undefined || Number.isNaN(klDivergence) ? Infinity : klDivergence;
}

/** Some of many points, the first and the last among them. */
function thin<Point>(points: readonly Point[]): Point[] {
  if (points.length <= FRONT_POINTS) return [...points];
  const step = (points.length - 1) / (FRONT_POINTS - 1);
  return Array.from({ length: FRONT_POINTS }, (_, at) => points[Math.round(at * step)]);
}

/** What is to be said of the measured result. */
function notesOf(
  mix: Perplexity,
  best: { readonly id: string; readonly measured: Perplexity } | undefined,
  free: readonly NumberFormat[],
  all: readonly NumberFormat[],
): string[] {
  const notes: string[] = [];
  if (!best) {
    notes.push(
      'None of the formats is small enough for all tensors alike, so there is nothing of the size of the mix to compare it with.',
    );
  } else if (divergenceOf(best.measured) <= divergenceOf(mix)) {
    notes.push(
      `The mix does not win: ${best.id} for all tensors alike is no larger and no worse, and is recommended.`,
    );
  } else if (best.measured.value < mix.value) {
    notes.push(
      `The mix is nearer to the unquantized model by KL divergence, but on this text ${best.id} has the lower perplexity.`,
    );
  }
  const reconstructed = all.filter(({ entry }) => entry.reconstructed).map(({ id }) => id);
  if (reconstructed.length > 0) {
    notes.push(`Definitions are reconstructed of ${reconstructed.join(', ')}.`);
  }
  if (free.length === 1) notes.push('With a single format to choose from there is nothing to mix.');
  return notes;
}

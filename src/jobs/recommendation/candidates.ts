import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { countStoredBits, type NumberFormat, type ScaleDtype } from '../../formats/index.js';
import type { QuantizedTensor } from '../comparison/quantizeTensors.js';
import { makeTensorMatcher } from '../selection.js';
import type { Choice } from './solveBudget.js';

/** A tensor in a format. */
export interface TensorInFormat {
  readonly format: NumberFormat;
  readonly bits: number;
  /** ‖Ŵ − W‖² / ‖W‖². */
  readonly relativeError: number;
  /** Sensitivity times relative error: predicted KL divergence, nats per token. */
  readonly klDivergence: number;
}

/** A tensor in every format, and the one that it must have, if any. */
export interface TensorCandidates {
  readonly tensor: ModelTensor;
  /** In the order of the formats. */
  readonly formats: readonly TensorInFormat[];
  /** Index of a format. */
  readonly pinned?: number;
}

/** Formats that are given: the last one that matches a tensor counts. */
export interface Pin {
  readonly glob: string;
  /** Canonical name. */
  readonly format: string;
}

/** The format of each pinned tensor. @throws where a glob matches none of the tensors */
export function pinnedFormats(
  tensors: readonly Pick<ModelTensor, 'name'>[],
  pins: readonly Pin[],
): ReadonlyMap<string, string> {
  const formats = new Map<string, string>();
  for (const { glob, format } of pins) {
    const matches = makeTensorMatcher([glob]);
    const names = tensors.map(({ name }) => name).filter(matches);
    if (names.length === 0) {
      throw new Error(
        `"${glob}" is given the format ${format}, but matches no tensor that is quantized`,
      );
    }
    for (const name of names) formats.set(name, format);
  }
  return formats;
}

/**
 * What each tensor would be in each format.
 * @param alphas sensitivities, in the order of the tensors
 */
export function listCandidates(
  quantized: readonly QuantizedTensor[],
  alphas: readonly number[],
  pins: ReadonlyMap<string, string>,
  scaleDtype: ScaleDtype,
  formats: readonly NumberFormat[],
): TensorCandidates[] {
  return quantized.map(({ tensor, formats: stored, matrixShape, weights, errors }, index) => {
    const pin = pins.get(tensor.name);
    return {
      tensor,
      formats: stored.map((format, at): TensorInFormat => {
        const { squaredError } = errors[at].sums;
        const relativeError = squaredError === 0 ? 0 : squaredError / weights.sumSquares;
        return {
          format,
          bits: countStoredBits(format, matrixShape, scaleDtype),
          relativeError,
          klDivergence: relativeError === 0 ? 0 : relativeError * alphas[index],
        };
      }),
      ...(pin !== undefined && { pinned: formats.findIndex(({ id }) => id === pin) }),
    };
  });
}

/** Tensors that get one format, and the formats they may get. */
export interface CandidateGroup {
  readonly tensors: readonly TensorCandidates[];
  /** Indices of formats. */
  readonly allowed: readonly number[];
}

/**
 * Groups with the formats that are free to each.
 * @param free indices of the formats that tensors may have without being pinned to them
 * @throws where tensors that get one format are pinned to several, or no format can hold one
 */
export function groupCandidates(
  model: OpenedModel,
  candidates: readonly TensorCandidates[],
  groups: readonly (readonly string[])[],
  free: readonly number[],
): CandidateGroup[] {
  const byName = new Map(candidates.map((each) => [each.tensor.name, each]));
  return groups.map((names) => {
    const tensors = names.map((name) => byName.get(name)!);
    const pinned = [...new Set(tensors.flatMap(({ pinned: at }) => at ?? []))];
    if (pinned.length > 1) {
      const [one, other] = pinned.map((at) => tensors[0].formats[at].format.id);
      throw new Error(
        `"${names.join('", "')}" are to have one format, but ${one} and ${other} are given`,
      );
    }
    const allowed = (pinned.length === 1 ? pinned : free).filter((at) =>
      tensors.every(({ formats }) => Number.isFinite(formats[at].klDivergence)),
    );
    if (allowed.length === 0) {
      throw new Error(`${model.path}: none of the formats can hold "${names[0]}"`);
    }
    return { tensors, allowed };
  });
}

/** Groups as a budget of bits sees them, or of predicted KL divergence where bits are to be few. */
export function choicesOf(
  groups: readonly CandidateGroup[],
  spent: 'bits' | 'klDivergence',
): Choice[][] {
  const saved = spent === 'bits' ? 'klDivergence' : 'bits';
  const sum = (tensors: readonly TensorCandidates[], format: number, of: typeof spent) =>
    tensors.reduce((total, { formats }) => total + formats[format][of], 0);
  return groups.map(({ tensors, allowed }) =>
    allowed.map((format) => ({
      weight: sum(tensors, format, spent),
      cost: sum(tensors, format, saved),
    })),
  );
}

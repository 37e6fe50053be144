import { shapeAsMatrix } from '../checkpoint/matrixShape.js';
import type { ModelTensor, OpenedModel } from '../checkpoint/types.js';
import {
  countStoredBits,
  formatForWidth,
  parseFormat,
  type NumberFormat,
  type ScaleDtype,
} from '../formats/index.js';
import type { FormatReport } from '../reports/reports.js';
import { visible } from '../storage/errors.js';
import { selectTensors } from './selection.js';

/** A number format for each of some tensors; the others stay as they are. Plain data. */
export interface FormatMix {
  /** For people. */
  readonly name: string;
  readonly tensors: readonly {
    readonly name: string;
    /** Canonical name. */
    readonly format: string;
  }[];
}

/** A tensor and what a mix stores it as: its format, or where rows do not fit its blocks what takes its place. */
export interface MixedTensor {
  readonly tensor: ModelTensor;
  readonly format: NumberFormat;
}

/**
 * The tensors of a mix, in checkpoint order.
 * @throws where the model lacks one, or it cannot be quantized
 */
export function resolveMix(model: OpenedModel, { name, tensors }: FormatMix): MixedTensor[] {
  const formats = new Map(tensors.map((each) => [each.name, each.format]));
  try {
    return selectTensors(model, { tensors: [...formats.keys()] }).map((tensor) => ({
      tensor,
      format: formatForWidth(parseFormat(formats.get(tensor.name)!), shapeAsMatrix(tensor).at(-1)),
    }));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new Error(`${visible(name)}: ${detail}`, { cause: error });
  }
}

/** Bits that the tensors of a mix take. */
export function countMixBits(tensors: readonly MixedTensor[], scaleDtype: ScaleDtype): number {
  return tensors.reduce(
    (sum, { tensor, format }) => sum + countStoredBits(format, shapeAsMatrix(tensor), scaleDtype),
    0,
  );
}

/** A mix as reports name it, by what its tensors take. */
export function identifyMix(
  { name }: FormatMix,
  tensors: readonly MixedTensor[],
  scaleDtype: ScaleDtype,
): FormatReport {
  const elements = tensors.reduce((sum, { tensor }) => sum + tensor.elements, 0);
  const counts = new Map<string, number>();
  for (const { format } of tensors) counts.set(format.id, (counts.get(format.id) ?? 0) + 1);
  const reconstructed = tensors.some(({ format }) => format.entry.reconstructed);
  const parts = [...counts].map(([id, count]) => `${count} in ${id}`);
  return {
    id: name,
    label: name,
    bitsPerWeight: countMixBits(tensors, scaleDtype) / elements,
    approximate: reconstructed,
    reconstructed,
    notes: [`A format for each of ${tensors.length} tensors: ${parts.join(', ')}.`],
  };
}

import type { ModelTensor } from '../../checkpoint/types.js';
import { getMatrixShape } from '../../checkpoint/matrixShape.js';
import type { NumberFormat } from '../../formats/types.js';
import { visible } from '../../storage/errors.js';
import { tensorsAfter, tensorsBefore, tensorsOfBlock } from '../config/plan.js';
import { checkActivations } from './activations.js';
import type { LanguageModel, TensorChange, Variant } from './types.js';

/** Tensors in one format, as the changes of a variant. */
export function inFormat(
  format: NumberFormat,
  names: readonly string[],
): ReadonlyMap<string, TensorChange> {
  return new Map(names.map((name) => [name, { format }]));
}

/**
 * Tells changes of a tensor apart: two with the same key come to the same weights. Values are the
 * same where they are the same array.
 */
export class ChangeKeys {
  private readonly numbers = new Map<Float32Array | ModelTensor, number>();

  /** @returns '' for a tensor as it is stored */
  of(change: TensorChange = {}): string {
    const { noise, format } = change;
    const added = noise ? `+${noise.share}:${noise.seed} ` : '';
    return `${this.ofValues(change)}${added}${format?.id ?? ''}`;
  }

  /** The same of the values alone, wherever they are. */
  ofValues({ values, stored }: TensorChange = {}): string {
    const origin = values ?? stored;
    if (!origin) return '';
    const number = this.numbers.get(origin) ?? this.numbers.size;
    this.numbers.set(origin, number);
    return `#${number} `;
  }
}

/**
 * Checks that every array of values belongs to a tensor that the model computes with, and has its
 * size, and that activations belong to linear maps of blocks.
 * @throws naming the variant and the tensor. That values are finite is checked when they are used.
 */
export function checkVariants({ opened, plan }: LanguageModel, variants: readonly Variant[]): void {
  const used = new Set([
    ...tensorsBefore(plan),
    ...plan.blocks.flatMap(tensorsOfBlock),
    ...tensorsAfter(plan),
  ]);
  const tensors = new Map(opened.tensors.map((tensor) => [tensor.name, tensor]));
  for (const variant of variants) {
    checkActivations(variant, plan);
    const { id, changes } = variant;
    for (const [name, { values, stored }] of changes) {
      if (!values && !stored) continue;
      const fail = (detail: string): never => {
        throw new Error(`${visible(id)}: values for "${visible(name)}", ${detail}`);
      };
      if (!used.has(name)) fail('which the model does not compute with');
      const tensor = tensors.get(name)!;
      const { elements } = tensor;
      if (values && values.length !== elements) fail(`${values.length} instead of ${elements}`);
      const [mine, other] = [tensor, stored ?? tensor].map(getMatrixShape);
      if (mine.rows !== other.rows || mine.columns !== other.columns) {
        fail(`${other.rows} × ${other.columns} instead of ${mine.rows} × ${mine.columns}`);
      }
    }
  }
}

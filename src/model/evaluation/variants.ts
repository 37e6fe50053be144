import type { NumberFormat } from '../../formats/types.js';
import { visible } from '../../storage/errors.js';
import { tensorsAfter, tensorsBefore, tensorsOfBlock } from '../config/plan.js';
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
  private readonly arrays = new Map<Float32Array, number>();

  /** @returns '' for a tensor as it is stored */
  of({ values, format }: TensorChange = {}): string {
    return `${this.ofValues(values)}${format?.id ?? ''}`;
  }

  /** The same of the values alone. */
  ofValues(values: Float32Array | undefined): string {
    if (!values) return '';
    const number = this.arrays.get(values) ?? this.arrays.size;
    this.arrays.set(values, number);
    return `#${number} `;
  }
}

/**
 * Checks that every array of values belongs to a tensor that the model computes with, and has its
 * size.
 * @throws naming the variant and the tensor. That values are finite is checked when they are used.
 */
export function checkVariants({ opened, plan }: LanguageModel, variants: readonly Variant[]): void {
  const used = new Set([
    ...tensorsBefore(plan),
    ...plan.blocks.flatMap(tensorsOfBlock),
    ...tensorsAfter(plan),
  ]);
  const tensors = new Map(opened.tensors.map((tensor) => [tensor.name, tensor]));
  for (const { id, changes } of variants) {
    for (const [name, { values }] of changes) {
      if (!values) continue;
      const fail = (detail: string): never => {
        throw new Error(`${visible(id)}: values for "${visible(name)}", ${detail}`);
      };
      if (!used.has(name)) fail('which the model does not compute with');
      const { elements } = tensors.get(name)!;
      if (values.length !== elements) fail(`${values.length} instead of ${elements}`);
    }
  }
}

import { readFileSync } from 'node:fs';
import { floatsOf, readRawSafetensors, type RawTensor } from '../support/rawSafetensors.js';

const folder = new URL('../fixtures/golden-calibration/', import.meta.url);

/** A result of the original code on one layer. */
export interface CalibrationVector {
  readonly name: string;
  readonly kind: string;
  readonly bits: number;
  readonly group: number;
  readonly fmt?: string;
  readonly loss?: number;
  readonly values?: Readonly<Record<string, number>>;
}

/** All of one manifest. */
export function calibrationVectors(manifest: string): readonly CalibrationVector[] {
  const text = readFileSync(new URL(manifest, folder), 'utf8');
  return (JSON.parse(text) as { readonly entries: readonly CalibrationVector[] }).entries;
}

/** Tensors of a file, by name. */
export class CalibrationTensors {
  private readonly tensors: Map<string, RawTensor>;

  constructor(file: string) {
    this.tensors = readRawSafetensors(new URL(file, folder));
  }

  get(name: string): RawTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`No tensor ${name}`);
    return tensor;
  }

  floats(name: string): Float32Array {
    return floatsOf(this.get(name));
  }
}

/** Σxᵀx of rows [rows × inputs], f64. */
export function gramOf(rows: Float32Array, inputs: number): Float64Array {
  const gram = new Float64Array(inputs * inputs);
  for (let row = 0; row < rows.length; row += inputs) {
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) gram[i * inputs + j] += rows[row + i] * rows[row + j];
    }
  }
  return gram;
}

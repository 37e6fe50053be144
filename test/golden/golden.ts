import { readFileSync } from 'node:fs';
import { floatsOf, readRawSafetensors, type RawTensor } from '../support/rawSafetensors.js';

const folder = new URL('../fixtures/golden/', import.meta.url);

export interface GoldenEntry {
  readonly name: string;
  readonly file: string;
  readonly input: string;
  readonly family: string;
  readonly kind: string;
  readonly tensors: readonly string[];
  readonly bits: number;
  readonly group: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly sym?: boolean;
  readonly mse?: boolean;
  readonly fmt?: string;
  readonly two_scale?: boolean;
  readonly per_row?: boolean;
  readonly round?: string;
  readonly chosen_format?: string;
}

const manifest = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as {
  readonly entries: readonly GoldenEntry[];
};

const files = new Map<string, Map<string, RawTensor>>();

function fixture(file: string): Map<string, RawTensor> {
  let tensors = files.get(file);
  if (!tensors) files.set(file, (tensors = readRawSafetensors(new URL(file, folder))));
  return tensors;
}

/** The entries of a family that are the method's meaning, not a recorded defect. */
export function goldenEntries(family: string): GoldenEntry[] {
  return manifest.entries.filter(
    (entry) => entry.family === family && entry.kind !== 'original-code-bug',
  );
}

export function goldenTensor(entry: GoldenEntry, suffix = ''): RawTensor {
  const tensor = fixture(entry.file).get(entry.name + suffix);
  if (!tensor) throw new Error(`No tensor ${entry.name}${suffix} in ${entry.file}`);
  return tensor;
}

export function hasGoldenTensor(entry: GoldenEntry, suffix: string): boolean {
  return entry.tensors.includes(entry.name + suffix);
}

/** The weights that an entry was made from, [rows, columns]. */
export function goldenInput(entry: GoldenEntry) {
  const tensor = fixture('inputs.safetensors').get(entry.input);
  if (!tensor) throw new Error(`No input ${entry.input}`);
  return { weights: floatsOf(tensor), rows: tensor.shape[0], columns: tensor.shape[1] };
}

/** All weights that vectors were made from, by name. */
export function goldenInputs() {
  return [...fixture('inputs.safetensors')].map(([name, tensor]) => ({
    name,
    weights: floatsOf(tensor),
    columns: tensor.shape[1],
  }));
}

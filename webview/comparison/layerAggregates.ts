import { compareNames } from '../components/names.js';
import type { ComparisonReport, TensorComparison } from '../components/protocolTypes.js';
import type { TensorMeasure } from './measures.js';

/** Measures of several tensors in one format, as if they were one tensor. */
export interface Aggregate extends Readonly<Record<TensorMeasure, number>> {
  /** True when a tensor without error hides its signal: the SQNR is then at least the one given. */
  readonly sqnrIsLowerBound: boolean;
}

/** Tensors that share a layer, in the order of the report. */
export interface LayerGroup {
  /** "layers.0", or the tensor's own name outside of layers. */
  readonly name: string;
  readonly tensors: readonly { readonly name: string; readonly nameInLayer: string }[];
}

/** Σw² of each tensor over its finite weights, recovered from the first format that errs on it. */
export function signalEnergies(report: ComparisonReport): ReadonlyMap<string, number> {
  const energies = new Map<string, number>();
  for (const format of report.formats) {
    for (const tensor of format.tensors) {
      if (energies.has(tensor.name) || !(tensor.mse > 0) || !Number.isFinite(tensor.sqnrDb))
        continue;
      energies.set(tensor.name, errorEnergy(tensor) * 10 ** (tensor.sqnrDb / 10));
    }
  }
  return energies;
}

/** Sums, not averages of averages: weighted by each tensor's finite weights. */
export function aggregate(
  tensors: readonly TensorComparison[],
  energies: ReadonlyMap<string, number>,
): Aggregate {
  const total = tensors.reduce((sum, tensor) => sum + weightsOf(tensor), 0);
  const mean = (value: (tensor: TensorComparison) => number): number =>
    tensors.reduce((sum, tensor) => sum + value(tensor) * weightsOf(tensor), 0) / total;
  const error = tensors.reduce((sum, tensor) => sum + errorEnergy(tensor), 0);
  const signal = tensors.reduce((sum, { name }) => sum + (energies.get(name) ?? 0), 0);
  return {
    sqnrDb: error === 0 ? Infinity : 10 * Math.log10(signal / error),
    sqnrIsLowerBound: error > 0 && tensors.some(({ name }) => !energies.has(name)),
    mse: error / total,
    rmseOverStep: Math.sqrt(mean(({ rmseOverStep }) => rmseOverStep ** 2)),
    maxAbsError: tensors.reduce((most, { maxAbsError }) => Math.max(most, maxAbsError), 0),
    underflowFraction: mean(({ underflowFraction }) => underflowFraction),
    clippedFraction: mean(({ clippedFraction }) => clippedFraction),
  };
}

/** The tensors of a report by layer; layers in counting order, within them as reported. */
export function groupByLayer(report: ComparisonReport): readonly LayerGroup[] {
  const names = new Set(report.formats.flatMap(({ tensors }) => tensors.map(({ name }) => name)));
  const split = [...names].map((name) => ({ name, ...splitName(name) }));
  const prefix = commonPrefix(split.flatMap(({ layer }) => (layer === undefined ? [] : [layer])));
  const groups = new Map<string, { name: string; nameInLayer: string }[]>();
  for (const { name, layer, rest } of split) {
    const key = layer === undefined ? name : layer.slice(prefix.length);
    const group = groups.get(key) ?? [];
    group.push({ name, nameInLayer: layer === undefined ? name : rest });
    groups.set(key, group);
  }
  return [...groups]
    .sort(([a], [b]) => compareNames(a, b))
    .map(([name, tensors]) => ({ name, tensors }));
}

function weightsOf({ parameters, nonFinite }: TensorComparison): number {
  return parameters - nonFinite;
}

function errorEnergy(tensor: TensorComparison): number {
  return tensor.mse * weightsOf(tensor);
}

/** At the first number: "model.layers.0.mlp.up_proj.weight" → "model.layers.0" and the rest. */
function splitName(name: string): { layer?: string; rest: string } {
  const match = /^((?:[^.]*\.)*?\d+)\.(.+)$/s.exec(name);
  return match ? { layer: match[1], rest: match[2] } : { rest: name };
}

/** What all layer names begin with, up to a dot, leaving each its last two parts. */
function commonPrefix(layers: readonly string[]): string {
  const parts = layers.map((layer) => layer.split('.').slice(0, -2));
  const shared: string[] = [];
  for (const [i, part] of (parts[0] ?? []).entries()) {
    if (!parts.every((other) => other[i] === part)) break;
    shared.push(`${part}.`);
  }
  return shared.join('');
}

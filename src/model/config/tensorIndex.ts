import type { OpenedModel, ModelTensor } from '../../checkpoint/types.js';
import { hasPlainNumbers } from '../../storage/elementTypes.js';
import { quoted, visible } from '../../storage/errors.js';
import type { Configuration } from './configuration.js';
import { PresentTensors } from './presentTensors.js';
import type { LinearPlan, NormPlan } from './plan.js';
import {
  headNames,
  isAdapter,
  tensorsByName,
  unwrappedName,
  withTextParts,
} from './tensorNames.js';

/**
 * A model's tensors as an architecture asks for them: by the name that its code has, with the shape it
 * needs. What wrappers put into names is left out; names that are returned are those of the file.
 */
export class TensorIndex {
  private readonly byName: ReadonlyMap<string, ModelTensor>;

  /** @param prefix in front of every name; the first of `prefixes` under which `probe` is found */
  private constructor(
    private readonly path: string,
    byName: ReadonlyMap<string, ModelTensor>,
    private readonly undecodable: OpenedModel['undecodable'],
    readonly prefix: string,
  ) {
    this.byName = byName;
  }

  static of(model: OpenedModel, prefixes: readonly string[], probe: string): TensorIndex {
    const adapter = model.tensors.find(({ name }) => isAdapter(name));
    if (adapter) {
      throw new Error(
        `${visible(adapter.file)}: ${quoted(adapter.name)} belongs to an adapter that is not merged into the weights; such a model cannot be run`,
      );
    }
    const absent = new Set(Array.from(model.absent ?? [], unwrappedName));
    const byName = new PresentTensors(tensorsByName(model.tensors), absent);
    const known = withTextParts(prefixes);
    const prefix = known.find((each) => byName.has(each + probe)) ?? prefixes[0];
    const undecodable = new Map(
      Array.from(model.undecodable, ([name, reason]) => [unwrappedName(name), reason]),
    );
    return new TensorIndex(model.path, byName, undecodable, prefix);
  }

  /**
   * The number of layers by the configuration.
   * @param layers what their names begin with, after the prefix: "layers."
   * @throws where the checkpoint does not have them all: nothing is laid out for layers that are not there
   */
  layerCount(config: Configuration, key: string, layers: string): number {
    const count = config.count(key);
    const start = this.prefix + layers;
    const present = new Set<string>();
    for (const name of this.byName.keys()) {
      const end = name.startsWith(start) ? name.indexOf('.', start.length) : -1;
      if (end > start.length) present.add(name.slice(start.length, end));
    }
    for (let layer = 0; layer < count; layer++) {
      if (present.has(String(layer))) continue;
      const has = layer === 1 ? '1 layer' : `${layer} layers`;
      const other = layer === 0 ? this.describeOther(`.${layers}0.`) : '';
      config.fail(
        `"${key}" is ${count}, but the checkpoint has ${has}: no "${start}${layer}"${other}`,
      );
    }
    return count;
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  /** The name of the head where it is stored, under this name or as a part of the language model. */
  findHead(name: string): string {
    return headNames(name).find((each) => this.byName.has(each)) ?? name;
  }

  /** A tensor's name in the file. */
  storedName(name: string): string {
    return this.byName.get(name)?.name ?? name;
  }

  /**
   * A tensor's name, after checking that it is there with this shape and has plain numbers.
   * @throws naming the tensor and what was expected
   */
  require(name: string, shape: readonly number[]): string {
    const tensor = this.byName.get(name);
    const undecodable = this.undecodable.get(name);
    if (undecodable !== undefined) {
      throw new Error(
        `${visible(this.path)}: ${quoted(name)} is stored in a way that cannot be decoded (${undecodable})`,
      );
    }
    if (!tensor) {
      throw new Error(
        `${visible(this.path)}: the architecture needs a tensor "${name}", which is not there`,
      );
    }
    if (tensor.shape.length !== shape.length || tensor.shape.some((each, i) => each !== shape[i])) {
      throw new Error(
        `${visible(tensor.file)}: "${name}" has shape [${tensor.shape.join(', ')}]; config.json asks for [${shape.join(', ')}]`,
      );
    }
    if (!hasPlainNumbers(tensor.dtype)) {
      throw new Error(
        `${visible(tensor.file)}: "${name}" has element type ${tensor.dtype}, which cannot be computed with`,
      );
    }
    return tensor.name;
  }

  /** Says under which prefix a tensor stands that has this part in its name. */
  private describeOther(part: string): string {
    for (const { name } of this.byName.values()) {
      const at = name.indexOf(part);
      if (at < 0) continue;
      const prefix = quoted(name.slice(0, at + 1));
      return `; names of the checkpoint begin with ${prefix}, which no architecture has`;
    }
    return '';
  }

  /** A linear map; which way round its weight is stored, the opened model says. */
  linear(module: string, outputs: number, inputs: number, { bias = false } = {}): LinearPlan {
    const name = `${module}.weight`;
    const transposed = this.byName.get(name)?.transposed ?? false;
    return {
      weight: this.require(name, transposed ? [inputs, outputs] : [outputs, inputs]),
      bias: bias ? this.require(`${module}.bias`, [outputs]) : undefined,
      outputs,
      inputs,
      transposed,
    };
  }

  /**
   * Linear maps of so many experts that are stored as one tensor [experts × outputs × inputs].
   * @throws like {@link require}, and where outputs are stored last
   */
  linearsOfExperts(
    name: string,
    experts: number,
    outputs: number,
    inputs: number,
  ): readonly LinearPlan[] {
    const weight = this.require(name, [experts, outputs, inputs]);
    const { transposed, file } = this.byName.get(name)!;
    if (transposed) {
      throw new Error(
        `${visible(file)}: experts of "${name}" have inputs first, which this architecture does not; such a model cannot be run`,
      );
    }
    return Array.from({ length: experts }, (_, expert) => ({
      weight,
      outputs,
      inputs,
      transposed: false,
      firstRow: expert * outputs,
    }));
  }

  rmsNorm(module: string, size: number, epsilon: number, weightOffset = 0): NormPlan {
    const weight = this.require(`${module}.weight`, [size]);
    return { kind: 'rms', weight, epsilon, weightOffset };
  }

  /** A layer norm with a weight of this shape and no bias. */
  layerNormWithoutBias(module: string, shape: readonly number[], epsilon: number): NormPlan {
    const weight = this.require(`${module}.weight`, shape);
    return { kind: 'layer', weight, epsilon, weightOffset: 0 };
  }

  /** A layer norm of each head by itself, with a weight of its own and no bias. */
  layerNormOfHeads(module: string, heads: number, size: number, epsilon: number): NormPlan {
    const weightOfHeads = Array.from({ length: heads }, (_, head) =>
      this.require(`${module}.norms.${head}.weight`, [size]),
    );
    return { kind: 'layer', weightOfHeads, epsilon, weightOffset: 0 };
  }

  /** @param affine false: without weight and bias */
  layerNorm(module: string, size: number, epsilon: number, affine = true): NormPlan {
    return {
      kind: 'layer',
      weight: affine ? this.require(`${module}.weight`, [size]) : undefined,
      bias: affine ? this.require(`${module}.bias`, [size]) : undefined,
      epsilon,
      weightOffset: 0,
    };
  }

  /**
   * The token embedding and the head.
   * @param tied whether they are one matrix, by the configuration
   * @returns their names; tied weights are found under either name
   */
  embeddingAndHead(
    embedding: string,
    head: string,
    shape: readonly [number, number],
    tied: boolean,
  ): { readonly embedding: string; readonly head: string; readonly both: boolean } {
    const hasEmbedding = this.has(embedding);
    const hasHead = this.has(head);
    if (!tied) {
      if (!hasHead && hasEmbedding) {
        throw new Error(
          `${visible(this.path)}: there is no "${head}", and config.json does not say that it is tied to the embedding (tie_word_embeddings)`,
        );
      }
      return {
        embedding: this.require(embedding, shape),
        head: this.require(head, shape),
        both: false,
      };
    }
    // One matrix, found under either name; where both are stored they are compared later.
    const name = this.require(hasHead || !hasEmbedding ? head : embedding, shape);
    if (hasHead && hasEmbedding) this.require(embedding, shape);
    return { embedding: name, head: name, both: hasEmbedding && hasHead };
  }
}

import type { OpenedModel, ModelTensor } from '../../checkpoint/types.js';
import { hasPlainNumbers } from '../../storage/elementTypes.js';
import { quoted, visible } from '../../storage/errors.js';
import type { Configuration } from './configuration.js';
import { PresentTensors } from './presentTensors.js';
import type { LinearPlan, NormPlan } from './plan.js';

/** A model's tensors as an architecture asks for them: by name, with the shape it needs. */
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
    const byName = new PresentTensors(model);
    const prefix = prefixes.find((each) => byName.has(each + probe)) ?? prefixes[0];
    return new TensorIndex(model.path, byName, model.undecodable, prefix);
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
      config.fail(`"${key}" is ${count}, but the checkpoint has ${has}: no "${start}${layer}"`);
    }
    return count;
  }

  has(name: string): boolean {
    return this.byName.has(name);
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
    return name;
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

  rmsNorm(module: string, size: number, epsilon: number, weightOffset = 0): NormPlan {
    const weight = this.require(`${module}.weight`, [size]);
    return { kind: 'rms', weight, epsilon, weightOffset };
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
    // Where both are stored the head wins, as in the library that defines these models.
    const name = this.require(hasHead || !hasEmbedding ? head : embedding, shape);
    if (hasHead && hasEmbedding) this.require(embedding, shape);
    return { embedding: name, head: name, both: hasEmbedding && hasHead };
  }
}

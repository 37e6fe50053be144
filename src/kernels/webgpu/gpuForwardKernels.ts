import { activateRows, type GpuActivation } from './forward/activate.js';
import { attend, type GpuAttention } from './forward/attention.js';
import type { ForwardContext, GpuMatrix } from './forward/matrix.js';
import { layerNorm, rmsNorm, type GpuLayerNorm, type GpuRmsNorm } from './forward/norm.js';
import {
  multiply,
  multiplyPacked,
  type GpuPackedProduct,
  type GpuProduct,
} from './forward/product.js';
import { measureProducts, type ProductShape } from './forward/measureProducts.js';
import { DEFAULT_PRODUCTS } from './forward/productVariants.js';
import { rotate, type GpuRotation } from './forward/rotate.js';
import { roundRows, type GpuRowRounding } from './forward/roundRows.js';
import { routeRows, type GpuRouting } from './forward/route.js';
import {
  combineRows,
  gatherRows,
  mapRows,
  scatterAddRows,
  type GpuGather,
  type GpuRows,
  type GpuScatter,
} from './forward/rows.js';
import {
  clearScores,
  divergeTile,
  scoreTile,
  type GpuDivergenceTile,
  type GpuLogitTile,
} from './forward/score.js';
import type { Gpu, GpuView } from './gpu.js';

export type { GpuActivation } from './forward/activate.js';
export { MAX_HEAD_SIZE, type GpuAttention } from './forward/attention.js';
export type { GpuMatrix } from './forward/matrix.js';
export type { GpuLayerNorm, GpuRmsNorm, NormHeads } from './forward/norm.js';
export type { GpuPackedProduct, GpuProduct } from './forward/product.js';
export type { GpuRotation } from './forward/rotate.js';
export type { GpuRowRounding } from './forward/roundRows.js';
export type { GpuRouting } from './forward/route.js';
export type { GpuGather, GpuRows, GpuScatter } from './forward/rows.js';
export { LOWEST_SCORE, type GpuDivergenceTile, type GpuLogitTile } from './forward/score.js';

/**
 * The loops of a forward pass on a device: what `ForwardKernels` are on the CPU, within the rounding of f32.
 * Methods record commands. Matrices may be of any size; what one binding or dispatch cannot hold is done
 * in parts. What a kernel reads may share a buffer with what it writes, but is then copied first, unless a
 * method says otherwise.
 */
export class GpuForwardKernels {
  private context: ForwardContext;
  private tried: Promise<void> | undefined;

  constructor(gpu: Gpu) {
    this.context = { gpu, nothing: gpu.acquire(4), products: DEFAULT_PRODUCTS };
  }

  /**
   * Chooses how products are computed, by trying it once: some tenths of a second at most. Devices that compute on
   * the CPU keep the default.
   * @param shape of the product that is tried; default one that a fast device needs to show a difference
   * @throws GpuFailure
   */
  async chooseProducts(shape?: ProductShape): Promise<void> {
    this.tried ??= this.tryProducts(shape);
    await this.tried;
  }

  private async tryProducts(shape: ProductShape | undefined): Promise<void> {
    if (this.context.gpu.adapter.isSoftware) return;
    this.context = { ...this.context, products: await measureProducts(this.context, shape) };
  }

  /** Gives back what the kernels hold; commands that were recorded may still run. */
  destroy(): void {
    this.context.gpu.release(this.context.nothing);
  }

  /** output = x·wᵀ + bias. */
  multiply(product: GpuProduct): void {
    multiply(this.context, product);
  }

  /** The same with weights of 4 bits: as if they were decoded to f32 first. */
  multiplyPacked(product: GpuPackedProduct): void {
    multiplyPacked(this.context, product);
  }

  /** RMS norm of rows or of heads; in place where source and target share a buffer. */
  rmsNorm(norm: GpuRmsNorm): void {
    rmsNorm(this.context, norm);
  }

  /** Layer norm of rows or of heads; in place where source and target share a buffer. */
  layerNorm(norm: GpuLayerNorm): void {
    layerNorm(this.context, norm);
  }

  /** Rotary position embedding, in place. */
  rotate(rotation: GpuRotation): void {
    rotate(this.context, rotation);
  }

  /** Causal attention of all heads of a window. */
  attend(attention: GpuAttention): void {
    attend(this.context, attention);
  }

  /** target = activation(gate)·up; in place where all share a buffer. */
  activate(activation: GpuActivation): void {
    activateRows(this.context, activation);
  }

  /** Rounds rows to levels times a scale. */
  roundRows(rounding: GpuRowRounding): void {
    roundRows(this.context, rounding);
  }

  /** target += source. */
  add(rows: GpuRows): void {
    combineRows(this.context, rows, true);
  }

  /** target = source. */
  copyRows(rows: GpuRows): void {
    combineRows(this.context, rows, false);
  }

  /** values = factor·values. */
  scale(values: GpuMatrix, rows: number, columns: number, factor: number): void {
    if (factor !== 1) mapRows(this.context, values, rows, columns, factor, false);
  }

  /** values = cap·tanh(values/cap). */
  softCap(values: GpuMatrix, rows: number, columns: number, cap: number): void {
    mapRows(this.context, values, rows, columns, cap, true);
  }

  /** target[r] = source[indices[r]]. */
  gatherRows(gather: GpuGather): void {
    gatherRows(this.context, gather);
  }

  /** target[indices[r]] += weights[r]·source[r]. */
  scatterAddRows(scatter: GpuScatter): void {
    scatterAddRows(this.context, scatter);
  }

  /** Sends rows to experts. */
  route(routing: GpuRouting): void {
    routeRows(this.context, routing);
  }

  /** Starts the running sums of rows anew. */
  clearScores(sums: GpuView, rows: number): void {
    clearScores(this.context, sums, rows);
  }

  /** Takes a tile of logits into the running sums of its rows. */
  score(tile: GpuLogitTile): void {
    scoreTile(this.context, tile);
  }

  /** Takes a tile into the other model's sums of both divergences. */
  diverge(tile: GpuDivergenceTile): void {
    divergeTile(this.context, tile);
  }
}

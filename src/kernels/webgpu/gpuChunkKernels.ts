import type { NumberFormat } from '../../formats/types.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';
import type { ChunkShape, ErrorSums, Extremes, FixedRange, WeightSums } from '../types.js';
import { ElementKernels } from './elementKernels.js';
import type { Gpu, GpuView } from './gpu.js';
import { QuantizeKernels, type GpuQuantization } from './quantizeKernels.js';
import { Readback } from './readback.js';
import { ruleShaderOf } from './ruleShaders.js';

/**
 * The inner loops over chunks of weights on a GPU. Calls record commands; what they find is read together
 * by {@link collect}. `kernels/reference` is what they mean: outputs agree with it to the bit, counts
 * too, and sums to 1e-5. One exception: sums of squared steps beyond the range of f32, which the reference
 * cuts off there, are not cut off.
 */
export class GpuChunkKernels {
  private readonly readback: Readback;
  private readonly elements: ElementKernels;
  private readonly quantizers: QuantizeKernels;

  constructor(readonly gpu: Gpu) {
    this.readback = new Readback(gpu);
    this.elements = new ElementKernels(gpu, this.readback);
    this.quantizers = new QuantizeKernels(gpu, this.readback);
  }

  /** Whether elements of a type can be widened here; those of 64 bits cannot. */
  canDecode(dtype: ElementTypeName): boolean {
    return this.elements.canDecode(dtype);
  }

  /**
   * Widens elements to f32, to the nearest where they are finer.
   * @param source bytes as stored
   * @param target f32 [elements], in another buffer
   * @throws where the type is not decoded here
   */
  decode(dtype: ElementTypeName, source: GpuView, elements: number, target: GpuView): void {
    this.elements.decode(dtype, source, elements, target);
  }

  /**
   * Transposes a matrix of f32.
   * @param source [rows × columns]
   * @param target [columns × rows], in another buffer
   */
  transpose(source: GpuView, target: GpuView, rows: number, columns: number): void {
    this.elements.transpose(source, target, rows, columns);
  }

  /**
   * Sums over weights, of which NaN and ±Inf are replaced by 0 in place.
   * @param weights f32 [elements]
   * @returns the sums, once they are collected
   */
  inspect(weights: GpuView, elements: number): Promise<WeightSums> {
    return this.elements.inspect(weights, elements);
  }

  /**
   * Extremes of each group of weights, which must be finite.
   * @returns [groups], row by row, once they are collected
   */
  groupExtremes(weights: GpuView, shape: ChunkShape, groupSize: number): Promise<Extremes> {
    return this.elements.groupExtremes(weights, shape, groupSize);
  }

  /**
   * Extremes of weights, with zero only where it occurs. Those of a tensor are the extremes of its chunks'.
   * @param weights f32 [elements], finite
   * @returns the range, once it is collected
   */
  async extremes(weights: GpuView, elements: number): Promise<FixedRange> {
    const { min, max } = await this.elements.inspect(weights, elements);
    return { lo: min, hi: max };
  }

  /**
   * Adds 1 to the count of each code of an element type of 16 bits.
   * @param source codes as stored
   * @param counts u32 [65,536], in another buffer
   */
  countCodes(source: GpuView, elements: number, counts: GpuView): void {
    this.elements.countCodes(source, elements, counts);
  }

  /** Whether a format can be computed here. */
  supports({ entry }: NumberFormat): boolean {
    return ruleShaderOf(entry.rule) !== undefined;
  }

  /**
   * Quantizes and dequantizes weights, which must be finite.
   * @returns the sums, once they are collected
   */
  quantize(job: GpuQuantization): Promise<ErrorSums> {
    const shader = ruleShaderOf(job.format.entry.rule);
    if (!shader) throw new Error(`${job.format.id} is not computed on the GPU`);
    return this.quantizers.quantize(job, shader);
  }

  /** Reads what everything before has found, and settles the promises. @throws GpuFailure */
  collect(): Promise<void> {
    return this.readback.collect();
  }
}

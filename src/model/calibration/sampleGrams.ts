import type { SquareMatrix } from '../../kernels/calibrationKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { sumGram } from '../../methods/gram/gram.js';
import { expertsOf, linearsOf, listLinears, type ModelPlan } from '../config/plan.js';
import type { CalibrationWalk } from './calibrationWalk.js';
import type { Sample } from './sampleInputs.js';

/** Products of sampled inputs, one site after the other in the same memory. */
export class SampleGrams {
  private region?: MemoryRegion;

  /** @param sampledRows of each site, at least, where it has so many */
  constructor(
    private readonly walk: CalibrationWalk,
    private readonly sampledRows: number,
  ) {}

  /** Σxᵀx of a sample whose inputs are divided by factors. */
  async sum(
    { rows, inputs, values }: Sample,
    factors: Float32Array | undefined,
    gram: SquareMatrix,
  ): Promise<void> {
    const { request, options } = this.walk;
    const { pool } = request;
    const at = this.reserve(rows);
    const scaled = factors ? values.map((value, i) => value / factors[i % inputs]) : values;
    pool.write(at, scaled);
    await sumGram(pool, gram, (add) => add({ at, stride: inputs }, rows), options);
  }

  private reserve(rows: number): number {
    const { pool, model } = this.walk.request;
    const { plan } = model;
    // Each expert sees another number of rows, of which less than twice as many are sampled as are wanted.
    const hasExperts = plan.blocks.some((block) => expertsOf(block).length > 0);
    const most = hasExperts ? Math.max(rows, 2 * this.sampledRows) : rows;
    const bytes = most * widestInputs(plan) * 4;
    if ((this.region?.bytes ?? 0) < bytes) this.region = pool.reserve(bytes);
    return this.region!.start;
  }
}

/** The most inputs that a linear map of a block takes. */
function widestInputs({ blocks }: ModelPlan): number {
  const linears = blocks.flatMap((block) => [
    ...listLinears(block),
    ...expertsOf(block).flatMap(linearsOf),
  ]);
  return Math.max(...linears.map(({ inputs }) => inputs));
}
